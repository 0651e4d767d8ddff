package moodledb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"

	"renew_mnetkeys/moodledb/config"
)

// lockPause is the time between two attempts to get a lock that another run has.
const lockPause = 250 * time.Millisecond

// ArrayLock is the right to renew a tenant's key. It excludes a [Lock] or an ArrayLock of another
// run, but the connection that has it also has the locks of all other tenants of its server.
type ArrayLock struct {
	server  *dbServer
	session *lockSession
	name    string
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
// The error is a [*LockedError] if another run has it, or this run already has it.
func (s *Servers) Acquire(ctx context.Context, c *config.Config, wait time.Duration) (*ArrayLock, error) {
	const op = "lock the tenant"
	server, err := s.of(c)
	if err != nil {
		return nil, err
	}
	l := &ArrayLock{server: server, name: lockName(c)}
	for {
		switch got, err := l.try(ctx, c); {
		case err != nil:
			return nil, fmt.Errorf("%s: %w", op, err)
		case got:
			return l, nil
		case wait <= 0:
			return nil, l.holder(ctx)
		}
		pause := min(wait, lockPause)
		wait -= pause
		if err := s.sleep(ctx, pause); err != nil {
			return nil, fmt.Errorf("%s: %w", op, err)
		}
	}
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
	if l.server.locks == nil {
		err := l.server.reach.try(c, seen, func() (err error) {
			l.server.locks, err = openLockSession(ctx, c)
			return err
		})
		if err != nil {
			return false, err
		}
	}
	session := l.server.locks
	if session.names[l.name] {
		return false, nil // the server would give it again to the same connection
	}
	var answer sql.NullInt64
	if err := l.server.query(ctx, &answer, "SELECT GET_LOCK(?, 0) FOR UPDATE", l.name); err != nil {
		return false, explain(c, err)
	}
	if !answer.Valid {
		return false, errors.New("the server could not make the lock")
	}
	if answer.Int64 != 1 {
		return false, nil
	}
	session.names[l.name], l.session = true, session
	return true, nil
}

// holder says who has the lock.
func (l *ArrayLock) holder(ctx context.Context) *LockedError {
	if l.server.take(ctx) != nil {
		return &LockedError{}
	}
	defer l.server.pass()
	if l.server.locks == nil {
		return &LockedError{}
	}
	ctx, cancel := statementTime(ctx)
	defer cancel()
	return (&Lock{conn: l.server.locks.conn, name: l.name}).holder(ctx)
}

// Release gives the lock back. The error is [ErrLockLost] if it was lost before; nothing needs to
// be done about it. A second call does nothing. It needs no context: when it is called, that of the
// run may be cancelled already, and everything it waits for has a time limit.
func (l *ArrayLock) Release() error {
	var err error
	l.release.Do(func() {
		ctx := context.Background()
		_ = l.server.take(ctx)
		defer l.server.pass()
		if l.server.locks != l.session {
			err = ErrLockLost
			return
		}
		delete(l.session.names, l.name)
		var released sql.NullInt64
		if l.server.query(ctx, &released, "SELECT RELEASE_LOCK(?) FOR UPDATE", l.name) != nil || released.Int64 != 1 {
			err = ErrLockLost
		}
	})
	return err
}

// lockSession is a connection with locks: many at once, which servers support since MySQL 5.7.5 and
// MariaDB 10.0.2. Only the caller that has the turn uses it.
type lockSession struct {
	db    *sql.DB
	conn  *sql.Conn
	names map[string]bool // of the locks that it has
}

// openLockSession connects with the account of one tenant. A lock needs no right, so the account of
// any tenant works for all.
func openLockSession(ctx context.Context, c *config.Config) (*lockSession, error) {
	db, err := connect(ctx, c)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	conn, err := db.Conn(ctx)
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	return &lockSession{db, conn, map[string]bool{}}, nil
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

// query runs a statement about a lock. If the connection did not survive it, all its locks are
// lost.
func (d *dbServer) query(ctx context.Context, into any, query string, args ...any) error {
	ctx, cancel := statementTime(ctx)
	defer cancel()
	err := d.locks.conn.QueryRowContext(ctx, query, args...).Scan(into)
	if err != nil && !errors.As(err, new(*mysql.MySQLError)) {
		_ = d.locks.close()
		d.locks = nil
	}
	return err
}

// statementTime is for one short statement. The end of one run must not cancel it: the driver would
// close the connection, which also has the locks of others.
func statementTime(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
}
