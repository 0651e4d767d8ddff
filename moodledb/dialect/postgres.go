package dialect

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// postgreSQL is PostgreSQL from 11 on.
//
// A pooler (pgbouncer in transaction mode) may stand in front of it, and give each transaction
// another of the server's connections. So nothing is set for a session, no statement is prepared
// under a name, and a table's schema is written in front of its name instead of into search_path.
type postgreSQL struct{}

// SQL writes tables in lower case: Moodle does not quote their names, and the server then folds
// them.
func (d postgreSQL) SQL(n Names, query string) string {
	schema := ""
	if name := schemaOf(n.Schema); name != "" {
		schema = d.Quote(name) + "."
	}
	query = strings.NewReplacer("{", schema+`"`+strings.ToLower(n.Prefix), "}", `"`).Replace(query)
	parts := strings.Split(query, "?")
	var b strings.Builder
	for i, part := range parts {
		b.WriteString(part)
		if i < len(parts)-1 {
			b.WriteString("$" + strconv.Itoa(i+1))
		}
	}
	return b.String()
}

// schemaOf is the first schema of a search_path (dboptions dbschema), in which Moodle makes its
// tables. It is "" for the server's choice. Names without quotes are folded as the server does.
func schemaOf(searchPath string) string {
	first := strings.TrimSpace(searchPath)
	if quoted := quotedName.FindStringSubmatch(first); quoted != nil {
		first = strings.ReplaceAll(quoted[1], `""`, `"`)
	} else {
		first, _, _ = strings.Cut(first, ",")
		first = strings.ToLower(strings.TrimSpace(first))
	}
	if first == "$user" {
		return ""
	}
	return first
}

// quotedName is a name in quotes, in which two of them are one.
var quotedName = regexp.MustCompile(`^"((?:[^"]|"")*)"`)

func (postgreSQL) Quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// Same compares bytes: a collation that is not deterministic may treat two values as equal.
func (postgreSQL) Same(column string) string {
	return "convert_to(" + column + ", 'UTF8') = convert_to(?, 'UTF8')"
}

func (postgreSQL) Hash(column string) string {
	return "sha256(convert_to(COALESCE(" + column + ", ''), 'UTF8'))"
}

// Folded has the collation C, in which only the letters A to Z have case: in Turkish, for example,
// the small letter of I is not i.
func (postgreSQL) Folded(column string) string { return "LOWER(" + column + ` COLLATE "C")` }

// Begin sets the limit for locks after BEGIN, which takes no snapshot: the snapshot is that of the
// first query. A row that has changed since cannot be locked (40001), which is a Conflict. MySQL
// gives its newest state there, as PostgreSQL does in read committed: there each statement has a
// snapshot of its own, and waits for a row that another transaction is changing.
func (postgreSQL) Begin(ctx context.Context, db *sql.DB, a Access) (*sql.Tx, error) {
	o := sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: a == Read}
	if a == Write {
		o.Isolation = sql.LevelReadCommitted
	}
	return beginPostgreSQL(ctx, db, o,
		"SET LOCAL lock_timeout = "+strconv.FormatInt(lockWait.Milliseconds(), 10))
}

func beginPostgreSQL(ctx context.Context, db *sql.DB, o sql.TxOptions, set string) (*sql.Tx, error) {
	tx, err := db.BeginTx(ctx, &o)
	if err != nil {
		return nil, err
	}
	if _, err := tx.ExecContext(ctx, set); err != nil {
		_ = tx.Rollback()
		return nil, err
	}
	return tx, nil
}

func (postgreSQL) Try(ctx context.Context, tx *sql.Tx, do func() error) error {
	return trySavepoint(ctx, tx, do)
}

// trySavepoint runs do on a connection that is in a transaction. Its error does not end that one.
func trySavepoint(ctx context.Context, conn interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}, do func() error) error {
	if _, err := conn.ExecContext(ctx, "SAVEPOINT try"); err != nil {
		return err
	}
	err := do()
	end := "RELEASE SAVEPOINT try"
	if err != nil {
		end = "ROLLBACK TO SAVEPOINT try"
	}
	_, ended := conn.ExecContext(ctx, end)
	return errors.Join(err, ended)
}

// Alone runs the statement in a transaction, which sets the limit for locks. An UPDATE that had to
// wait for a row then looks at its newest state.
func (postgreSQL) Alone(ctx context.Context, db *sql.DB, query string, args ...any) (int64, error) {
	tx, err := beginPostgreSQL(ctx, db, sql.TxOptions{Isolation: sql.LevelReadCommitted},
		"SET LOCAL lock_timeout = "+strconv.FormatInt(lockWait.Milliseconds(), 10))
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback() }()
	result, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	if err != nil {
		return 0, err
	}
	return n, tx.Commit()
}

// Bulk prepares nothing: values are sent beside the statement anyway.
func (postgreSQL) Bulk(_ context.Context, tx *sql.Tx, query string) (Statement, error) {
	return unprepared{tx, query}, nil
}

