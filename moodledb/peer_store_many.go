package moodledb

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/moodledb/dialect"
	"renew_mnetkeys/rotate"
)

// StorePeerKeys implements rotate.PeerRows: it stores certificates of many peers in one
// transaction, each in its existing row, and returns for each key, in the order of keys, what
// happened to it. It makes no row. It replaces the certificate of a row whatever its dates: the
// caller has the lock of the tenant that owns the certificate, and under that lock the tenant's
// stored pair is the truth. Each wwwroot may occur once.
//
// The number of statements does not depend on the number of keys, except for one UPDATE per 100
// rows.
//
// All keys are stored or none. rotate.ErrUncertain means that the answer to COMMIT was lost and the
// server was not reached again in time. After any error it can be called again, with the same
// result as if it had not failed.
func (t *Tenant) StorePeerKeys(ctx context.Context, keys []rotate.HostKey) ([]rotate.StoreResult, error) {
	const op = "store the peers' certificates"
	if len(keys) == 0 {
		return nil, nil
	}
	s, err := newPeerStore(t, keys)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	if t.bulk != nil {
		select {
		case t.bulk <- struct{}{}:
			defer func() { <-t.bulk }()
		case <-ctx.Done():
			return nil, fmt.Errorf("%s: wait for others to: %w", op, ctx.Err())
		}
	}
	rows, err := s.storeUntilKnown(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	return s.kept(rows), nil
}

// ComparePeerKeys implements rotate.PeerRows: it returns what [Tenant.StorePeerKeys] would find,
// and writes and locks nothing. A row may have the certificate in another spelling, for example
// without the last line end, which is as good for Moodle: that is KeyPresent, too.
func (t *Tenant) ComparePeerKeys(ctx context.Context, keys []rotate.HostKey) ([]rotate.StoreResult, error) {
	results, err := t.compareBytes(ctx, keys)
	if err != nil || !slices.Contains(results, rotate.KeyOther) {
		return results, err
	}
	other := map[string]int{}
	for i, h := range results {
		if h == rotate.KeyOther {
			other[envelope.FoldWwwroot(keys[i].Wwwroot)] = i
		}
	}
	list, err := t.PeerList(ctx)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(p rotate.Peer) bool {
		_, is := other[envelope.FoldWwwroot(p.Wwwroot)]
		return !is || rotate.NotFound(p.Wwwroot)
	})
	if list, err = t.LoadPeers(ctx, list); err != nil {
		return nil, err
	}
	for _, p := range list { // one wwwroot may have several of them
		results[other[envelope.FoldWwwroot(p.Wwwroot)]] = rotate.KeyPresent
	}
	for _, p := range list {
		i := other[envelope.FoldWwwroot(p.Wwwroot)]
		results[i] = max(results[i], compared(keys[i], p.Certificate))
	}
	return results, nil
}

// compared is the result for a row with that certificate, whatever its spelling.
func compared(key rotate.HostKey, inRow string) rotate.StoreResult {
	c, err := envelope.ParseCertificate(inRow)
	switch {
	case err != nil:
		return rotate.KeyNone
	case c.Equal(key.Certificate):
		return rotate.KeyPresent
	case key.IsNewer(c):
		return rotate.KeyNewer
	}
	return rotate.KeyOther
}

