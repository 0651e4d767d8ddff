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

// lockPause is how often a lock that another run holds is looked at.
const lockPause = 250 * time.Millisecond

// ArrayLock is the right to renew a tenant's key, against [Lock] and its like of other runs, but
// held by the connection that holds the locks of all tenants of its server.
type ArrayLock struct {
	server  *dbServer
	session *lockSession
	name    string
	release sync.Once
}

// Lock is [Servers.Acquire] as a rotate.Member has it.
func (s *Servers) Lock(ctx context.Context, c *config.Config, wait time.Duration) (release func(), err error) {
	lock, err := s.Acquire(ctx, c, wait)
	if err != nil {
		return nil, err
	}
	// A lock that cannot be released ends with its connection.
	return func() { _ = lock.Release() }, nil
}

// Acquire takes the tenant's lock as [Tenant.Lock] does, waiting for it as long as wait says (0
// tries once). It needs no open tenant, and waiting for one tenant's lock holds up no other:
// nothing waits inside the server.
//
// The error is a [*LockedError] when another run holds it, or this one already.
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
		return false, nil // to the same connection the server would give it again
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

// holder tells who has the lock.
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

// Release gives the lock back. The error is [ErrLockLost] when it was lost before; it asks for
// nothing. A second call does nothing. It needs no context: it is called when that of the run may
// be cancelled already, and what it waits for has time limits.
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

// lockSession is a connection that holds locks: many at once, which servers can since MySQL 5.7.5
// and MariaDB 10.0.2. It is used by who has the turn.
type lockSession struct {
	db    *sql.DB
	conn  *sql.Conn
	names map[string]bool // those held
}

// openLockSession connects as the account of one tenant. A lock needs no right, so any account will
// do for all.
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
	_ = s.conn.Close() // it has nothing to say about a connection that is gone
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

// query runs a statement about a lock. Where the connection did not outlive it, all its locks are
// gone.
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

// statementTime is for one short statement. One run's end must not cancel it: the driver would
// close the connection, on which there are others' locks.
func statementTime(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
}
