package moodledb

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"renew_mnetkeys/moodledb/config"
)

const (
	// lockSlice is how long one GET_LOCK waits. It is short, so that a longer wait stays within the
	// time limit of an answer (ioTimeout) and a cancelled context is noticed.
	lockSlice = 5 * time.Second
	// releaseTimeout ends a release that gets no answer. The server releases the lock itself when
	// the connection ends.
	releaseTimeout = 5 * time.Second
)

// Lock is the right to renew the tenant's key. A connection of its own has it: when the process
// dies, in whatever way, the server releases it. Moodle does not know this lock; the comparison in
// [Tenant.StoreKey] protects against Moodle's own renewal. In a Galera cluster it applies to one
// node only.
//
// Its statements end with FOR UPDATE, although there is no row: therefore a proxy that splits reads
// from writes sends all of them to one server.
type Lock struct {
	conn    *sql.Conn
	name    string
	release sync.Once
}

// lockName names the lock of a tenant on its server, within the 64 characters that MySQL allows.
// Locks belong to the server, not to the database, and one database can contain several sites under
// different prefixes.
func lockName(c *config.Config) string {
	sum := sha256.Sum256([]byte(c.DBName + "\x00" + c.Prefix))
	return "renew_mnetkeys " + hex.EncodeToString(sum[:20])
}

// Lock implements rotate.Locker, using [Tenant.Acquire].
func (t *Tenant) Lock(ctx context.Context, wait time.Duration) (release func(), err error) {
	lock, err := t.Acquire(ctx, wait)
	if err != nil {
		return nil, err
	}
	// A lock that cannot be released ends with its connection.
	return func() { _ = lock.Release() }, nil
}

// Acquire takes the tenant's lock; it waits for the lock at most wait (in whole seconds; 0 tries
// once). What was read before must be read again afterwards. The error is a [*LockedError] if
// another run has the lock.
func (t *Tenant) Acquire(ctx context.Context, wait time.Duration) (*Lock, error) {
	const op = "lock the tenant"
	conn, err := t.db.Conn(ctx)
	if err != nil {
		return nil, t.explain(op, err)
	}
	l := &Lock{conn: conn, name: lockName(t.config)}
	for {
		slice := min(wait, lockSlice)
		wait -= slice
		var got sql.NullInt64
		err := conn.QueryRowContext(ctx, "SELECT GET_LOCK(?, ?) FOR UPDATE", l.name, int64(slice.Round(time.Second).Seconds())).Scan(&got)
		switch {
		case err != nil:
			l.discard()
			return nil, t.explain(op, err)
		case got.Int64 == 1:
			return l, nil
		case !got.Valid:
			l.discard()
			return nil, fmt.Errorf("%s: the server could not make the lock", op)
		case wait < time.Second:
			err := l.holder(ctx)
			l.discard()
			return nil, err
		}
	}
}

// holder says who has the lock. What cannot be found out is left out.
func (l *Lock) holder(ctx context.Context) *LockedError {
	e := &LockedError{}
	var id sql.NullInt64
	if l.conn.QueryRowContext(ctx, "SELECT IS_USED_LOCK(?) FOR UPDATE", l.name).Scan(&id) != nil || !id.Valid {
		return e
	}
	e.Connection = id.Int64
	// Without the right PROCESS an account sees its own connections only; usually those of another
	// run on this tenant are among them.
	var user, host string
	err := l.conn.QueryRowContext(ctx, "SELECT user, host FROM information_schema.processlist WHERE id = ?", e.Connection).
		Scan(&user, &host)
	if err == nil {
		e.Holder = user + "@" + host
	}
	return e
}

// Release gives the lock back, at the latest by closing its connection. The error says that the
// connection had to be closed; nothing needs to be done about it. A second call does nothing. It
// needs no context: when it is called, that of the run may be cancelled already.
func (l *Lock) Release() error {
	var err error
	l.release.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), releaseTimeout)
		defer cancel()
		var released sql.NullInt64
		if err = l.conn.QueryRowContext(ctx, "SELECT RELEASE_LOCK(?) FOR UPDATE", l.name).Scan(&released); err != nil {
			l.discard()
			return
		}
		err = l.conn.Close()
	})
	return err
}

// discard closes the connection itself instead of giving it back to the pool, where it could keep
// the lock.
func (l *Lock) discard() {
	_ = l.conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = l.conn.Close()
}
