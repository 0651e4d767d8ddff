package moodledb

import (
	"errors"
	"fmt"

	"renew_mnetkeys/rotate"
)

// ErrLockLost says that this run had the lock and lost it: its connection has ended.
var ErrLockLost = errors.New("the lock of this tenant is lost, its connection has ended")

// LockedError is rotate.ErrLocked with the connection that has the lock, if the server shows it.
type LockedError struct {
	Connection int64  // id of the server's connection, 0 if not known
	Holder     string // user@host of that connection, "" if this account may not see it
}

// heldBy is the error for what [dialect.Locker] says of a lock's holder.
func heldBy(connection int64, who string) *LockedError { return &LockedError{connection, who} }

func (e *LockedError) Error() string {
	switch {
	case e.Connection == 0:
		return rotate.ErrLocked.Error()
	case e.Holder == "":
		return fmt.Sprintf("%v: connection %d, of an account that this one may not see", rotate.ErrLocked, e.Connection)
	default:
		return fmt.Sprintf("%v: connection %d, %s", rotate.ErrLocked, e.Connection, e.Holder)
	}
}

func (e *LockedError) Unwrap() error { return rotate.ErrLocked }

// NoLocksError is a server that gives no locks to anybody, as some clusters do. The comparison in
// [Tenant.StoreKey] protects the key nevertheless.
type NoLocksError struct {
	Server string // database, address, user; never the password
	Err    error  // the server's answer
}

func (e *NoLocksError) Error() string { return fmt.Sprintf("%s gives no locks: %v", e.Server, e.Err) }

func (e *NoLocksError) Unwrap() error { return e.Err }

// AccessError is a database that refuses the connection or the work: not reached, wrong password,
// unknown database, missing right, read-only server.
type AccessError struct {
	Server  string // database, address, user; never the password
	Problem string
	Advice  string // "" if there is none
	Err     error
}

func (e *AccessError) Error() string { return e.Server + ": " + e.Problem }

func (e *AccessError) Unwrap() error { return e.Err }

// Hint says what to do about it.
func (e *AccessError) Hint() string { return e.Advice }

// MissingTableError is a table that Moodle's installer makes and this database does not have: the
// prefix or the database is wrong.
type MissingTableError struct {
	Server string // database, address, user; never the password
	Prefix string
	Advice string
	Err    error
}

func (e *MissingTableError) Error() string { return fmt.Sprintf("%s: %v", e.Server, e.Err) }

func (e *MissingTableError) Unwrap() error { return e.Err }

// Hint says what to do about it.
func (e *MissingTableError) Hint() string { return e.Advice }

// HistoryError is an openssl_history that cannot be read. It may contain the only copy of a key, so
// it must not be overwritten.
type HistoryError struct {
	Problem string // position or kind, never content
	Advice  string
}

func (e *HistoryError) Error() string { return "openssl_history cannot be read: " + e.Problem }

// Hint says what to do about it.
func (e *HistoryError) Hint() string { return e.Advice }
