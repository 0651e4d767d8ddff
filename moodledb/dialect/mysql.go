package dialect

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
)

// mySQL is MySQL from 5.7 and MariaDB from 10.2 on, under any sql_mode.
type mySQL struct{}

func (mySQL) SQL(n Names, query string) string {
	return strings.NewReplacer("{", "`"+n.Prefix, "}", "`").Replace(query)
}

func (mySQL) Quote(name string) string { return "`" + name + "`" }

// Same compares binary strings: no collation may treat two values as equal.
func (mySQL) Same(column string) string {
	return "CAST(CONVERT(" + column + " USING utf8mb4) AS BINARY) = ?"
}

func (mySQL) Hash(column string) string { return "UNHEX(SHA2(COALESCE(" + column + ", ''), 256))" }

// Folded uses a collation that every server has, and that is not of one language.
func (mySQL) Folded(column string) string {
	return "CONVERT(" + column + " USING utf8mb4) COLLATE utf8mb4_general_ci"
}

// Begin sets repeatable read explicitly: read committed, which some servers use by default, cannot
// be written to a statement-based binary log (error 1665). Reading with a lock gives the newest state
// nevertheless.
func (mySQL) Begin(ctx context.Context, db *sql.DB, a Access) (*sql.Tx, error) {
	return db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: a == Read})
}

func (mySQL) Try(_ context.Context, _ *sql.Tx, do func() error) error { return do() }

func (mySQL) Alone(ctx context.Context, db *sql.DB, query string, args ...any) (int64, error) {
	result, err := db.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// Bulk has the values sent without quoting: for half a megabyte of certificates, the server's
// parser would need as long as the storing itself.
func (mySQL) Bulk(ctx context.Context, tx *sql.Tx, query string) (Statement, error) {
	return tx.PrepareContext(ctx, query)
}

// Limited uses that only MariaDB reads the first comment, and only MySQL the second.
func (mySQL) Limited(ctx context.Context, db *sql.DB, limit time.Duration, query string, args []any, each func(*sql.Rows) error) error {
	rows, err := db.QueryContext(ctx, fmt.Sprintf("/*M! SET STATEMENT max_statement_time = %d FOR */ SELECT /*+ MAX_EXECUTION_TIME(%d) */ ",
		int(limit.Seconds()), limit.Milliseconds())+query, args...)
	if err != nil {
		return err
	}
	return eachRow(rows, each)
}

func eachRow(rows *sql.Rows, each func(*sql.Rows) error) error {
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (mySQL) Insert(ctx context.Context, tx *sql.Tx, query string, args ...any) (int64, error) {
	result, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.LastInsertId()
}

// Inserted has nothing to do: AUTO_INCREMENT goes on behind the largest id.
func (mySQL) Inserted(context.Context, *sql.Tx, string, int64) error { return nil }

// LockTable reads by a column without an index, which locks all rows and the gaps between them.
func (mySQL) LockTable(ctx context.Context, tx *sql.Tx, table string) error {
	_, err := tx.ExecContext(ctx, "SELECT id FROM "+table+" WHERE wwwroot = '' FOR UPDATE")
	return err
}

func (mySQL) Columns(ctx context.Context, tx *sql.Tx, table string) ([]Column, error) {
	rows, err := tx.QueryContext(ctx, "SHOW FULL COLUMNS FROM "+table)
	if err != nil {
		return nil, err
	}
	var columns []Column
	return columns, eachRow(rows, func(rows *sql.Rows) error {
		var name, kind, null, key, extra, privileges, comment string
		var collation, byDefault sql.NullString
		err := rows.Scan(&name, &kind, &collation, &null, &key, &byDefault, &extra, &privileges, &comment)
		columns = append(columns, Column{
			Name:     strings.ToLower(name),
			Kind:     strings.ToLower(kind),
			Required: null == "NO" && !byDefault.Valid && !strings.Contains(strings.ToLower(extra), "auto_increment"),
			Narrow:   collation.Valid && !strings.HasPrefix(collation.String, "utf8mb4"),
		})
		return err
	})
}

// smallestPacket is the maximum size of a statement with a history of the largest keys, in bytes. A
// server that receives a larger packet than it allows closes the connection, often before its error
// can be read.
const smallestPacket = 64 << 10

// MayRenew lets the server prepare the statements, which checks table and rights, and runs none.
// SHOW GRANTS would not be enough: it names patterns and roles, and they would have to be resolved
// as the server does.
//
// FOR UPDATE without a row makes a proxy ask the server that is written to.
//
// A read-only server is refused whatever rights the account has: it is a replica. So is a server
// that accepts only tiny statements.
func (d mySQL) MayRenew(ctx context.Context, db *sql.DB, n Names) error {
	for _, query := range []string{
		"SELECT name, value FROM {config_plugins} WHERE plugin = 'mnet' AND name = ? FOR UPDATE",
		"INSERT INTO {config_plugins} (plugin, name, value) VALUES ('mnet', ?, ?)",
		"UPDATE {config_plugins} SET value = ? WHERE plugin = 'mnet' AND name = ?",
		"UPDATE {mnet_host} SET public_key = ?, public_key_expires = ?, wwwroot = ? WHERE id = ?",
	} {
		if err := mayRun(ctx, db, d.SQL(n, query)); err != nil {
			return err
		}
	}
	return d.takesWrites(ctx, db)
}

// MayStorePeers implements Dialect. The locking read of rows that are as they should be needs no right
// to change them here, except on MySQL, whose Moodle has it anyway.
func (d mySQL) MayStorePeers(ctx context.Context, db *sql.DB, n Names, changes bool) error {
	if !changes {
		return nil
	}
	if err := mayRun(ctx, db, d.SQL(n, "UPDATE {mnet_host} SET public_key = ?, public_key_expires = ?, wwwroot = ? WHERE id = ?")); err != nil {
		return err
	}
	return d.takesWrites(ctx, db)
}

func (d mySQL) takesWrites(ctx context.Context, db *sql.DB) error {
	var readOnly string
	var packet int64
	if err := db.QueryRowContext(ctx, "SELECT @@global.read_only, @@max_allowed_packet FOR UPDATE").Scan(&readOnly, &packet); err != nil {
		return err
	}
	if readOnly != "0" && readOnly != "OFF" {
		return &Refusal{ReadOnly, "the server is read-only"}
	}
	if packet < smallestPacket {
		return &Refusal{TooLarge, fmt.Sprintf("the server takes statements of %d bytes only (max_allowed_packet)", packet)}
	}
	return nil
}

// mayRun lets the server prepare a statement, which is not run.
func mayRun(ctx context.Context, db *sql.DB, query string) error {
	statement, err := db.PrepareContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { _ = statement.Close() }() // the server does not answer it
	return nil
}