type unprepared struct {
	tx    *sql.Tx
	query string
}

// ExecContext runs the statement.
func (u unprepared) ExecContext(ctx context.Context, args ...any) (sql.Result, error) {
	return u.tx.ExecContext(ctx, u.query, args...)
}

func (postgreSQL) Limited(ctx context.Context, db *sql.DB, limit time.Duration, query string, args []any, each func(*sql.Rows) error) error {
	tx, err := beginPostgreSQL(ctx, db, sql.TxOptions{Isolation: sql.LevelReadCommitted, ReadOnly: true},
		"SET LOCAL statement_timeout = "+strconv.FormatInt(limit.Milliseconds(), 10))
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	rows, err := tx.QueryContext(ctx, "SELECT "+query, args...)
	if err != nil {
		return err
	}
	return eachRow(rows, each)
}

func (postgreSQL) Insert(ctx context.Context, tx *sql.Tx, query string, args ...any) (id int64, err error) {
	err = tx.QueryRowContext(ctx, query+" RETURNING id", args...).Scan(&id)
	return id, err
}

// Inserted moves the sequence of the id on, as Moodle's reset_sequence does
// (lib/dml/pgsql_native_moodle_database.php).
func (postgreSQL) Inserted(ctx context.Context, tx *sql.Tx, table string, id int64) error {
	_, err := tx.ExecContext(ctx, "SELECT setval(s, $2) FROM (SELECT pg_get_serial_sequence($1, 'id')::regclass AS s) serial "+
		"WHERE s IS NOT NULL AND COALESCE(pg_sequence_last_value(s), 0) < $2", table, id)
	return err
}

// LockTable lets others read, also with locks.
func (postgreSQL) LockTable(ctx context.Context, tx *sql.Tx, table string) error {
	_, err := tx.ExecContext(ctx, "LOCK TABLE "+table+" IN SHARE ROW EXCLUSIVE MODE")
	return err
}

func (postgreSQL) Columns(ctx context.Context, tx *sql.Tx, table string) ([]Column, error) {
	rows, err := tx.QueryContext(ctx, "SELECT attname, format_type(atttypid, atttypmod), attnotnull AND NOT atthasdef AND attidentity = '' "+
		"FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum", table)
	if err != nil {
		return nil, err
	}
	var columns []Column
	err = eachRow(rows, func(rows *sql.Rows) error {
		var c Column
		err := rows.Scan(&c.Name, &c.Kind, &c.Required)
		columns = append(columns, c)
		return err
	})
	return columns, err
}

// MayStorePeers implements Dialect. A locking read of no row needs the right to change rows, and a
// transaction that may write, as the one of a push does.
func (d postgreSQL) MayStorePeers(ctx context.Context, db *sql.DB, n Names, _ bool) error {
	_, err := db.ExecContext(ctx, d.SQL(n, "SELECT public_key FROM {mnet_host} WHERE false FOR UPDATE"))
	return err
}

// MayRenew asks for each right, since preparing a statement checks none. Then it asks whether a
// transaction may write: on a standby it may not, nor where the account or the database has
// default_transaction_read_only.
func (d postgreSQL) MayRenew(ctx context.Context, db *sql.DB, n Names) error {
	settings, hosts := d.SQL(n, "{config_plugins}"), d.SQL(n, "{mnet_host}")
	var missing sql.NullString
	err := db.QueryRowContext(ctx, `SELECT string_agg(wanted.right || ' of ' || wanted.col || ' in ' || wanted.tab, ', ') FROM (VALUES
		($1, 'SELECT', 'name'), ($1, 'SELECT', 'value'), ($1, 'INSERT', 'plugin'), ($1, 'INSERT', 'name'), ($1, 'INSERT', 'value'), ($1, 'UPDATE', 'value'),
		($2, 'SELECT', 'id'), ($2, 'SELECT', 'public_key'), ($2, 'UPDATE', 'public_key'), ($2, 'UPDATE', 'public_key_expires'), ($2, 'UPDATE', 'wwwroot')
		) AS wanted (tab, "right", col) WHERE NOT has_column_privilege(wanted.tab, wanted.col, wanted.right)`, settings, hosts).Scan(&missing)
	if err != nil {
		return err
	}
	if missing.String != "" {
		return &Refusal{NoRight, "permission denied: " + missing.String}
	}
	var sequence, writes bool
	err = db.QueryRowContext(ctx, "SELECT COALESCE(has_sequence_privilege(pg_get_serial_sequence($1, 'id'), 'USAGE, UPDATE'), true), "+
		"current_setting('transaction_read_only') = 'off' AND NOT pg_is_in_recovery()", settings).Scan(&sequence, &writes)
	switch {
	case err != nil:
		return err
	case !sequence:
		return &Refusal{NoRight, fmt.Sprintf("permission denied: USAGE of the sequence of %s", settings)}
	case !writes:
		return &Refusal{ReadOnly, "the server is read-only"}
	}
	return nil
}
