package moodledb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"net"
	"net/netip"
	"sync"
	"time"

	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/moodledb/dialect"
)

const (
	// lockPause is the time between two attempts to get a lock that another run has.
	lockPause = 250 * time.Millisecond
	// releaseTimeout ends a release that gets no answer. The server releases the lock itself when
	// the connection ends.
	releaseTimeout = 5 * time.Second
)

// Lock is the right to renew the tenant's key. A connection of its own has it: when the process
// dies, in whatever way, the server releases it. Moodle does not know this lock; the comparison in
// [Tenant.StoreKey] protects against Moodle's own renewal.
type Lock struct {
	locks   dialect.Locker
	conn    *sql.Conn
	of      dialect.Lock
	release sync.Once
}

// SameTables reports whether two configurations of one wwwroot are of the same tables; it is false
// if one of them is nil.
func SameTables(a, b *config.Config) bool {
	return a != nil && b != nil && lockOf(a).Name == lockOf(b).Name && sameServer(a, b)
}

// sameServer reports whether two configurations name the same database server. This machine's has
// several names: VMoodle's register may have 127.0.0.1 where its config.php has localhost, which is
// a socket. Two config.php may be of a site and its copy, on two servers of one machine: there only
// the same name counts.
func sameServer(a, b *config.Config) bool {
	networkA, addressA, errA := a.Endpoint()
	networkB, addressB, errB := b.Endpoint()
	if errA != nil || errB != nil {
		return false
	}
	if networkA == "unix" && networkB == "unix" || a.File != b.File {
		return networkA == networkB && addressA == addressB
	}
	return onThisMachine(networkA, addressA) == onThisMachine(networkB, addressB)
}

// onThisMachine is an address, with one spelling for all that lead to the usual port of this
// machine.
func onThisMachine(network, address string) string {
	if network == "unix" {
		return "this machine"
	}
	host, port, err := net.SplitHostPort(address)
	if ip, notIP := netip.ParseAddr(host); err != nil || host != "localhost" && (notIP != nil || !ip.IsLoopback()) {
		return address
	}
	if port == "3306" || port == "5432" {
		return "this machine"
	}
	return "this machine, port " + port
}

func lockOf(c *config.Config) dialect.Lock {
	d, _ := c.Dialect()
	return d.LockOf(c.Account(), c.Names())
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

// Acquire takes the tenant's lock; it waits for the lock at most wait (0 tries once). What was read
// before must be read again afterwards. The error is a [*LockedError] if another run has the lock,
// a [*NoLocksError] if the server gives none.
func (t *Tenant) Acquire(ctx context.Context, wait time.Duration) (*Lock, error) {
	return t.acquire(ctx, lockOf(t.config), wait)
}

func (t *Tenant) acquire(ctx context.Context, of dialect.Lock, wait time.Duration) (*Lock, error) {
	const op = "lock the tenant"
	conn, err := t.db.Conn(ctx)
	if err != nil {
		return nil, t.explain(op, err)
	}
	l := &Lock{locks: t.dialect, conn: conn, of: of}
	if err := l.locks.StartLocks(ctx, conn); err != nil {
		l.discard()
		return nil, t.explain(op, err)
	}
	got, err := untilGot(ctx, t.sleep, wait, func() (bool, error) { return l.locks.TryLock(ctx, conn, l.of) })
	switch {
	case err != nil:
		l.discard()
		return nil, t.explain(op, err)
	case !got:
		defer l.discard()
		return nil, heldBy(l.locks.Holder(ctx, conn, l.of))
	}
	return l, nil
}

// untilGot tries to get a lock until it has it, or has waited. Nothing waits inside the server,
// where it would occupy the connection.
func untilGot(ctx context.Context, sleep func(context.Context, time.Duration) error, wait time.Duration, try func() (bool, error)) (bool, error) {
	for {
		if got, err := try(); got || err != nil || wait <= 0 {
			return got, err
		}
		pause := min(wait, lockPause)
		wait -= pause
		if err := sleep(ctx, pause); err != nil {
			return false, err
		}
	}
}

// Release gives the lock back, and closes its connection. The error says that the lock was lost
// before; nothing needs to be done about it. A second call does nothing. It
// needs no context: when it is called, that of the run may be cancelled already.
func (l *Lock) Release() error {
	var err error
	l.release.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), releaseTimeout)
		defer cancel()
		err = l.locks.Unlock(ctx, l.conn, l.of, true)
		l.discard()
	})
	return err
}

// discard closes the connection itself instead of giving it back to the pool, where it could keep
// the lock.
func (l *Lock) discard() {
	_ = l.conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = l.conn.Close()
}
