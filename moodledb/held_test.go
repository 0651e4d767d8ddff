package moodledb

import (
	"context"
	"database/sql"

	"renew_mnetkeys/moodledb/dialect"
)

// Held asks the server whether this run still has the lock: [ErrLockLost] if its connection has
// ended.
func (l *Lock) Held(ctx context.Context) error {
	var held sql.NullBool
	query, args := "SELECT IS_USED_LOCK(?) = CONNECTION_ID() FOR UPDATE", []any{l.of.Name}
	if l.locks.LockPlace(dialect.Account{Name: "x"}) != "" { // PostgreSQL
		query, args = "SELECT COUNT(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = pg_backend_pid()", nil
	}
	err := l.conn.QueryRowContext(ctx, query, args...).Scan(&held)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil || !held.Bool:
		return ErrLockLost
	}
	return nil
}

// Held asks the server whether this run still has the lock: [ErrLockLost] if its connection has
// ended.
func (l *ArrayLock) Held(ctx context.Context) error {
	if err := l.server.take(ctx); err != nil {
		return err
	}
	defer l.server.pass()
	if l.server.locks[l.place] != l.session || !l.session.names[l.of.Name] {
		return ErrLockLost
	}
	return l.use(ctx, l.session, func(ctx context.Context) error {
		return (&Lock{locks: l.locks, conn: l.session.conn, of: l.of}).Held(ctx)
	})
}
