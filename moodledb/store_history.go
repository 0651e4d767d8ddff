package moodledb

import (
	"context"
	"database/sql"
	"errors"
	"slices"
)

// StoreHistory replaces openssl_history alone, in a transaction of its own, if pair, history and own row still are what read
// found. Unless trim is set, it refuses to lose a retired pair that stands there, but for the oldest of a full history.
// Moodle reads the whole history, however long it is (mnet/xmlrpc/serverlib.php, mnet_server_strip_encryption).
//
// Errors: [ErrConflict] when somebody was faster; [ErrNoOwnHost]; [ErrUncertain] when the answer to COMMIT was lost. After any
// other error nothing is changed.
func (t *Tenant) StoreHistory(ctx context.Context, read *Site, history []Retired, trim bool) error {
	switch {
	case read == nil || read.Own == nil:
		return ErrNoOwnHost
	case !trim && !keepsAll(read.History, history, Retired{}):
		return errors.New("a retired pair would be lost")
	}
	err := retry(ctx, func() error {
		return t.transaction(ctx, false, func(tx *sql.Tx) error {
			now, err := t.keyState(ctx, tx, read.OwnID)
			if err != nil {
				return err
			}
			if now != stateRead(read) {
				return ErrConflict
			}
			return t.put(ctx, tx, "openssl_history", encodeHistory(history), now.history, now.hasHistory)
		})
	})
	return err
}

// keepsAll tells whether a history has all pairs of another, but for current, which is in no need of it, and the oldest of one
// that is full.
func keepsAll(before, after []Retired, current Retired) bool {
	if len(after) >= maxHistory {
		return true
	}
	return !slices.ContainsFunc(before, func(r Retired) bool {
		same := func(o Retired) bool { return o.Certificate == r.Certificate && o.KeyPEM == r.KeyPEM }
		return !same(current) && !slices.ContainsFunc(after, same)
	})
}

// maxHistory is how many retired pairs are kept at the most: rotate.MaxHistory.
const maxHistory = 12
