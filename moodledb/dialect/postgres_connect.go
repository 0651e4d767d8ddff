package dialect

import (
	"cmp"
	"context"
	"crypto/tls"
	"database/sql/driver"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"renew_mnetkeys/internal/killsteps"
)

// postgreSQLSockets are the directories where PostgreSQL listens by default: Debian and Red Hat,
// the sources.
var postgreSQLSockets = []string{"/var/run/postgresql", "/run/postgresql", "/tmp"}

// Endpoint reads the host as Moodle does (lib/dml/pgsql_native_moodle_database.php, raw_connect)
// and the C library behind it: dbsocket counts for localhost and 127.0.0.1 only, and is a directory
// or, without a slash, the usual one. No host is the usual directory too, and a host that begins
// with a slash is a directory. The port is part of the socket's name. A port in the host is
// VMoodle's (local/vmoodle/bootlib.php), and overrides dbport.
func (postgreSQL) Endpoint(a Account) (network, address string, err error) {
	host, port := a.Host, strconv.Itoa(cmp.Or(a.Port, 5432))
	if a.Socket != "" && (host == "localhost" || host == "127.0.0.1") {
		if host = ""; strings.Contains(a.Socket, "/") {
			host = a.Socket
		}
	}
	if bare, explicit, err := net.SplitHostPort(host); err == nil {
		if n, err := strconv.Atoi(explicit); bare == "" || err != nil || n < 1 || n > 65535 {
			return "", "", postgreSQLHostError("is neither a host nor host:port")
		}
		host, port = bare, explicit
	}
	socket := "/.s.PGSQL." + port
	switch {
	case host == "":
		return "unix", postgreSQLSocket(socket), nil
	case host[0] == '/' || host[0] == '@':
		return "unix", strings.TrimRight(host, "/") + socket, nil
	case strings.Contains(host, ","):
		return "", "", postgreSQLHostError("names several hosts")
	case strings.ContainsAny(host, "/ \t\r\n@[]"), strings.Contains(host, ":") && net.ParseIP(host) == nil:
		return "", "", postgreSQLHostError("is not a host name")
	}
	return "tcp", net.JoinHostPort(host, port), nil
}

func postgreSQLHostError(problem string) error {
	return &HostError{Problem: problem, Advice: "write the primary's HOST, or the directory of its unix socket; the port belongs into dboptions dbport"}
}

// postgreSQLSocket is the first usual socket that exists. If none exists, the connection attempt
// reports it.
func postgreSQLSocket(name string) string {
	for _, dir := range postgreSQLSockets {
		if isSocket(dir + name) {
			return dir + name
		}
	}
	return postgreSQLSockets[0] + name
}

// Connector makes the settings one by one, not as a text that would have to be parsed and could be
// shown.
//
// Each query is sent at once with its values, in text form, and the server decides their types: one
// round trip, and nothing that has to be on the same connection at the next query, as the driver's
// default needs it.
func (d postgreSQL) Connector(a Account) (driver.Connector, error) {
	network, address, err := d.Endpoint(a)
	if err != nil {
		return nil, err
	}
	s, err := blankPostgreSQL()
	if err != nil {
		return nil, err
	}
	s.User, s.Password, s.Database = a.User, a.Password, a.Name
	s.DefaultQueryExecMode = pgx.QueryExecModeExec
	// Poolers know these two, and refuse most others.
	s.RuntimeParams = map[string]string{"client_encoding": "UTF8", "application_name": "renew_mnetkeys"}
	dialer := &net.Dialer{Timeout: a.Timeout}
	s.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return killsteps.PostgreSQL(&limitedConn{Conn: conn}, a.User), nil
	}
	s.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil } // the dialer does it
	s.TLSConfig, s.Fallbacks = nil, nil
	if network != "unix" { // a socket stays on the machine
		plaintextAllowed := false
		host, port, _ := net.SplitHostPort(address)
		n, _ := strconv.ParseUint(port, 10, 16)
		s.Host, s.Port = host, uint16(n)
		if s.TLSConfig, plaintextAllowed = postgreSQLTLS(a.SSL, host); plaintextAllowed {
			s.Fallbacks = []*pgconn.FallbackConfig{{Host: s.Host, Port: s.Port}}
		}
	}
	return stdlib.GetConnector(*s), nil
}

// blankPostgreSQL is a configuration of the driver in which nothing is of this process's
// environment, of ~/.pgpass or of a service file. The driver lets nobody make one without reading
// them: so it is made once, when the program starts, without the variables.
var blankPostgreSQL = func() func() (*pgx.ConnConfig, error) {
	for _, entry := range os.Environ() {
		if name, value, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "PG") {
			_ = os.Unsetenv(name)
			defer func() { _ = os.Setenv(name, value) }()
		}
	}
	blank, err := pgx.ParseConfig("host=localhost port=5432 user=none password=none dbname=none sslmode=disable")
	return func() (*pgx.ConnConfig, error) {
		if err != nil {
			return nil, err
		}
		return blank.Copy(), nil
	}
}()

// postgreSQLTLS translates dboptions ssl, which Moodle gives to the C library as sslmode. Without
// the option that is prefer.
func postgreSQLTLS(ssl, host string) (config *tls.Config, plaintextAllowed bool) {
	switch ssl {
	case "disable":
		return nil, false
	case "verify-full":
		return &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}, false
	case "", "prefer":
		return &tls.Config{InsecureSkipVerify: true}, true //nolint:gosec // what the option says
	default:
		return &tls.Config{InsecureSkipVerify: true}, false //nolint:gosec // what the option says
	}
}

// limitedConn ends a read or write that takes longer than ioTimeout. The driver knows no limit but
// that of a context, which it applies by a deadline of the connection.
type limitedConn struct {
	net.Conn
	mu    sync.Mutex
	until time.Time // set by the driver; zero: no limit of its own
}

// SetDeadline is called when a context ends, also while another goroutine reads.
func (c *limitedConn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until = t
	return c.Conn.SetDeadline(t)
}

// Read reads within the limit.
func (c *limitedConn) Read(b []byte) (int, error) {
	if err := c.limit(c.Conn.SetReadDeadline); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

// Write writes within the limit.
func (c *limitedConn) Write(b []byte) (int, error) {
	if err := c.limit(c.Conn.SetWriteDeadline); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

func (c *limitedConn) limit(set func(time.Time) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	limit := time.Now().Add(ioTimeout)
	if !c.until.IsZero() && c.until.Before(limit) {
		limit = c.until
	}
	return set(limit)
}
