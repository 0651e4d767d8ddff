package moodledb

import (
	"context"
	"crypto/tls"
	"database/sql"
	"fmt"
	"os"
	"time"

	"github.com/go-sql-driver/mysql"

	"renew_mnetkeys/moodledb/config"
)

const (
	defaultConnectTimeout = 10 * time.Second
	// ioTimeout ends a statement that the server does not answer. It is longer than any lock wait
	// of the session, so that the server's own error, which names the reason, comes first.
	ioTimeout = 30 * time.Second
	// maxConnections is the number of connections that a tenant may use at the same time: the lock
	// occupies one, the others store what peers answer.
	maxConnections = 4
)

// session is set on every connection, so that nothing depends on the settings of the server or the
// account.
func session() map[string]string {
	return map[string]string{
		"autocommit": "1",
		// Moodle itself sets this mode. Without it, a key that does not fit would be cut silently.
		"sql_mode":                 "'STRICT_ALL_TABLES'",
		"innodb_lock_wait_timeout": "10", // seconds; rows
		"lock_wait_timeout":        "10", // seconds; table definitions: a running ALTER TABLE
		"wait_timeout":             "28800",
	}
}

// connect opens a pool on the database of c, always the primary: dboptions readonly replicas are
// for readers that accept old data. The caller closes it. The connection reads and writes utf8mb4
// and counts the rows that match, not those that change.
func connect(ctx context.Context, c *config.Config) (*sql.DB, error) {
	if err := c.CheckDBType(); err != nil {
		return nil, err
	}
	settings, err := driverSettings(c)
	if err != nil {
		return nil, err
	}
	connector, err := mysql.NewConnector(settings)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", server(c), err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(maxConnections)
	db.SetMaxIdleConns(maxConnections)
	limited, cancel := context.WithTimeout(ctx, settings.Timeout)
	defer cancel()
	if err := db.PingContext(limited); err != nil {
		_ = db.Close()
		switch {
		case ctx.Err() != nil:
			err = ctx.Err()
		case limited.Err() != nil:
			err = os.ErrDeadlineExceeded
		}
		return nil, fmt.Errorf("connect: %w", explain(c, err))
	}
	return db, nil
}

func driverSettings(c *config.Config) (*mysql.Config, error) {
	network, address, err := c.Endpoint()
	if err != nil {
		return nil, err
	}
	s := mysql.NewConfig()
	if err := s.Apply(mysql.Charset("utf8mb4", "")); err != nil {
		return nil, err
	}
	s.Net, s.Addr, s.User, s.Passwd, s.DBName = network, address, c.DBUser, c.DBPass, c.DBName
	s.Timeout, s.ReadTimeout, s.WriteTimeout = c.ConnectTimeout, ioTimeout, ioTimeout
	if s.Timeout <= 0 {
		s.Timeout = defaultConnectTimeout
	}
	s.ClientFoundRows = true
	// This makes one round trip per statement instead of three. It is safe with utf8mb4, in which
	// no byte of a character is a quote.
	s.InterpolateParams = true
	s.Params = session()
	s.Logger = &mysql.NopLogger{} // errors are returned; nothing else may write to stderr
	if network != "unix" {        // a socket stays on the machine
		s.TLS, s.AllowFallbackToPlaintext = tlsSettings(c.SSL)
	}
	return s, nil
}

// tlsSettings translates dboptions ssl (Moodle lib/dml/mysqli_native_moodle_database.php, connect):
// prefer encrypts if the server can, require insists, verify-full also checks the server's
// certificate against its host name.
func tlsSettings(ssl string) (config *tls.Config, plaintextAllowed bool) {
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

// server names a database for an operator: without the password, with the network that was used.
func server(c *config.Config) string {
	network, address, _ := c.Endpoint() // an error would have prevented the connection
	if network == "unix" {
		address = "socket " + address
	}
	return fmt.Sprintf("database %s at %s as %s", c.DBName, address, c.DBUser)
}
