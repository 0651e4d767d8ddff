package moodledb

import (
	"context"
	"database/sql"

	"renew_mnetkeys/moodledb/dialect"
	"renew_mnetkeys/rotate"
)

// StoreHistory implements rotate.Store: it replaces openssl_history alone, in a transaction of its
// own, if pair, history and local host row are still those that were read. With trim, the new
// history is shorter on purpose; otherwise no retired pair may be missing, except the oldest of a
// full history.
//
// Errors: those of [Tenant.StoreKey].
func (t *Tenant) StoreHistory(ctx context.Context, read *rotate.Tenant, history []rotate.Retired, trim bool) error {
	if read == nil || read.Own == nil {
		return rotate.ErrNoLocalRow
	}
	if err := checkHistory(read.History, rotate.Keys{Stored: read.Pair, History: history}); err != nil && !trim {
		return err
	}
	wanted := stateRead(read)
	wanted.history, wanted.hasHistory = encodeHistory(history), true
	err := retry(ctx, func() error {
		return t.transaction(ctx, dialect.Write, func(tx *sql.Tx) error {
			now, _, err := t.keyState(ctx, tx, read.Read.OwnID)
			if err != nil {
				return err
			}
			if now != stateRead(read) {
				return rotate.ErrConflict
			}
			return t.put(ctx, tx, "openssl_history", wanted.history, now.history, now.hasHistory)
		})
	})
	if answerLost(err) {
		return t.decide(ctx, read, wanted, err)
	}
	return err
}
