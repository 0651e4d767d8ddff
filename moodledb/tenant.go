package moodledb

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/moodledb/dialect"
	"renew_mnetkeys/rotate"
)

// Tenant is the database of one Moodle site. It is safe for concurrent use; the caller that opened
// it closes it.
//
// It works with any sql_mode of the server, on MySQL 5.7 and later, MariaDB 10.2 and later and
// PostgreSQL 11 and later, with the tables of Moodle 2.0 and later. Older ones of these have no
// mnet_host.sslverification (read as 0: they verify no TLS) and may have no row in mnet_application
// for a host (read as moodle).
type Tenant struct {
	config  *config.Config
	dialect dialect.Dialect
	db      *sql.DB
	sleep   func(context.Context, time.Duration) error // between attempts to reach the server, or to get the lock; an error ends them
	leave   func()                                     // gives the place of [Servers] back; nil if there is none
	bulk    chan struct{}                              // limit of [Servers] for large writes at the same time; nil if there is no limit
	// changes is set for a run that changes something: see ForChanges.
	changes      bool
	withoutPeers bool
}

var (
	_ rotate.Store    = (*Tenant)(nil)
	_ rotate.Locker   = (*Tenant)(nil)
	_ rotate.Starter  = (*Tenant)(nil)
	_ rotate.PeerRows = (*Tenant)(nil)

	_ rotate.SiteDescriber = (*Tenant)(nil)
)

// ForChanges makes all reads come from the server that is written to. A proxy that splits reads
// from writes (MaxScale readwritesplit, ProxySQL) would otherwise send them to a replica that may
// be late. So the reads run in read-write transactions, and everything that makes up the key is
// read with a lock. On MySQL that needs the rights of a renewal, and Moodle may wait for it, so
// runs that only read do not call it. It must be called before anything else.
func (t *Tenant) ForChanges() { t.changes = true }

// WithoutPeers makes [Tenant.Read] leave the active peers out, without even reading them: however
// many there are, it needs the same memory. An array has N². It must be called before anything else.
func (t *Tenant) WithoutPeers() { t.withoutPeers = true }

// look runs do in a transaction that reads.
func (t *Tenant) look(ctx context.Context, do func(*sql.Tx) error) error {
	if !t.changes {
		return t.transaction(ctx, dialect.Read, do)
	}
	return retry(ctx, func() error { return t.transaction(ctx, dialect.ReadPrimary, do) })
}

// Open connects to the tenant's database and checks that it answers. Errors:
// [*config.UnsupportedDBError], [*AccessError].
func Open(ctx context.Context, c *config.Config) (*Tenant, error) {
	db, err := connect(ctx, c)
	if err != nil {
		return nil, err
	}
	d, err := c.Dialect()
	return &Tenant{config: c, dialect: d, db: db, sleep: rotate.Sleep}, err
}

// Close ends the connections, except that of a [Lock], which its Release ends.
func (t *Tenant) Close() error {
	if t.leave != nil {
		defer t.leave()
	}
	return t.db.Close()
}

// sql writes a query for the server. Its tables are in braces, as in Moodle's own queries:
// {mnet_host}. The prefix is the only thing that is spliced into SQL; reading config.php has
// validated it.
func (t *Tenant) sql(query string) string {
	return t.dialect.SQL(t.config.Names(), query)
}

// transaction runs do in a transaction and commits it.
//
// The error of a COMMIT is a [*commitError]: unlike all others it leaves open whether the change is
// stored.
func (t *Tenant) transaction(ctx context.Context, a dialect.Access, do func(*sql.Tx) error) error {
	tx, err := t.dialect.Begin(ctx, t.db, a)
	if err != nil {
		return t.explain("begin transaction", err)
	}
	// After a commit this does nothing. After an error, a failed rollback need not be reported: the
	// connection is lost then, and the server rolls back.
	defer func() { _ = tx.Rollback() }()
	if err := do(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return &commitError{t.explain("commit", err)}
	}
	return nil
}

type commitError struct{ err error }

func (e *commitError) Error() string { return e.err.Error() }

func (e *commitError) Unwrap() error { return e.err }

// maxAttempts is how often a transaction is tried if the server prefers another one in a deadlock
// or lets it wait too long, or will not lock a row that has changed since the transaction's
// snapshot.
const maxAttempts = 4

// retry repeats what the server rolled back in favour of another transaction. It needs no pause: a
// deadlock is resolved when it is reported, and a lock wait timeout has waited already.
func retry(ctx context.Context, do func() error) error {
	for attempt := 1; ; attempt++ {
		err := do()
		if !is(err, dialect.Conflict) || attempt == maxAttempts || ctx.Err() != nil {
			return err
		}
	}
}

// execOne runs a statement that must concern exactly one row.
func (t *Tenant) execOne(ctx context.Context, tx *sql.Tx, op, query string, args ...any) error {
	result, err := tx.ExecContext(ctx, t.sql(query), args...)
	if err != nil {
		return t.explain(op, err)
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		return fmt.Errorf("%s: %d rows instead of one", op, n)
	}
	return nil
}

// insert runs an INSERT of one row and returns its id.
func (t *Tenant) insert(ctx context.Context, tx *sql.Tx, op, query string, args ...any) (int64, error) {
	id, err := t.dialect.Insert(ctx, tx, t.sql(query), args...)
	if err != nil {
		return 0, t.explain(op, err)
	}
	return id, nil
}
