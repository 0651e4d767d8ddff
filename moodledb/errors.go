package moodledb

import (
	"errors"
	"fmt"
)

// ErrConflict says that the tenant's key is no longer the one that was read: Moodle, or another run, was faster. Nothing was
// written; read again.
var ErrConflict = errors.New("the tenant's key has been changed meanwhile")

// ErrOverwritten says, beside [ErrConflict], that the answer to COMMIT was lost: the change may have been stored, and somebody has
// written over it.
var ErrOverwritten = errors.New("it may have been stored before that")

// ErrUncertain says that the answer to COMMIT was lost and the database could not be asked again: the change is stored or is
// not. Nothing is half done; read again.
var ErrUncertain = errors.New("it is not known whether the change was stored")

// ErrLocked says that another run holds the tenant's lock. The error that carries it is a [*LockedError].
var ErrLocked = errors.New("another run holds the lock of this tenant")

// ErrLockLost says that the lock was held and is not any more: its connection has ended.
var ErrLockLost = errors.New("the lock of this tenant is lost, its connection has ended")

// ErrNoOwnHost says that the tenant has no mnet_host row of its own: MNet was never started there. [Tenant.StartMNet] makes it.
var ErrNoOwnHost = errors.New("the tenant has no mnet_host row of its own")

// LockedError is [ErrLocked] with the connection that holds the lock, where the server tells.
type LockedError struct {
	Connection int64  // id of the server's connection, 0 when not known
	Holder     string // user@host of that connection, "" when we may not see it
}

func (e *LockedError) Error() string {
	switch {
	case e.Connection == 0:
		return ErrLocked.Error()
	case e.Holder == "":
		return fmt.Sprintf("%v: connection %d", ErrLocked, e.Connection)
	default:
		return fmt.Sprintf("%v: connection %d, %s", ErrLocked, e.Connection, e.Holder)
	}
}

// Is makes errors.Is(err, ErrLocked) hold.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// AccessError is a database that does not let us in or does not let us work: not reached, wrong password, unknown database,
// missing right, read-only server.
type AccessError struct {
	Server  string // database, address, user; never the password
	Problem string
	Advice  string // "" when there is none
	Err     error
}

func (e *AccessError) Error() string { return e.Server + ": " + e.Problem }

func (e *AccessError) Unwrap() error { return e.Err }

// Hint is what to do about it.
func (e *AccessError) Hint() string { return e.Advice }

// MissingTableError is a table that Moodle's installer makes and this database does not have: a wrong prefix or database.
type MissingTableError struct {
	Server string // database, address, user; never the password
	Prefix string
	Advice string
	Err    error
}

func (e *MissingTableError) Error() string { return fmt.Sprintf("%s: %v", e.Server, e.Err) }

func (e *MissingTableError) Unwrap() error { return e.Err }

// Hint is what to do about it.
func (e *MissingTableError) Hint() string { return e.Advice }

// HistoryError is an openssl_history that cannot be read. It may hold the only copy of a key, so nothing may be written over it.
type HistoryError struct {
	Problem string // position or kind, never content
	Advice  string
}

func (e *HistoryError) Error() string { return "openssl_history cannot be read: " + e.Problem }

// Hint is what to do about it.
func (e *HistoryError) Hint() string { return e.Advice }