// compareBytes is ComparePeerKeys, compared byte by byte.
func (t *Tenant) compareBytes(ctx context.Context, keys []rotate.HostKey) ([]rotate.StoreResult, error) {
	const op = "read the peers' certificates"
	if len(keys) == 0 {
		return nil, nil
	}
	s, err := newPeerStore(t, keys)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	var rows []peerRow
	err = t.look(ctx, func(tx *sql.Tx) error {
		rows, err = s.rows(ctx, tx, "")
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	for i := range rows {
		switch row := &rows[i]; {
		case row.another:
			row.kept = rotate.NotAsked
		case row.foreign:
			row.kept = rotate.RowNotOurs
		case row.deleted:
			row.kept = rotate.RowDeleted
		case row.former && isDoubtful(rows, row.key):
			row.kept = rotate.RowTwice
		case row.former:
			row.kept = rotate.RowNamedAsBefore
		case row.hash == s.hashes[row.key]:
			row.kept = rotate.KeyPresent
		default:
			row.kept = rotate.KeyOther
		}
	}
	return s.kept(rows), nil
}

func newPeerStore(t *Tenant, keys []rotate.HostKey) (*peerStore, error) {
	s := &peerStore{t: t, keys: keys, byWwwroot: make(map[string]int, len(keys)), former: map[string]int{}, alike: map[string]int{}, written: map[int64]bool{}}
	for i, k := range keys {
		site := envelope.FoldWwwroot(k.Wwwroot)
		if _, twice := s.byWwwroot[site]; twice || k.Wwwroot == "" || k.Certificate == nil || k.Certificate.PEM == "" || k.Certificate.NotAfter.Unix() <= 0 {
			return nil, fmt.Errorf("that for %q is incomplete, or there twice", k.Wwwroot)
		}
		s.byWwwroot[site], s.alike[maybeSame(k.Wwwroot)] = i, i
		if k.Was != "" {
			s.former[envelope.FoldWwwroot(k.Was)] = i
		}
		s.hashes = append(s.hashes, sha256.Sum256([]byte(k.Certificate.PEM)))
	}
	for was, i := range s.former {
		if _, other := s.byWwwroot[was]; other {
			return nil, fmt.Errorf("%q cannot have moved from %q, which is another site of the array", keys[i].Wwwroot, keys[i].Was)
		}
	}
	return s, nil
}

// kept is the result for each key, derived from the results of its rows.
func (s *peerStore) kept(rows []peerRow) []rotate.StoreResult {
	kept := slices.Repeat([]rotate.StoreResult{rotate.NoRow}, len(s.keys))
	found, active := make([]int, len(s.keys)), make([]bool, len(s.keys))
	for _, row := range rows {
		switch {
		case row.named || row.former:
			kept[row.key] = max(kept[row.key], row.kept)
		case !row.deleted:
			kept[row.key] = max(kept[row.key], rotate.RowNotFound)
		}
		if row.isFound() {
			found[row.key]++
			active[row.key] = active[row.key] || !row.deleted
		}
	}
	for key := range s.keys {
		if found[key] > 1 && active[key] {
			kept[key] = rotate.RowTwice
		}
	}
	return kept
}

// isFound reports whether Moodle finds the row, now or after it was renamed. It looks without regard
// to deleted (mnet/peer.php, set_wwwroot), and makes a host's row some time after it has looked for
// one, without a lock: a member's Moodle can make a second row of a site that moves.
func (r peerRow) isFound() bool {
	return r.named || r.former && (r.kept == rotate.KeyStored || r.kept == rotate.RowNamedAsBefore)
}

// peerStore is one StorePeerKeys at work.
type peerStore struct {
	t         *Tenant
	keys      []rotate.HostKey
	hashes    [][sha256.Size]byte // of their certificates
	byWwwroot map[string]int      // folded wwwroot: index of keys
	former    map[string]int      // folded HostKey.Was: index of keys
	alike     map[string]int      // maybeSame of the wwwroot: index of keys
	written   map[int64]bool      // rows that this call has written, perhaps in vain
}

// peerRow is a row of mnet_host to which a key belongs.
type peerRow struct {
	id      int64
	key     int // index of keys
	deleted bool
	named   bool              // Moodle finds it by the key's wwwroot; if not, it proves no link
	former  bool              // it has the key's HostKey.Was
	foreign bool              // and no certificate of the key's site
	another bool              // it is of another site, which the database does not tell from the key's
	hash    [sha256.Size]byte // of public_key
	expires int64
	kept    rotate.StoreResult // what must happen to it
	write   bool               // whether the row must be changed
}

// storeUntilKnown stores. If the answer to COMMIT is lost, it stores again on a new connection:
// reading the rows with a lock waits for a server that is still at work on the old one's
// transaction, and then shows whether they are stored.
func (s *peerStore) storeUntilKnown(ctx context.Context) ([]peerRow, error) {
	rows, err := s.storeAndRead(ctx)
	if !answerLost(err) {
		return rows, err
	}
	ctx, cancel := context.WithTimeout(ctx, readBackLimit)
	defer cancel()
	for err != nil {
		if s.t.sleep(ctx, readBackPause) != nil {
			return nil, fmt.Errorf("%w: %w", rotate.ErrUncertain, err)
		}
		rows, err = s.storeAndRead(ctx)
	}
	return rows, nil
}

// storeAndRead stores until what is read back is what was stored. If it differs, another program
// has written to a row since, and everything is decided again.
func (s *peerStore) storeAndRead(ctx context.Context) (rows []peerRow, err error) {
	for range maxAttempts {
		err = retry(ctx, func() error {
			rows, err = s.store(ctx)
			return err
		})
		if err != nil {
			return nil, err
		}
		var again bool
		err = retry(ctx, func() error {
			again, err = s.readBack(ctx, rows)
			return err
		})
		if err != nil {
			return nil, &commitError{err}
		}
		if !again {
			return rows, nil
		}
	}
	return nil, errors.New("another program changes the rows again and again")
}

// store is the transaction.
func (s *peerStore) store(ctx context.Context) (rows []peerRow, err error) {
	err = s.t.transaction(ctx, dialect.Write, func(tx *sql.Tx) error {
		// The locking statement must be the first one: an earlier snapshot could show an older
		// state than the locked rows, and MariaDB refuses to lock what has changed since a snapshot
		// (innodb_snapshot_isolation).
		if rows, err = s.rows(ctx, tx, " FOR UPDATE"); err != nil {
			return err
		}
		s.decide(rows)
		return s.write(ctx, tx, slices.DeleteFunc(slices.Clone(rows), func(r peerRow) bool { return !r.write }))
	})
	return rows, err
}

// decide says what must happen to each row.
func (s *peerStore) decide(rows []peerRow) {
	for i := range rows {
		row := &rows[i]
		switch {
		case row.another:
			row.kept = rotate.NotAsked
		case row.foreign:
			row.kept = rotate.RowNotOurs
		case row.deleted:
			row.kept = rotate.RowDeleted
		case row.former && isDoubtful(rows, row.key):
			row.kept = rotate.RowTwice
		case row.former:
			row.kept, row.write = rotate.KeyStored, true
		case row.hash != s.hashes[row.key]:
			row.kept, row.write = rotate.KeyStored, true
		default:
			row.kept, row.write = rotate.KeyPresent, row.expires != s.keys[row.key].Certificate.NotAfter.Unix()
			if s.written[row.id] {
				row.kept = rotate.KeyStored
			}
		}
	}
}

// isDoubtful reports whether an active row with the old wwwroot is not renamed, because users may
// refer to another row: one of the new wwwroot, or a deleted one of the old wwwroot. Moodle finds a
// host by its wwwroot, whether it is deleted or not (mnet/peer.php, set_wwwroot).
func isDoubtful(rows []peerRow, key int) bool {
	return slices.ContainsFunc(rows, func(r peerRow) bool { return r.key == key && (!r.former || r.deleted && !r.foreign) })
}
