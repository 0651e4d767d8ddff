package dialect

import (
	"context"
	"crypto/tls"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// TestPostgreSQLEndpoint compares with lib/dml/pgsql_native_moodle_database.php, raw_connect, and
// with the C library that gets the host.
func TestPostgreSQLEndpoint(t *testing.T) {
	usual, dir := postgreSQLSockets, t.TempDir()
	t.Cleanup(func() { postgreSQLSockets = usual })
	listener, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5433"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	postgreSQLSockets = []string{"/no", dir}
	for name, c := range map[string]struct {
		account          Account
		network, address string
	}{
		"localhost is TCP":                    {Account{Host: "localhost"}, "tcp", "localhost:5432"},
		"the port is dbport":                  {Account{Host: "db.example", Port: 6432}, "tcp", "db.example:6432"},
		"localhost with a socket's directory": {Account{Host: "localhost", Socket: "/s"}, "unix", "/s/.s.PGSQL.5432"},
		"127.0.0.1 with one, and a port":      {Account{Host: "127.0.0.1", Socket: "/s/", Port: 5433}, "unix", "/s/.s.PGSQL.5433"},
		"the usual directory that exists":     {Account{Host: "localhost", Socket: "1", Port: 5433}, "unix", dir + "/.s.PGSQL.5433"},
		"the first usual one if none exists":  {Account{Host: "localhost", Socket: "1"}, "unix", "/no/.s.PGSQL.5432"},
		"no host is the usual directory":      {Account{Port: 5433}, "unix", dir + "/.s.PGSQL.5433"},
		"another host needs no socket":        {Account{Host: "db", Socket: "/s"}, "tcp", "db:5432"},
		"a host that is a directory":          {Account{Host: "/run/pg", Port: 5433}, "unix", "/run/pg/.s.PGSQL.5433"},
		"an abstract socket":                  {Account{Host: "@pg"}, "unix", "@pg/.s.PGSQL.5432"},
		"VMoodle's port":                      {Account{Host: "db:5433", Port: 5432}, "tcp", "db:5433"},
		"an IPv6 address":                     {Account{Host: "2001:db8::1"}, "tcp", "[2001:db8::1]:5432"},
		"LOCALHOST is not Moodle's localhost": {Account{Host: "LOCALHOST", Socket: "/s"}, "tcp", "LOCALHOST:5432"},
	} {
		if network, address, err := (postgreSQL{}).Endpoint(c.account); err != nil || network != c.network || address != c.address {
			t.Errorf("%s: %s %s %v", name, network, address, err)
		}
	}
	for _, host := range []string{"db:x", "db:", ":5432", "a,b", "[::1]", "a b", "user@db", "p:db", "a/b", "a:b:c"} {
		if network, address, err := (postgreSQL{}).Endpoint(Account{Host: host}); !errors.As(err, new(*HostError)) {
			t.Errorf("%s: %s %s %v", host, network, address, err)
		}
	}
}

func TestPostgreSQLWritesTablesAndValues(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		names       Names
		query, want string
	}{
		"a prefix":                     {Names{Prefix: "mdl_"}, "SELECT id FROM {user} WHERE id = ? OR id = ?", `SELECT id FROM "mdl_user" WHERE id = $1 OR id = $2`},
		"a prefix in capitals":         {Names{Prefix: "MDL_"}, "{user}", `"mdl_user"`},
		"a schema":                     {Names{"moodle", "m_"}, "{a} {b}", `"moodle"."m_a" "moodle"."m_b"`},
		"a schema in capitals":         {Names{"Moodle", ""}, "{a}", `"moodle"."a"`},
		"a schema in quotes":           {Names{`"Moo, dle"`, ""}, "{a}", `"Moo, dle"."a"`},
		"a schema with quotes in it":   {Names{`"Moo""dle"`, ""}, "{a}", `"Moo""dle"."a"`},
		"the first of several schemas": {Names{" one , public", ""}, "{a}", `"one"."a"`},
		"the account's schema":         {Names{`"$user", public`, ""}, "{a}", `"a"`},
		"what could end the name":      {Names{`x".y; --`, ""}, "{a}", `"x"".y; --"."a"`},
	} {
		if got := (postgreSQL{}).SQL(c.names, c.query); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestFaultsOfPostgreSQL(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]Fault{
		"40001": Conflict, "40P01": Conflict, "55P03": Conflict, "23505": Conflict, "42501": NoRight, "25006": ReadOnly, "42P01": NoTable,
		"42703": NoColumn, "28P01": Login, "3D000": NoDatabase, "53300": NoConnection, "53100": NoRoom, "57P01": Lost, "57014": Answered,
	} {
		for _, wrapped := range []string{"%w", "driver: %w", "%w (again)"} {
			fault, answer := FaultOf(fmt.Errorf(wrapped, &pgconn.PgError{Severity: "ERROR", Code: state, Message: "words", Detail: "SECRET"}))
			if again, _ := FaultOf(fmt.Errorf("once more: %w", answer)); fault != want || again != want {
				t.Errorf("%s: %v, then %v", state, fault, again)
			}
			if shown := fmt.Sprintf("%v %+v %#v", answer, answer, answer); !strings.Contains(shown, "words") || strings.Contains(shown, "SECRET") {
				t.Error(shown)
			}
		}
	}
	for name, c := range map[string]struct {
		err  error
		want Fault
	}{
		"a pooler's refusal":           {&pgconn.PgError{Severity: "FATAL", Code: "08P01"}, Refused},
		"an end within an answer":      {fmt.Errorf("receive: %w", io.ErrUnexpectedEOF), Lost},
		"a connection that was closed": {fmt.Errorf("x: %w", driver.ErrBadConn), Lost},
		"a context that ended":         {fmt.Errorf("timeout: %w", context.DeadlineExceeded), Ended},
		"one of several":               {errors.Join(io.ErrNoProgress, context.Canceled), Ended},
		"a timeout of the network":     {fmt.Errorf("read: %w", os.ErrDeadlineExceeded), None},
		"an error of our own":          {errors.New("own"), None},
		"nothing":                      {nil, None},
	} {
		if got, _ := FaultOf(c.err); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestPostgreSQLTLS(t *testing.T) {
	t.Parallel()
	for ssl, want := range map[string]struct{ tls, plaintext, verified bool }{
		"": {true, true, false}, "prefer": {true, true, false}, "disable": {}, "require": {true, false, false}, "verify-full": {true, false, true},
	} {
		config, plaintext := postgreSQLTLS(ssl, "db")
		if (config != nil) != want.tls || plaintext != want.plaintext || config != nil && config.InsecureSkipVerify == want.verified {
			t.Errorf("%q: %+v, plaintext %v", ssl, config, plaintext)
		}
		if want.verified && (config.ServerName != "db" || config.MinVersion != tls.VersionTLS12) {
			t.Errorf("%q: %+v", ssl, config)
		}
	}
}

// The blank configuration was made when this process started: a process that starts with the
// variables of the C library must have the same.
func TestNothingOfTheEnvironmentReachesPostgreSQL(t *testing.T) {
	if os.Getenv("PGSERVICE") != "" { // the second process
		blank, err := blankPostgreSQL()
		if err != nil || blank.Password != "none" || blank.TLSConfig != nil || len(blank.Fallbacks) > 0 || len(blank.RuntimeParams) > 0 || os.Getenv("PGPASSWORD") != "theirs" {
			t.Errorf("%v: %d fallbacks, parameters %v, PGPASSWORD %q", err, len(blank.Fallbacks), blank.RuntimeParams, os.Getenv("PGPASSWORD"))
		}
		return
	}
	again(t, "PGSERVICE=none", "PGSERVICEFILE=/no/file", "PGPASSWORD=theirs", "PGSSLMODE=verify-full", "PGSSLCERTMODE=nonsense", "PGOPTIONS=-c search_path=theirs", "PGHOST=a,b", "PGAPPNAME=theirs")
}

// TestLimitedConn looks at the deadlines that reach the connection.
func TestLimitedConn(t *testing.T) {
	t.Parallel()
	inner := &deadlines{}
	c := &limitedConn{Conn: inner}
	within := func(got time.Time, d time.Duration) bool {
		return time.Until(got) <= d && time.Until(got) > d-10*time.Second
	}
	_, _ = c.Read(nil)
	_, _ = c.Write(nil)
	if !within(inner.read, ioTimeout) || !within(inner.write, ioTimeout) {
		t.Errorf("without a limit of the driver: %+v", inner)
	}
	past := time.Unix(1, 0)
	_ = c.SetDeadline(past)
	_, _ = c.Read(nil)
	if !inner.read.Equal(past) {
		t.Errorf("a read after the end of a context: %+v", inner)
	}
	_ = c.SetDeadline(time.Time{})
	_, _ = c.Read(nil)
	if !within(inner.read, ioTimeout) {
		t.Errorf("after the driver has taken its limit back: %+v", inner)
	}
}

// deadlines is a connection that remembers its deadlines.
type deadlines struct {
	net.Conn
	read, write time.Time
}

func (d *deadlines) SetDeadline(t time.Time) error {
	d.read, d.write = t, t
	return nil
}
func (d *deadlines) SetReadDeadline(t time.Time) error  { d.read = t; return nil }
func (d *deadlines) SetWriteDeadline(t time.Time) error { d.write = t; return nil }
func (d *deadlines) Read([]byte) (int, error)           { return 0, nil }
func (d *deadlines) Write([]byte) (int, error)          { return 0, nil }
