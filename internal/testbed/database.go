package testbed

import (
	"crypto/rand"
	"database/sql"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Database is a fresh database with Moodle's tables (testdata/moodle.sql) and its own user. It
// exists until the end of its test.
type Database struct {
	Server
	Name, Prefix string
	Schema       string // where the tables are, "" for the usual place; PostgreSQL's alone
	// User has all rights on Name, by TCP and by socket. Password is unique, so that a test can
	// look for it.
	User, Password string
	DB             *sql.DB // connected to Name as root; takes several statements at once
}

// Database makes a database with Moodle's empty tables under prefix (Moodle's usual one is "mdl_").
func (s *Server) Database(t testing.TB, prefix string) *Database {
	t.Helper()
	return s.DatabaseIn(t, prefix, "")
}

// DatabaseIn makes it with the tables in a schema of PostgreSQL.
func (s *Server) DatabaseIn(t testing.TB, prefix, schema string) *Database {
	t.Helper()
	id := strings.ToLower(rand.Text()[:12])
	d := &Database{Server: *s, Name: "moodle_" + id, Prefix: prefix, Schema: schema, User: "u_" + id, Password: "pw-" + rand.Text()}
	admin := s.root(t, "")
	// It is needed only twice; each of hundreds of databases would keep a connection open. PostgreSQL
	// starts a process for each, so statements that follow each other share one.
	admin.SetMaxIdleConns(1)
	admin.SetConnMaxIdleTime(time.Second)
	create, drop := d.lifecycle()
	for _, query := range create {
		if _, err := admin.Exec(query); err != nil {
			t.Fatalf("testbed: create database: %v", err)
		}
	}
	t.Cleanup(func() {
		for _, query := range drop {
			if _, err := admin.Exec(query); err != nil {
				t.Errorf("testbed: drop database: %v", err)
			}
		}
		_ = admin.Close()
	})
	d.DB = s.root(t, d.Name)
	t.Cleanup(func() { _ = d.DB.Close() })
	d.Exec(t, d.tables(t))
	return d
}

// Beside makes Moodle's empty tables once more in the same database, under another prefix.
func (d *Database) Beside(t testing.TB, prefix string) *Database {
	t.Helper()
	other := *d
	other.Prefix = prefix
	other.Exec(t, other.tables(t))
	return &other
}

// lifecycle are the statements, run one by one, that make the database and its user, and that
// remove them.
func (d *Database) lifecycle() (create, drop []string) {
	if d.DBType == PostgreSQLType { // copying files takes a quarter of the time that copying by the log takes
		return []string{"CREATE ROLE " + d.User + " LOGIN PASSWORD '" + scram(d.Password) + "'", "CREATE DATABASE " + d.Name + " OWNER " + d.User + " STRATEGY FILE_COPY"},
			[]string{"DROP DATABASE " + d.Name + " WITH (FORCE)", "DROP ROLE " + d.User}
	}
	return []string{"CREATE DATABASE " + d.Name, "CREATE USER " + d.User + " IDENTIFIED BY '" + d.Password + "'", "GRANT ALL ON " + d.Name + ".* TO " + d.User},
		[]string{"DROP DATABASE " + d.Name, "DROP USER " + d.User}
}

// tables are the statements that make Moodle's tables. On PostgreSQL they are the user's.
func (d *Database) tables(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(Root(t), "testdata", "moodle.sql"))
	if err != nil {
		t.Fatalf("testbed: %v", err)
	}
	schema := strings.ReplaceAll(string(text), "`{prefix}", "`"+d.Prefix)
	if d.DBType != PostgreSQLType {
		return schema
	}
	for _, r := range toPostgreSQL {
		schema = r.mysql.ReplaceAllString(schema, r.postgresql)
	}
	place := ""
	if d.Schema != "" {
		place = `CREATE SCHEMA IF NOT EXISTS "` + d.Schema + `"; SET search_path = "` + d.Schema + `";`
	}
	return "SET ROLE " + d.User + ";" + place + strings.ToLower(schema) + "RESET search_path; RESET ROLE"
}

// toPostgreSQL translates testdata/moodle.sql. The types are those of Moodle's generator
// (lib/ddl/postgres_sql_generator.php, getTypeSQL); the sequences get its names by themselves.
// Indexes that are for speed alone are left out.
var toPostgreSQL = []struct {
	mysql      *regexp.Regexp
	postgresql string
}{
	{regexp.MustCompile(`(?m)^--.*$`), ""},
	{regexp.MustCompile(`,\n +KEY [^)]*\)`), ""},
	{regexp.MustCompile("UNIQUE KEY `\\w+`"), "UNIQUE"},
	{regexp.MustCompile(`\) ENGINE=.*;`), ");"},
	{regexp.MustCompile(`BIGINT\(\d+\) NOT NULL AUTO_INCREMENT`), "BIGSERIAL"},
	{regexp.MustCompile(`BIGINT\(\d+\)`), "BIGINT"},
	{regexp.MustCompile(`MEDIUMINT\(\d+\)`), "INTEGER"},
	{regexp.MustCompile(`(TINY|SMALL)INT\(\d+\)`), "SMALLINT"},
	{regexp.MustCompile(`LONGTEXT`), "TEXT"},
	{regexp.MustCompile("`"), `"`},
}

// braces are Moodle's way to write a table: {mnet_host}.
var braces = regexp.MustCompile(`\{(\w+)\}`)

var placeholder = regexp.MustCompile(`\?`)

// SQL replaces {table} by the table's name with the prefix, and each ? by what the server knows.
func (d *Database) SQL(query string) string {
	if d.DBType != PostgreSQLType {
		return braces.ReplaceAllString(query, "`"+d.Prefix+"$1`")
	}
	schema := ""
	if d.Schema != "" {
		schema = `"` + d.Schema + `".`
	}
	query = braces.ReplaceAllString(query, schema+`"`+strings.ToLower(d.Prefix)+`$1"`)
	n := 0
	return placeholder.ReplaceAllStringFunc(query, func(string) string { n++; return "$" + strconv.Itoa(n) })
}

// Exec runs statements with table names in braces, as root, and ends the test if they fail.
func (d *Database) Exec(t testing.TB, query string, args ...any) sql.Result {
	t.Helper()
	result, err := d.DB.Exec(d.SQL(query), args...)
	if err != nil {
		t.Fatalf("testbed: %s: %v", query, err)
	}
	return result
}

// Value is the first column of the query's first row as text; "" for NULL and for no row.
func (d *Database) Value(t testing.TB, query string, args ...any) string {
	t.Helper()
	var value sql.NullString
	if err := d.DB.QueryRow(d.SQL(query), args...).Scan(&value); err != nil && err != sql.ErrNoRows {
		t.Fatalf("testbed: %s: %v", query, err)
	}
	return value.String
}

// Rows are all rows of the query, one a line, the values between bars; NULL is empty.
func (d *Database) Rows(t testing.TB, query string, args ...any) string {
	t.Helper()
	rows, err := d.DB.Query(d.SQL(query), args...)
	if err != nil {
		t.Fatalf("testbed: %s: %v", query, err)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	var lines []string
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			t.Fatalf("testbed: %s: %v", query, err)
		}
		row := make([]string, len(values))
		for i, v := range values {
			row[i] = v.String
		}
		lines = append(lines, strings.Join(row, "|"))
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("testbed: %s: %v", query, err)
	}
	return strings.Join(lines, "\n")
}
