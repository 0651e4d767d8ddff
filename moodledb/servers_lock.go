package moodledb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/moodledb/dialect"
)

// ArrayLock is the right to renew a tenant's key. It excludes a [Lock] or an ArrayLock of another
// run, but the connection that has it also has the locks of other tenants: of all on its server, or
// on PostgreSQL of those in its database.
type ArrayLock struct {
	server  *dbServer
	locks   dialect.Locker
	session *lockSession
	place   string // of the session in dbServer.locks
	of      dialect.Lock
	release sync.Once
}

// Lock is [Servers.Acquire] in the form of rotate.Member.
func (s *Servers) Lock(ctx context.Context, c *config.Config, wait time.Duration) (release func(), err error) {
	lock, err := s.Acquire(ctx, c, wait)
	if err != nil {
		return nil, err
	}
	// A lock that cannot be released ends with its connection.
	return func() { _ = lock.Release() }, nil
}

// Acquire takes the tenant's lock as [Tenant.Lock] does; it waits for the lock at most wait (0
// tries once). It needs no open tenant, and waiting for one tenant's lock delays no other: nothing
// waits inside the server.
//
// The error is a [*LockedError] if another run has it, or this run already has it; a
// [*NoLocksError] if the server gives no locks.
func (s *Servers) Acquire(ctx context.Context, c *config.Config, wait time.Duration) (*ArrayLock, error) {
	const op = "lock the tenant"
	server, err := s.of(c)
	if err != nil {
		return nil, err
	}
	locks, err := c.Dialect()
	if err != nil {
		return nil, err
	}
	l := &ArrayLock{server: server, locks: locks, of: lockOf(c), place: locks.LockPlace(c.Account())}
	got, err := untilGot(ctx, s.sleep, wait, func() (bool, error) { return l.try(ctx, c) })
	if err == nil && !got {
		err = l.holder(ctx, c)
	}
	if err != nil {
		return nil, lockError(op, err)
	}
	return l, nil
}

// lockError says what was being done, unless the error is of a lock that another run has.
func lockError(op string, err error) error {
	if errors.As(err, new(*LockedError)) {
		return err
	}
	return fmt.Errorf("%s: %w", op, err)
}

func (l *ArrayLock) try(ctx context.Context, c *config.Config) (got bool, err error) {
	seen, err := l.server.reach.ask(c)
	if err != nil {
		return false, err
	}
	if err := l.server.take(ctx); err != nil {
		return false, err
	}
	defer l.server.pass()
	session := l.server.locks[l.place]
	if session == nil {
		err := l.server.reach.try(c, seen, func() (err error) {
			session, err = openLockSession(ctx, c, l.locks)
			return err
		})
		if err != nil {
			return false, err
		}
		l.server.locks[l.place] = session
	}
	if session.names[l.of.Name] {
		return false, nil // the server would give it again to the same connection
	}
	err = l.use(ctx, session, func(ctx context.Context) error {
		got, err = l.locks.TryLock(ctx, session.conn, l.of)
		return err
	})
	if err != nil {
		return false, explain(c, err)
	}
	if got {
		session.names[l.of.Name], l.session = true, session
	}
	return got, nil
}

// use runs a statement about a lock. If the connection did not survive it, all its locks are lost.
func (l *ArrayLock) use(ctx context.Context, session *lockSession, do func(context.Context) error) error {
	ctx, cancel := statementTime(ctx)
	defer cancel()
	err := do(ctx)
	if err != nil && !isAnswer(err) {
		l.drop(session)
	}
	return err
}

func (l *ArrayLock) drop(session *lockSession) {
	_ = session.close()
	delete(l.server.locks, l.place)
}

// holder says who has the lock. The account of the session may be another tenant's, and see nothing
// of a run on this tenant alone, which uses the tenant's own account.
func (l *ArrayLock) holder(ctx context.Context, c *config.Config) *LockedError {
	if l.server.take(ctx) != nil {
		return &LockedError{}
	}
	defer l.server.pass()
	session := l.server.locks[l.place]
	if session == nil {
		return &LockedError{}
	}
	ctx, cancel := statementTime(ctx)
	defer cancel()
	found := heldBy(l.locks.Holder(ctx, session.conn, l.of))
	if found.Connection == 0 || found.Holder != "" {
		return found
	}
	own, err := openLockSession(ctx, c, l.locks)
	if err != nil {
		return found
	}
	defer func() { _ = own.close() }()
	return heldBy(l.locks.Holder(ctx, own.conn, l.of))
}

// Release gives the lock back. On PostgreSQL others get it when this run has given back all of the
// database. The error is [ErrLockLost] if it was lost before; nothing needs to be done about it. A
// second call does nothing. It needs no context: when it is called, that of the run may be
// cancelled already, and everything it waits for has a time limit.
func (l *ArrayLock) Release() error {
	var err error
	l.release.Do(func() {
		ctx := context.Background()
		_ = l.server.take(ctx)
		defer l.server.pass()
		if l.server.locks[l.place] != l.session {
			err = ErrLockLost
			return
		}
		delete(l.session.names, l.of.Name)
		last := len(l.session.names) == 0
		if l.use(ctx, l.session, func(ctx context.Context) error { return l.locks.Unlock(ctx, l.session.conn, l.of, last) }) != nil {
			err = ErrLockLost
		}
		if last {
			l.drop(l.session)
		}
	})
	return err
}

// lockSession is a connection with locks. Only the caller that has the turn uses it.
type lockSession struct {
	db    *sql.DB
	conn  *sql.Conn
	names map[string]bool // of the locks that it has
}

// openLockSession connects with the account of one tenant. A lock needs no right, so the account of
// any tenant works for all that may share the connection.
func openLockSession(ctx context.Context, c *config.Config, locks dialect.Locker) (*lockSession, error) {
	db, err := connect(ctx, c)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	conn, err := db.Conn(ctx)
	if err != nil {
		_ = db.Close()
		return nil, explain(c, err)
	}
	session := &lockSession{db, conn, map[string]bool{}}
	if err := locks.StartLocks(ctx, conn); err != nil {
		_ = session.close()
		return nil, explain(c, err)
	}
	return session, nil
}

// close ends the connection, and with it its locks.
func (s *lockSession) close() error {
	_ = s.conn.Close() // its error about a lost connection does not matter
	return s.db.Close()
}

func (d *dbServer) take(ctx context.Context) error {
	select {
	case d.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *dbServer) pass() { <-d.turn }

// statementTime is for one short statement. The end of one run must not cancel it: the driver would
// close the connection, which also has the locks of others.
func statementTime(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
}
