package dialect

import (
	"crypto/tls"
	"database/sql/driver"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// mySQLSockets are where MariaDB and MySQL listen by default: Debian, Red Hat, SUSE, the sources,
// XAMPP, Homebrew.
var mySQLSockets = []string{
	"/var/run/mysqld/mysqld.sock", "/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock", "/run/mysql/mysql.sock", "/tmp/mysql.sock",
	"/opt/lampp/var/mysql/mysql.sock", "/opt/bitnami/mariadb/tmp/mysql.sock",
}

// Endpoint reads the host as PHP's mysqli does: localhost, or an empty host, is the unix socket,
// whatever the port. A port in the host overrides that of dboptions, also after localhost, which
// then means TCP.
func (mySQL) Endpoint(a Account) (network, address string, err error) {
	host := withoutPersistence(a.Host)
	if host == "" || strings.EqualFold(host, "localhost") {
		return "unix", mySQLSocket(a), nil
	}
	port := a.Port
	switch bare, explicit, err := net.SplitHostPort(host); {
	case err == nil:
		if port, err = strconv.Atoi(explicit); err != nil || port < 1 || port > 65535 {
			return "", "", mySQLHostError("has no port number behind the colon")
		}
		host = bare
	case strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]"):
		host = host[1 : len(host)-1]
	case strings.Contains(host, ":") && net.ParseIP(host) == nil:
		return "", "", mySQLHostError("is neither a host nor host:port")
	}
	if host == "" || strings.ContainsAny(host, "/ \t\r\n@") {
		return "", "", mySQLHostError("is not a host name")
	}
	if port == 0 {
		port = 3306
	}
	return "tcp", net.JoinHostPort(host, strconv.Itoa(port)), nil
}

func mySQLHostError(problem string) error {
	return &HostError{Problem: problem, Advice: "write HOST, HOST:PORT or [IPv6]:PORT; localhost for the unix socket that dboptions dbsocket names"}
}

// withoutPersistence removes mysqli's mark of a persistent connection.
func withoutPersistence(host string) string {
	if len(host) >= 2 && strings.EqualFold(host[:2], "p:") {
		return host[2:]
	}
	return host
}

// SameHost says whether two values of $CFG->dbhost are one host.
func SameHost(a, b string) bool {
	return strings.EqualFold(withoutPersistence(a), withoutPersistence(b))
}

// mySQLSocket is dboptions dbsocket if it is a path, else php's own default (Moodle
// lib/dml/mysqli_native_moodle_database.php). php on the command line may have other settings than
// that of the web server: if there is no such socket, it is the first usual path that exists. If
// none exists, the connection attempt reports it.
func mySQLSocket(a Account) string {
	if strings.Contains(a.Socket, "/") {
		return a.Socket
	}
	usual := mySQLSockets
	if a.DefaultSocket != "" {
		usual = slices.Concat([]string{a.DefaultSocket}, usual)
	}
	for _, path := range usual {
		if isSocket(path) {
			return path
		}
	}
	return usual[0]
}

// UsesDefaultSocket says that Account.DefaultSocket matters.
func UsesDefaultSocket(d Dialect, a Account) bool {
	network, _, err := d.Endpoint(a)
	return d == mySQL{} && err == nil && network == "unix" && !strings.Contains(a.Socket, "/")
}

func isSocket(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&os.ModeSocket != 0
}

// mySQLSession is set on every connection, so that nothing depends on the settings of the server or
// the account.
func mySQLSession() map[string]string {
	seconds := strconv.Itoa(int(lockWait.Seconds()))
	return map[string]string{
		"autocommit": "1",
		// Moodle itself sets this mode. Without it, a key that does not fit would be cut silently.
		"sql_mode":                 "'STRICT_ALL_TABLES'",
		"innodb_lock_wait_timeout": seconds, // rows
		"lock_wait_timeout":        seconds, // table definitions: a running ALTER TABLE
		"wait_timeout":             "28800",
	}
}

// Connector counts the rows that match, not those that change.
func (d mySQL) Connector(a Account) (driver.Connector, error) {
	settings, err := d.settings(a)
	if err != nil {
		return nil, err
	}
	return mysql.NewConnector(settings)
}

func (d mySQL) settings(a Account) (*mysql.Config, error) {
	network, address, err := d.Endpoint(a)
	if err != nil {
		return nil, err
	}
	s := mysql.NewConfig()
	if err := s.Apply(mysql.Charset("utf8mb4", "")); err != nil {
		return nil, err
	}
	s.Net, s.Addr, s.User, s.Passwd, s.DBName = network, address, a.User, a.Password, a.Name
	s.Timeout, s.ReadTimeout, s.WriteTimeout = a.Timeout, ioTimeout, ioTimeout
	s.ClientFoundRows = true
	// This makes one round trip per statement instead of three. It is safe with utf8mb4, in which
	// no byte of a character is a quote.
	s.InterpolateParams = true
	s.Params = mySQLSession()
	s.Logger = &mysql.NopLogger{} // errors are returned; nothing else may write to stderr
	if network != "unix" {        // a socket stays on the machine
		s.TLS, s.AllowFallbackToPlaintext = mySQLTLS(a.SSL)
	}
	return s, nil
}

// mySQLTLS translates dboptions ssl (Moodle lib/dml/mysqli_native_moodle_database.php, connect):
// prefer encrypts if the server can, require insists, verify-full also checks the server's
// certificate against its host name.
func mySQLTLS(ssl string) (config *tls.Config, plaintextAllowed bool) {
	switch ssl {
	case "", "disable":
		return nil, false
	case "verify-full":
		return &tls.Config{MinVersion: tls.VersionTLS12}, false
	case "prefer":
		return &tls.Config{InsecureSkipVerify: true}, true //nolint:gosec // what the option says
	default:
		return &tls.Config{InsecureSkipVerify: true}, false //nolint:gosec // what the option says
	}
}
