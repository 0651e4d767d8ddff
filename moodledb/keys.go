package moodledb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"renew_mnetkeys/rotate"
)

// StoreKey implements rotate.Store: history, pair and local host row in one transaction. It
// compares what it replaces with what was read byte by byte, in Go, where no collation can take two
// different values for equal, and holds the rows while it does. The local host row keeps its
// wwwroot, but for a slash at its end, which Moodle corrects here too (mnet/environment.php,
// replace_keys).
//
// Errors: rotate.ErrConflict when Moodle renewed first; rotate.ErrNoOwnHost; a [*LostPairError] for
// a change that would lose a pair; a *rotate.OtherSiteError when the local host row is another
// site's; rotate.ErrUncertain when the answer to COMMIT was lost and the database could not be
// asked within a time limit either. After any other error nothing is changed.
//
// On tables without transactions (MyISAM, Aria) the statements take effect one by one, in an order
// that loses nothing if it stops between them: first the old pair is in the history, twice for a
// moment, then the new one is current, then the local host row shows it. A second run finds pair
// and row different and renews. Nothing is locked there between the comparison and the writing, so
// that each statement compares once more what it replaces.
func (t *Tenant) StoreKey(ctx context.Context, read *rotate.Tenant, next rotate.Keys) error {
	if err := checkChange(read, next); err != nil {
		return err
	}
	wanted := keyState{joinPair(next.Stored), encodeHistory(next.History), true, true, next.Certificate}
	err := retry(ctx, func() error { return t.storeKey(ctx, read, wanted, next.Expires) })
	if answerLost(err) {
		return t.decide(ctx, read, wanted, err)
	}
	return err
}

func (t *Tenant) storeKey(ctx context.Context, read *rotate.Tenant, wanted keyState, expires int64) error {
	return t.transaction(ctx, false, func(tx *sql.Tx) error {
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
			"UPDATE {mnet_host} SET public_key = ?, public_key_expires = ?, wwwroot = ? WHERE id = ? AND CAST(CONVERT(public_key USING utf8mb4) AS BINARY) = ?",
			wanted.ownKey, expires, localRowName(wwwroot, read.Wwwroot), read.Read.OwnID, now.ownKey)
	})
}

// put stores a setting of plugin mnet in place of the old value.
func (t *Tenant) put(ctx context.Context, tx *sql.Tx, name, value, old string, exists bool) error {
	op := "store " + name
	if exists {
		return t.swap(ctx, tx, op,
			"UPDATE {config_plugins} SET value = ? WHERE plugin = 'mnet' AND name = ? AND CAST(CONVERT(value USING utf8mb4) AS BINARY) = ?", value, name, old)
	}
	_, err := t.insert(ctx, tx, op, "INSERT INTO {config_plugins} (plugin, name, value) VALUES ('mnet', ?, ?)", name, value)
	return err
}

// swap runs an UPDATE of the row that was read a moment ago. Where that row is not there as it was,
// which only tables without transactions allow, somebody else was faster.
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

// keyState is what the tenant's key is made of, comparable to the byte.
type keyState struct {
	pair, history       string
	hasPair, hasHistory bool
	ownKey              string // public_key of the local host row
}

func stateRead(t *rotate.Tenant) keyState {
	return keyState{t.Read.Pair, t.Read.History, t.Read.HasPair, t.Read.HasHistory, t.Own.Certificate}
}

// keyState reads the state, and the wwwroot of the local host row, and locks them against everybody
// until the transaction ends: the rows, and where a setting does not exist yet, its place.
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
