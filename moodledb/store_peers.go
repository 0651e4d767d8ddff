package moodledb

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"renew_mnetkeys/envelope"
)

// PeerKey is a certificate for the mnet_host row of the peer that made it.
type PeerKey struct {
	Wwwroot     string // as in the row, but for what [envelope.SameWwwroot] passes over
	Certificate string // PEM
	Expires     int64  // its notAfter, unix seconds
}

// Kept is what became of a [PeerKey]. Of several rows of one wwwroot, which Moodle does not prevent, it is what became of the
// active ones; where they differ, the greater value.
type Kept int

// From nothing to a row that was left as it is.
const (
	NoRow      Kept = iota // no row, or only the tenant's own
	RowDeleted             // deleted rows are not touched
	KeyPresent             // it was there already; if its expiry was not, it is now
	KeyStored              // stored, and read back after the commit
	KeyOther               // the row holds another one: what only HeldKeys says, which changes none
)

func (k Kept) String() string {
	names := []string{"no row", "row deleted", "present", "stored", "another one present"}
	if k < 0 || int(k) >= len(names) {
		return fmt.Sprintf("Kept(%d)", int(k))
	}
	return names[k]
}

// StorePeerKeys stores certificates of many peers in one transaction, each in the row it has, and tells for each key, in the order
// of keys, what became of it. It makes no row. What a row holds is replaced whatever its dates: the caller has the lock of the tenant
// whose certificate it is, and under that lock the tenant's stored pair is the truth. Each wwwroot may be there once.
//
// The number of statements does not depend on the number of keys, but for one UPDATE per 100 rows.
//
// All keys are stored or none. With [ErrUncertain] the answer to COMMIT was lost and the server not reached again in time. After any
// error it can be called again, with the same result as if it had not failed.
func (t *Tenant) StorePeerKeys(ctx context.Context, keys []PeerKey) ([]Kept, error) {
	const doing = "store the peers' certificates"
	if len(keys) == 0 {
		return nil, nil
	}
	s, err := newPeerStore(t, keys)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	if t.bulk != nil {
		select {
		case t.bulk <- struct{}{}:
			defer func() { <-t.bulk }()
		case <-ctx.Done():
			return nil, fmt.Errorf("%s: wait for others to: %w", doing, ctx.Err())
		}
	}
	rows, err := s.settle(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	return s.kept(rows), nil
}

// HeldKeys tells what [Tenant.StorePeerKeys] would find, and writes and locks nothing: KeyPresent, KeyOther, RowDeleted or NoRow.
func (t *Tenant) HeldKeys(ctx context.Context, keys []PeerKey) ([]Kept, error) {
	const doing = "read the peers' certificates"
	if len(keys) == 0 {
		return nil, nil
	}
	s, err := newPeerStore(t, keys)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	var rows []peerRow
	err = t.look(ctx, func(tx *sql.Tx) error {
		rows, err = s.rows(ctx, tx, "")
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	for i := range rows {
		switch row := &rows[i]; {
		case row.deleted:
			row.kept = RowDeleted
		case row.hash == s.hashes[row.key]:
			row.kept = KeyPresent
		default:
			row.kept = KeyOther
		}
	}
	return s.kept(rows), nil
}

func newPeerStore(t *Tenant, keys []PeerKey) (*peerStore, error) {
	s := &peerStore{t: t, keys: keys, byWwwroot: make(map[string]int, len(keys)), written: map[int64]bool{}}
	for i, k := range keys {
		site := envelope.FoldWwwroot(k.Wwwroot)
		if _, twice := s.byWwwroot[site]; twice || k.Wwwroot == "" || k.Certificate == "" || k.Expires <= 0 {
			return nil, fmt.Errorf("that for %q is incomplete, or there twice", k.Wwwroot)
		}
		s.byWwwroot[site] = i
		s.hashes = append(s.hashes, sha256.Sum256([]byte(k.Certificate)))
	}
	return s, nil
}

// kept is what became of each key, by what became of its rows.
func (s *peerStore) kept(rows []peerRow) []Kept {
	kept := make([]Kept, len(s.keys))
	for _, row := range rows {
		kept[row.key] = max(kept[row.key], row.kept)
	}
	return kept
}

// peerStore is one StorePeerKeys at work.
type peerStore struct {
	t         *Tenant
	keys      []PeerKey
	hashes    [][sha256.Size]byte // of their certificates
	byWwwroot map[string]int      // folded: index of keys
	written   map[int64]bool      // rows this call has given a certificate, perhaps in vain
}

// peerRow is a row of mnet_host that a key is for.
type peerRow struct {
	id      int64
	key     int // index of keys
	deleted bool
	hash    [sha256.Size]byte // of public_key
	expires int64
	kept    Kept // what is to become of it
	write   bool // the row is to be changed
}

// settle stores. Where the answer to COMMIT is lost, it does so again on a new connection: reading the rows with a lock waits for a
// server that is still at work on the old one's transaction, and then shows whether they are stored.
func (s *peerStore) settle(ctx context.Context) ([]peerRow, error) {
	rows, err := s.storeAndRead(ctx)
	if !answerLost(err) {
		return rows, err
	}
	ctx, cancel := context.WithTimeout(ctx, readBackLimit)
	defer cancel()
	for err != nil {
		if s.t.sleep(ctx, readBackPause) != nil {
			return nil, fmt.Errorf("%w: %w", ErrUncertain, err)
		}
		rows, err = s.storeAndRead(ctx)
	}
	return rows, nil
}

// storeAndRead stores until what is read back is what was stored. Where it is not, somebody else has written to a row since, and all
// is decided again.
func (s *peerStore) storeAndRead(ctx context.Context) (rows []peerRow, err error) {
	for range patience {
		err = retry(ctx, func() error {
			rows, err = s.store(ctx)
			return err
		})
		if err != nil {
			return nil, err
		}
		again, err := s.readBack(ctx, rows)
		if err != nil {
			return nil, &commitError{err}
		}
		if !again {
			return rows, nil
		}
	}
	return nil, errors.New("somebody else changes the rows again and again")
}

// store is the transaction.
func (s *peerStore) store(ctx context.Context) (rows []peerRow, err error) {
	err = s.t.transaction(ctx, false, func(tx *sql.Tx) error {
		// First of all what locks: a snapshot from before could show an older state than the rows that are locked, and MariaDB refuses
		// to lock what has changed since a snapshot (innodb_snapshot_isolation).
		if rows, err = s.rows(ctx, tx, " FOR UPDATE"); err != nil {
			return err
		}
		s.decide(rows)
		return s.write(ctx, tx, slices.DeleteFunc(slices.Clone(rows), func(r peerRow) bool { return !r.write }))
	})
	return rows, err
}

// decide says what is to become of each row.
func (s *peerStore) decide(rows []peerRow) {
	for i := range rows {
		row := &rows[i]
		switch {
		case row.deleted:
			row.kept = RowDeleted
		case row.hash != s.hashes[row.key]:
			row.kept, row.write = KeyStored, true
		default:
			row.kept, row.write = KeyPresent, row.expires != s.keys[row.key].Expires
			if s.written[row.id] {
				row.kept = KeyStored
			}
		}
	}
}
