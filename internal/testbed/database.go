package testbed

import (
	"crypto/rand"
	"database/sql"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Database is a fresh database with Moodle's tables (testdata/moodle.sql) and its own user. It
// exists until the end of its test.
type Database struct {
	Server
	Name, Prefix string
	// User has all rights on Name, by TCP and by socket. Password is unique, so that a test can
	// look for it.
	User, Password string
	DB             *sql.DB // connected to Name as root; takes several statements at once
}

// Database makes a database with Moodle's empty tables under prefix (Moodle's usual one is "mdl_").
func (s *Server) Database(t testing.TB, prefix string) *Database {
	t.Helper()
	id := strings.ToLower(rand.Text()[:12])
	d := &Database{Server: *s, Name: "moodle_" + id, Prefix: prefix, User: "u_" + id, Password: "pw-" + rand.Text()}
	admin := s.root(t, "")
	// It is needed only twice; each of hundreds of databases would keep a connection open.
	admin.SetMaxIdleConns(-1)
	if _, err := admin.Exec("CREATE DATABASE " + d.Name + "; CREATE USER " + d.User + " IDENTIFIED BY '" + d.Password + "';" +
		"GRANT ALL ON " + d.Name + ".* TO " + d.User); err != nil {
		t.Fatalf("testbed: create database: %v", err)
	}
	t.Cleanup(func() {
		if _, err := admin.Exec("DROP DATABASE " + d.Name + "; DROP USER " + d.User); err != nil {
			t.Errorf("testbed: drop database: %v", err)
		}
		_ = admin.Close()
	})
	d.DB = s.root(t, d.Name)
	t.Cleanup(func() { _ = d.DB.Close() })
	d.install(t)
	return d
}

// Beside makes Moodle's empty tables once more in the same database, under another prefix.
func (d *Database) Beside(t testing.TB, prefix string) *Database {
	t.Helper()
	other := *d
	other.Prefix = prefix
	other.install(t)
	return &other
}

func (d *Database) install(t testing.TB) {
	t.Helper()
	schema, err := os.ReadFile(filepath.Join(Root(t), "testdata", "moodle.sql"))
	if err != nil {
		t.Fatalf("testbed: %v", err)
	}
	d.Exec(t, strings.ReplaceAll(string(schema), "{prefix}", d.Prefix))
}

// braces are Moodle's way to write a table: {mnet_host}.
var braces = regexp.MustCompile(`\{(\w+)\}`)

// SQL replaces {table} by the table's name with the prefix.
func (d *Database) SQL(query string) string {
	return braces.ReplaceAllString(query, "`"+d.Prefix+"$1`")
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
