// Package dialect has everything that differs between the database servers that Moodle runs on: how
// they are reached and logged in to, how they spell SQL, how they lock, and what their errors mean.
// What is the same on all of them is in package moodledb, which asks a [Dialect] for the rest.
package dialect

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"time"
)

// Account is a database, its server, and how to log in. It prints without its password.
type Account struct {
	Host, Socket         string // $CFG->dbhost and dboptions dbsocket, as written
	DefaultSocket        string // php's mysqli.default_socket; "" when not known
	Port                 int    // dboptions dbport, 0 when not set
	SSL                  string // dboptions ssl: "", disable, prefer, require or verify-full
	Timeout              time.Duration
	Name, User, Password string
}

// Format shows which account, never its password.
func (a Account) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "account %s of database %s", a.User, a.Name)
}

// Names are what makes the names of a site's tables. They are spliced into SQL: reading config.php
// has validated the prefix, and a dialect quotes the schema.
type Names struct{ Schema, Prefix string }

// Column is a column of a table.
type Column struct {
	Name, Kind string // in lower case; the kind may have a width in parentheses
	Required   bool   // NOT NULL without default
	Narrow     bool   // its character set has no characters of four bytes
}

// HostError is a $CFG->dbhost with which no server can be reached.
type HostError struct{ Problem, Advice string }

func (e *HostError) Error() string { return e.Problem }

// Access is what a transaction is for.
type Access int

// The transactions: the first two see one snapshot. One that writes locks what it reads, if it
// decides on that, and thereby gets the newest state.
const (
	Read        Access = iota
	ReadPrimary        // read from the server that takes writes, perhaps with locks
	Write
)

// Dialect is one kind of server. Queries have been through SQL, and so have names of tables.
type Dialect interface {
	// Endpoint says where the server is: network "unix" with the path of a socket, or "tcp" with
	// host:port (IPv6 in brackets). The error is a *HostError.
	Endpoint(a Account) (network, address string, err error)
	// Connector opens connections that read and write UTF-8. They need nothing of the session that
	// a connection pooler between here and the server could exchange.
	Connector(a Account) (driver.Connector, error)

	// SQL writes a query for the server: {mnet_host} is a table, ? is a value.
	SQL(n Names, query string) string
	// Quote writes the name of a column.
	Quote(name string) string
	// Same is a condition: the bytes of a text column are those of the value ?.
	Same(column string) string
	// Folded is an expression of a text column for comparisons in which the case of the letters A
	// to Z does not count, whatever the collation of the column. Other differences may not count
	// either.
	Folded(column string) string
	// Hash is the SHA-256 of a text column, computed by the server, as bytes. NULL counts as "".
	Hash(column string) string

	// Begin begins a transaction that waits ten seconds for a lock.
	Begin(ctx context.Context, db *sql.DB, a Access) (*sql.Tx, error)
	// Try runs a part of a transaction that may fail without making the transaction unusable. All
	// rows must be closed at its end.
	Try(ctx context.Context, tx *sql.Tx, do func() error) error
	// Alone runs one statement outside of a transaction, and counts the rows that match.
	Alone(ctx context.Context, db *sql.DB, query string, args ...any) (int64, error)
	// Bulk prepares a statement with very many values. It is usable until the transaction ends.
	Bulk(ctx context.Context, tx *sql.Tx, query string) (Statement, error)
	// Limited runs a SELECT, written without that word, which the server itself ends after limit.
	Limited(ctx context.Context, db *sql.DB, limit time.Duration, query string, args []any, each func(*sql.Rows) error) error
	// Insert runs an INSERT of one row into a table that chooses the id, and returns it.
	Insert(ctx context.Context, tx *sql.Tx, query string, args ...any) (int64, error)
	// Inserted makes a table choose other ids than one that a row was inserted with.
	Inserted(ctx context.Context, tx *sql.Tx, table string, id int64) error
	// LockTable keeps all others from writing to a table until the transaction ends. It must be the
	// first statement.
	LockTable(ctx context.Context, tx *sql.Tx, table string) error
	// Columns are the columns of a table.
	Columns(ctx context.Context, tx *sql.Tx, table string) ([]Column, error)
	// MayRenew finds out, without a change, whether the account may write what a renewal writes.
	MayRenew(ctx context.Context, db *sql.DB, n Names) error
	// MayStorePeers is the same for a push into the rows of peers; changes says whether it would change
	// any, and not only read them for that.
	MayStorePeers(ctx context.Context, db *sql.DB, n Names, changes bool) error

	Locker
}

// Statement is a statement that is run several times, as *sql.Stmt.
type Statement interface {
	ExecContext(ctx context.Context, args ...any) (sql.Result, error)
}

// Lock is the lock of a site. Its name is the same for all spellings of the site's tables that are
// known without asking the server, and has at most 64 characters.
type Lock struct {
	Name  string
	table string // whose lock it is, quoted, on a server that knows it by the table; "": nobody's
}

// newLock makes the name of what identifies a site on its server.
func newLock(parts ...string) Lock {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return Lock{Name: "renew_mnetkeys " + hex.EncodeToString(sum[:20])}
}

// Free are connections that are left, by what limits them: the server, which keeps some for
// accounts with privileges, the account, the database. [Unlimited] if there is no such limit.
type Free struct{ Server, Account, Database int }

// Unlimited is more connections than any server has.
const Unlimited = math.MaxInt32

// itself is the connection that counts, which is closed then.
const itself = 1

func left(limited bool, limit, used int) int {
	if !limited {
		return Unlimited
	}
	return limit - used
}

// Locker gives locks that end with the connection which has them. They are of the whole server or
// of the database, whatever the server can do.
type Locker interface {
	// LockOf is the lock of the site with these tables.
	LockOf(a Account, n Names) Lock
	// LockPlace says which sites of a server may have their locks on one connection: those for
	// whose accounts it is the same.
	LockPlace(a Account) string
	// FreeConnections is how many connections the server gives to the account of db, beside those
	// that there are.
	FreeConnections(ctx context.Context, db *sql.DB) (Free, error)
	// StartLocks prepares a connection. It is then used for locks only.
	StartLocks(ctx context.Context, conn *sql.Conn) error
	// TryLock takes a lock unless another connection has it. An error that is an answer of the
	// server leaves the connection its other locks.
	TryLock(ctx context.Context, conn *sql.Conn, l Lock) (got bool, err error)
	// Holder says which connection has a lock, 0 if that is not known, and whose it is: user@host,
	// "" if this account may not see it.
	Holder(ctx context.Context, conn *sql.Conn, l Lock) (connection int64, who string)
	// Unlock gives a lock back, at the latest with the last one of its connection, which must be
	// closed then. An error means that the connection did not have it.
	Unlock(ctx context.Context, conn *sql.Conn, l Lock, last bool) error
}

// For is the dialect of a $CFG->dbtype. Unless it is known, that is MySQL's.
func For(dbtype string) (d Dialect, known bool) {
	switch dbtype {
	case "mysqli", "mariadb", "auroramysql":
		return mySQL{}, true
	case "pgsql":
		return postgreSQL{}, true
	}
	return mySQL{}, false
}

const (
	// ioTimeout ends a statement that the server does not answer. It is longer than any lock wait
	// of the session, so that the server's own error, which names the reason, comes first.
	ioTimeout = 30 * time.Second
	lockWait  = 10 * time.Second // for rows, and for the definition of a table that is being changed
)
