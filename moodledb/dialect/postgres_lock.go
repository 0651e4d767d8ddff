package dialect

import (
	"context"
	"database/sql"
)

// The locks of PostgreSQL belong to the database. These also belong to a transaction, which is kept
// open: a pooler would give the locks of a session to another client. A transaction has the locks of
// all sites of a database, and gives them back all at once, when the last one is done.
//
// The transaction has no snapshot and no number while it is idle, so it keeps no VACUUM from its
// work.

// LockPlace has the account, which may not see the tables of another, or see other tables under the
// same name.
func (postgreSQL) LockPlace(a Account) string { return a.Name + "\x00" + a.User }

// FreeConnections counts the connections to all databases, of all accounts. A superuser has no
// limits of its own. PostgreSQL has reserved_connections from 16 on. The backend_type of other
// accounts' connections is NULL to accounts without pg_read_all_stats.
func (postgreSQL) FreeConnections(ctx context.Context, db *sql.DB) (free Free, err error) {
	var account, database, accountHas, databaseHas int
	err = db.QueryRowContext(ctx, "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int "+
		"- COALESCE(current_setting('reserved_connections', true)::int, 0) - (SELECT sum(numbackends) FROM pg_stat_database)::int, "+
		"CASE WHEN r.rolsuper THEN -1 ELSE r.rolconnlimit END, (SELECT COUNT(*) FROM pg_stat_activity WHERE usesysid = r.oid AND COALESCE(backend_type, 'client backend') = 'client backend'), "+
		"CASE WHEN r.rolsuper THEN -1 ELSE d.datconnlimit END, (SELECT COUNT(*) FROM pg_stat_activity WHERE datid = d.oid AND COALESCE(backend_type, 'client backend') = 'client backend') "+
		"FROM pg_roles r, pg_database d WHERE r.rolname = session_user AND d.datname = current_database()").
		Scan(&free.Server, &account, &accountHas, &database, &databaseHas)
	free.Server += itself
	free.Account, free.Database = left(account >= 0, account, accountHas-itself), left(database >= 0, database, databaseHas-itself)
	return free, err
}

// StartLocks begins the transaction, and keeps the server from ending it for being idle or long.
func (postgreSQL) StartLocks(ctx context.Context, conn *sql.Conn) error {
	if _, err := conn.ExecContext(ctx, "BEGIN ISOLATION LEVEL READ COMMITTED"); err != nil {
		return err
	}
	_, err := conn.ExecContext(ctx, "SELECT set_config(name, '0', true) FROM pg_settings WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout')")
	return err
}

// LockOf is the lock of a table, whatever the ways in which two configurations name it. Its name
// has the account if the server chooses the schema, since it may choose that of the account.
func (d postgreSQL) LockOf(a Account, n Names) Lock {
	table, chosenFor := d.SQL(n, "{config_plugins}"), ""
	if schemaOf(n.Schema) == "" {
		chosenFor = a.User
	}
	l := newLock("pgsql", a.Name, table, chosenFor)
	l.table = table
	return l
}

// lockSpace is the first half of all lock numbers. The other half is the number of the table.
const lockSpace = 0x6d6e6574

func (postgreSQL) TryLock(ctx context.Context, conn *sql.Conn, l Lock) (got bool, err error) {
	err = trySavepoint(ctx, conn, func() error {
		return conn.QueryRowContext(ctx, "SELECT pg_try_advisory_xact_lock(($1::bigint << 32) | coalesce(nullif($2::text, '')::regclass::oid::bigint, 0))", lockSpace, l.table).Scan(&got)
	})
	return got, err
}

func (postgreSQL) Holder(ctx context.Context, conn *sql.Conn, l Lock) (connection int64, who string) {
	var id sql.NullInt64
	var account sql.NullString
	// The port is -1 on a unix socket, and NULL if this account may not see the connection.
	err := trySavepoint(ctx, conn, func() error {
		return conn.QueryRowContext(ctx, "SELECT l.pid, a.usename || '@' || CASE a.client_port WHEN -1 THEN 'localhost' ELSE host(a.client_addr) END "+
			"FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid "+
			"WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid = $1 AND l.objid = $2::regclass::oid "+
			"AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())",
			int64(lockSpace), l.table).Scan(&id, &account)
	})
	if err != nil {
		return 0, ""
	}
	return id.Int64, account.String
}

func (postgreSQL) Unlock(ctx context.Context, conn *sql.Conn, _ Lock, last bool) error {
	if !last {
		return nil
	}
	_, err := conn.ExecContext(ctx, "ROLLBACK")
	return err
}
