package moodledb

import (
	"errors"
	"fmt"
)

// ErrConflict says that the tenant's key is no longer the one that was read: Moodle, or another run, was faster. Read again.
var ErrConflict = errors.New("the tenant's key was changed by somebody else")

// ErrLocked says that another run holds the tenant's lock. The error that carries it is a [*LockedError].
var ErrLocked = errors.New("another run holds the lock of this tenant")

// ErrNoOwnHost says that the tenant has no mnet_host row of its own: MNet was never started there. [Tenant.StartMNet] makes it.
var ErrNoOwnHost = errors.New("the tenant has no mnet_host row of its own")

// LockedError is [ErrLocked] with the connection that holds the lock, where the server tells.
type LockedError struct {
	Connection int64  // 0: not known
	Holder     string // user@host of that connection, "" when we may not see it
}

func (e *LockedError) Error() string { return ErrLocked.Error() }

func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// AccessError is a database that does not let us in or does not let us work: not reached, wrong password, unknown database,
// missing right, read-only server.
type AccessError struct {
	Server  string // user, address and database, never the password
	Problem string
	Hint    string // "" when there is nothing to advise
	Err     error
}

func (e *AccessError) Error() string { return fmt.Sprintf("%s: %s", e.Server, e.Problem) }

func (e *AccessError) Unwrap() error { return e.Err }

// MissingTableError is a table that Moodle's installer makes and this database does not have: a wrong prefix or database.
type MissingTableError struct {
	Table string // with its prefix
	Err   error
}

func (e *MissingTableError) Error() string { return "table " + e.Table + " does not exist" }

func (e *MissingTableError) Unwrap() error { return e.Err }

// UnsupportedDBError is a $CFG->dbtype that is not MySQL: pgsql, sqlsrv, oci.
type UnsupportedDBError struct{ DBType string }

func (e *UnsupportedDBError) Error() string {
	return fmt.Sprintf("dbtype %q is not supported, only mysqli, mariadb and auroramysql are", e.DBType)
}

// HistoryError is an openssl_history that cannot be read. It may hold the only copy of a key, so nothing may be written over it.
type HistoryError struct {
	Problem string // position and kind, never content
	Hint    string
}

func (e *HistoryError) Error() string { return "openssl_history cannot be read: " + e.Problem }
