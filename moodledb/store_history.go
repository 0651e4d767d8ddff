package moodledb

import (
	"context"
	"database/sql"
)

// StoreHistory replaces openssl_history alone, in a transaction of its own, if pair, history and own row still are what read
// found. With trim it is shorter on purpose; else no retired pair may be missing, but for the oldest of a full history.
//
// Errors: those of [Tenant.StoreKey].
func (t *Tenant) StoreHistory(ctx context.Context, read *Site, history []Retired, trim bool) error {
	if read == nil || read.Own == nil {
		return ErrNoOwnHost
	}
	c := KeyChange{Read: read, Pair: read.RawPair, History: history}
	if err := c.checkHistory(); err != nil && !trim {
		return err
	}
	wanted := stateRead(read)
	wanted.history, wanted.hasHistory = encodeHistory(history), true
	err := retry(ctx, func() error {
		return t.transaction(ctx, false, func(tx *sql.Tx) error {
			now, _, err := t.keyState(ctx, tx, read.OwnID)
			if err != nil {
				return err
			}
			if now != stateRead(read) {
				return ErrConflict
			}
			return t.put(ctx, tx, "openssl_history", wanted.history, now.history, now.hasHistory)
		})
	})
	if answerLost(err) {
		return t.decide(ctx, read, wanted, err)
	}
	return err
}
