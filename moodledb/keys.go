package moodledb

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"

	"renew_mnetkeys/moodledb/dialect"
	"renew_mnetkeys/rotate"
)

// StoreKey implements rotate.Store: it stores history, pair and local host row in one transaction.
// It compares the values that it replaces with those that were read, byte by byte, in Go, where no
// collation can treat two different values as equal, and it locks the rows meanwhile. The local
// host row keeps its wwwroot, except for a slash at its end, which Moodle corrects here too
// (mnet/environment.php, replace_keys), or if next names another one.
//
// Errors: rotate.ErrConflict if Moodle renewed first; rotate.ErrNoLocalRow; a [*LostPairError] for
// a change that would lose a pair; a *rotate.OtherSiteError if the local host row belongs to
// another site; rotate.ErrUncertain if the answer to COMMIT was lost and the database could not be
// reached within a time limit either. After any other error nothing is changed.
//
// On tables without transactions (MyISAM, Aria) the statements take effect one by one, in an order
// that loses nothing if it stops between them: first the old pair is in the history, twice for a
// moment, then the new one is current, then the local host row shows it. A second run finds that
// pair and row differ, and renews. Nothing is locked there between the comparison and the writing,
// so each statement compares again what it replaces.
func (t *Tenant) StoreKey(ctx context.Context, read *rotate.Tenant, next rotate.Keys) error {
	if err := checkChange(read, next); err != nil {
		return err
	}
	wanted := keyState{joinPair(next.Stored), encodeHistory(next.History), true, true, next.Certificate}
	err := retry(ctx, func() error { return t.storeKey(ctx, read, wanted, next) })
	if answerLost(err) {
		return t.decide(ctx, read, wanted, err)
	}
	return err
}

func (t *Tenant) storeKey(ctx context.Context, read *rotate.Tenant, wanted keyState, next rotate.Keys) error {
	return t.transaction(ctx, dialect.Write, func(tx *sql.Tx) error {
		now, wwwroot, err := t.keyState(ctx, tx, read.Read.OwnID)
		if err != nil {
			return err
		}
		if now != stateRead(read) {
			return rotate.ErrConflict
		}
		if err := mayBecome(wwwroot, read.Wwwroot); err != nil {
			return err
		}
		if err := t.put(ctx, tx, "openssl_history", wanted.history, now.history, now.hasHistory); err != nil {
			return err
		}
		if err := t.put(ctx, tx, "openssl", wanted.pair, now.pair, now.hasPair); err != nil {
			return err
		}
		return t.swap(ctx, tx, "store the local host row",
			"UPDATE {mnet_host} SET public_key = ?, public_key_expires = ?, wwwroot = ? WHERE id = ? AND "+t.dialect.Same("public_key"),
			wanted.ownKey, next.Expires, cmp.Or(next.Wwwroot, localRowName(wwwroot, read.Wwwroot)), read.Read.OwnID, now.ownKey)
	})
}

// put stores a setting of plugin mnet in place of the old value.
func (t *Tenant) put(ctx context.Context, tx *sql.Tx, name, value, old string, exists bool) error {
	op := "store " + name
	if exists {
		return t.swap(ctx, tx, op,
			"UPDATE {config_plugins} SET value = ? WHERE plugin = 'mnet' AND name = ? AND "+t.dialect.Same("value"), value, name, old)
	}
	_, err := t.insert(ctx, tx, op, "INSERT INTO {config_plugins} (plugin, name, value) VALUES ('mnet', ?, ?)", name, value)
	return err
}

// swap runs an UPDATE of the row that was read a moment ago. If that row has changed, which is only
// possible on tables without transactions, another program was faster.
func (t *Tenant) swap(ctx context.Context, tx *sql.Tx, op, query string, args ...any) error {
	result, err := tx.ExecContext(ctx, t.sql(query), args...)
	if err != nil {
		return t.explain(op, err)
	}
	switch n, err := result.RowsAffected(); {
	case err != nil:
		return t.explain(op, err)
	case n == 0:
		return rotate.ErrConflict
	case n > 1:
		return fmt.Errorf("%s: %d rows instead of one", op, n)
	}
	return nil
}

// keyState is everything that makes up the tenant's key, comparable byte by byte.
type keyState struct {
	pair, history       string
	hasPair, hasHistory bool
	ownKey              string // public_key of the local host row
}

func stateRead(t *rotate.Tenant) keyState {
	return keyState{t.Read.Pair, t.Read.History, t.Read.HasPair, t.Read.HasHistory, t.Own.Certificate}
}

// keyState reads the state and the wwwroot of the local host row, and locks them against all others
// until the transaction ends: the rows, and for a setting that does not exist yet, its place.
func (t *Tenant) keyState(ctx context.Context, tx *sql.Tx, ownID int64) (s keyState, wwwroot string, err error) {
	stored, err := t.settings(ctx, tx, "read the key again",
		"SELECT name, value FROM {config_plugins} WHERE plugin = 'mnet' AND name IN (?, ?) FOR UPDATE", "openssl", "openssl_history")
	if err != nil {
		return keyState{}, "", err
	}
	s = keyState{pair: stored["openssl"], history: stored["openssl_history"],
		hasPair: has(stored, "openssl"), hasHistory: has(stored, "openssl_history")}
	err = tx.QueryRowContext(ctx, t.sql("SELECT public_key, wwwroot FROM {mnet_host} WHERE id = ? FOR UPDATE"), ownID).Scan(&s.ownKey, &wwwroot)
	if errors.Is(err, sql.ErrNoRows) {
		return s, "", rotate.ErrConflict
	}
	if err != nil {
		return s, "", t.explain("read the local host row again", err)
	}
	return s, wwwroot, nil
}
