package dialect

import (
	"context"
	"database/sql"
	"errors"
)

// The locks of MySQL belong to the server and to a connection, which may have many since MySQL
// 5.7.5 and MariaDB 10.0.2. A lock needs no right. In a Galera cluster it applies to one node only,
// and some clusters refuse it: see [NoLocks].
//
// The statements end with FOR UPDATE, although there is no row: therefore a proxy that splits reads
// from writes sends all of them to one server.

func (mySQL) LockPlace(Account) string { return "" }

// FreeConnections reads the limit of the account from the session, which has the account's own or
// else that of all accounts. 0 is none, and -1, on MariaDB, is none for those who are in already.
func (mySQL) FreeConnections(ctx context.Context, db *sql.DB) (Free, error) {
	free := Free{Database: Unlimited}
	var name string
	var used, own, limit int
	if err := db.QueryRowContext(ctx, "SHOW GLOBAL STATUS LIKE 'Threads_connected'").Scan(&name, &used); err != nil {
		return free, err
	}
	err := db.QueryRowContext(ctx, "SELECT @@max_connections, @@session.max_user_connections, COUNT(*) FROM information_schema.processlist "+
		"WHERE user = SUBSTRING_INDEX(CURRENT_USER(), '@', 1)").Scan(&free.Server, &limit, &own)
	free.Server -= used - itself
	free.Account = left(limit > 0, limit, own-itself)
	return free, err
}

// LockOf must not change: runs of other versions have to find the same lock. Locks belong to the
// server, not to the database, and one database can contain several sites under different prefixes.
func (mySQL) LockOf(a Account, n Names) Lock { return newLock(a.Name, n.Prefix) }

func (mySQL) StartLocks(context.Context, *sql.Conn) error { return nil }

func (mySQL) TryLock(ctx context.Context, conn *sql.Conn, l Lock) (bool, error) {
	var got sql.NullInt64
	if err := conn.QueryRowContext(ctx, "SELECT GET_LOCK(?, 0) FOR UPDATE", l.Name).Scan(&got); err != nil {
		return false, err
	}
	if !got.Valid {
		return false, &Refusal{Answered, "the server could not make the lock"}
	}
	return got.Int64 == 1, nil
}

func (mySQL) Holder(ctx context.Context, conn *sql.Conn, l Lock) (connection int64, who string) {
	var id sql.NullInt64
	if conn.QueryRowContext(ctx, "SELECT IS_USED_LOCK(?) FOR UPDATE", l.Name).Scan(&id) != nil || !id.Valid {
		return 0, ""
	}
	// Without the right PROCESS an account sees its own connections only; usually those of another
	// run on this tenant are among them.
	var user, host string
	if conn.QueryRowContext(ctx, "SELECT user, host FROM information_schema.processlist WHERE id = ?", id.Int64).Scan(&user, &host) != nil {
		return id.Int64, ""
	}
	return id.Int64, user + "@" + host
}

func (mySQL) Unlock(ctx context.Context, conn *sql.Conn, l Lock, _ bool) error {
	var released sql.NullInt64
	err := conn.QueryRowContext(ctx, "SELECT RELEASE_LOCK(?) FOR UPDATE", l.Name).Scan(&released)
	if err == nil && released.Int64 != 1 {
		err = errors.New("the connection does not have the lock")
	}
	return err
}
