package moodledb

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/rotate"
)

func TestOpenSaysWhyItCannot(t *testing.T) {
	t.Parallel()
	s := newSite(t, "mdl_")
	silent, plain := silentServer(t), testbed.MariaDB(t).WithoutTLS(t).Port
	for name, c := range map[string]struct {
		change  func(*config.Config)
		problem string // in the error
		hint    string // in the hint
	}{
		"a wrong password":   {func(c *config.Config) { c.DBPass = "wrong-" + s.Password }, "1045", "dbpass"},
		"an unknown account": {func(c *config.Config) { c.DBUser = "nobody" }, "1045", "dbuser"},
		"a wrong password on a socket": {func(c *config.Config) {
			c.DBHost, c.DBSocket, c.DBPass = "localhost", s.Socket, "wrong-"+s.Password
		}, "1045", "system user"},
		"an unknown database": {func(c *config.Config) {
			c.DBUser, c.DBPass, c.DBHost, c.DBSocket, c.DBName = "root", "", "localhost", s.Socket, "none"
		}, "1049", "dbname"},
		"another's database":              {func(c *config.Config) { c.DBName = "mysql" }, "1044", "dbname"},
		"nobody listens":                  {func(c *config.Config) { c.DBPort = closedPort(t) }, "refused", "running"},
		"no such socket":                  {func(c *config.Config) { c.DBHost, c.DBSocket = "localhost", filepath.Join(t.TempDir(), "none") }, "no such socket", "dbsocket"},
		"a server that is mute":           {func(c *config.Config) { c.DBPort, c.ConnectTimeout = silent, 200*time.Millisecond }, "no answer", "dbhost"},
		"TLS is demanded and not offered": {func(c *config.Config) { c.SSL, c.DBPort = "require", plain }, "TLS", "ssl"},
	} {
		t.Run(name, func(t *testing.T) {
			config := *s.config
			c.change(&config)
			tenant, err := Open(t.Context(), &config)
			var access *AccessError
			if !errors.As(err, &access) {
				t.Fatalf("got %v, %v", tenant, err)
			}
			if !strings.Contains(err.Error(), c.problem) || !strings.Contains(access.Hint(), c.hint) {
				t.Errorf("error %q, hint %q", err, access.Hint())
			}
			if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err)+access.Hint(), s.Password) {
				t.Errorf("the password is shown: %v", err)
			}
		})
	}
}

// silentServer accepts connections and says nothing.
func silentServer(t *testing.T) (port int) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().(*net.TCPAddr).Port
}

func closedPort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port
}

func TestOpenRefusesOtherDatabases(t *testing.T) {
	t.Parallel()
	for _, dbtype := range []string{"postgres", "sqlsrv", "oci", ""} {
		_, err := Open(t.Context(), &config.Config{DBType: dbtype})
		var unsupported *config.UnsupportedDBError
		if !errors.As(err, &unsupported) || unsupported.DBType != dbtype {
			t.Errorf("%q: %v", dbtype, err)
		}
	}
}

func TestOpenRefusesAHostThatIsNone(t *testing.T) {
	t.Parallel()
	_, err := Open(t.Context(), &config.Config{DBType: "mysqli", DBHost: "db:x"})
	var unusable *config.Error
	if !errors.As(err, &unusable) || unusable.Setting != "dbhost" {
		t.Errorf("got %v", err)
	}
}

func TestOpenByEveryWay(t *testing.T) {
	t.Parallel()
	s := newSite(t, "mdl_")
	plain := testbed.MariaDB(t).WithoutTLS(t).Port
	for name, change := range map[string]func(*config.Config){
		"TCP":                          func(*config.Config) {},
		"unix socket":                  func(c *config.Config) { c.DBHost, c.DBSocket = "localhost", s.Socket },
		"TLS preferred":                func(c *config.Config) { c.SSL = "prefer" },
		"TLS preferred, not offered":   func(c *config.Config) { c.SSL, c.DBPort = "prefer", plain },
		"no TLS on a socket":           func(c *config.Config) { c.DBHost, c.DBSocket, c.SSL = "localhost", s.Socket, "require" },
		"mysqli":                       func(c *config.Config) { c.DBType = "mysqli" },
		"a time limit that is not set": func(c *config.Config) { c.ConnectTimeout = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			config := *s.config
			change(&config)
			if got := read(t, openConfig(t, &config)).Site; got != "Own site" {
				t.Errorf("fullname %q", got)
			}
		})
	}
}

func TestOpenEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := newSite(t, "mdl_")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, s.config); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestSessionDoesNotDependOnTheServersSettings(t *testing.T) {
	t.Parallel()
	tenant := newSite(t, "mdl_").open(t)
	for name, want := range map[string]string{
		"sql_mode": "STRICT_ALL_TABLES", "autocommit": "1", "character_set_client": "utf8mb4",
		"innodb_lock_wait_timeout": "10", "lock_wait_timeout": "10", "wait_timeout": "28800",
	} {
		var got string
		if err := tenant.db.QueryRow("SELECT @@" + name).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q, not %q (%v)", name, got, want, err)
		}
	}
}

// TestTLS uses a server that offers TLS with a certificate that no one trusts.
func TestTLS(t *testing.T) {
	t.Parallel()
	for ssl, check := range map[string]func(t *testing.T, handshake, open error){
		"prefer":  encrypted,
		"require": encrypted,
		"verify-full": func(t *testing.T, handshake, open error) {
			var access *AccessError
			if handshake == nil || !errors.As(open, &access) || !strings.Contains(access.Hint(), "trust") {
				t.Errorf("handshake %v, error %v", handshake, open)
			}
		},
		"disable": func(t *testing.T, handshake, open error) {
			if !errors.Is(handshake, errPlaintext) {
				t.Errorf("handshake %v", handshake)
			}
		},
	} {
		t.Run(ssl, func(t *testing.T) {
			port, handshake := tlsServer(t)
			_, err := Open(t.Context(), &config.Config{DBType: "mysqli", DBHost: "127.0.0.1", DBPort: port, DBUser: "u", DBName: "d", SSL: ssl,
				ConnectTimeout: 5 * time.Second})
			check(t, <-handshake, err)
		})
	}
}

func encrypted(t *testing.T, handshake, open error) {
	if handshake != nil || open == nil { // the server closes the connection after the handshake
		t.Errorf("handshake %v, error %v", handshake, open)
	}
}

var errPlaintext = errors.New("the client answered in plain text")

// tlsServer greets like a MySQL server that offers TLS, makes the handshake and closes the
// connection.
func tlsServer(t *testing.T) (port int, handshake <-chan error) {
	t.Helper()
	https := httptest.NewUnstartedServer(nil)
	https.StartTLS() // for its certificate
	t.Cleanup(https.Close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	result := make(chan error, 1)
	go func() { result <- greet(listener, https.TLS) }()
	return listener.Addr().(*net.TCPAddr).Port, result
}

func greet(listener net.Listener, config *tls.Config) error {
	conn, err := listener.Accept()
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	// The greeting is Protocol::HandshakeV10: version, name, connection id, scramble, capabilities
	// (protocol 41, TLS, secure connection, plugin).
	const capabilities = 1<<9 | 1<<11 | 1<<15 | 1<<19
	greeting := append([]byte{10}, "8.0.0\x00\x01\x00\x00\x0012345678\x00"...)
	greeting = binary.LittleEndian.AppendUint16(greeting, capabilities&0xffff)
	greeting = append(greeting, 45, 2, 0)
	greeting = binary.LittleEndian.AppendUint16(greeting, capabilities>>16)
	greeting = append(greeting, 21)
	greeting = append(greeting, make([]byte, 10)...)
	greeting = append(greeting, "123456789012\x00mysql_native_password\x00"...)
	if _, err := conn.Write(append([]byte{byte(len(greeting)), 0, 0, 0}, greeting...)); err != nil {
		return err
	}
	request := make([]byte, 4+32) // an SSLRequest; a plain answer is longer
	if _, err := io.ReadFull(conn, request); err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(request[4:])&(1<<11) == 0 {
		return errPlaintext
	}
	return tls.Server(conn, config).Handshake()
}

// TestARefusalNamesTheAccountAndSaysWhatToDo has servers that refuse accounts whose password is
// right: while connecting, or at the first statement.
func TestARefusalNamesTheAccountAndSaysWhatToDo(t *testing.T) {
	t.Parallel()
	mariadb, postgres := testbed.MariaDB(t), testbed.PostgreSQL(t)
	for name, c := range map[string]struct {
		server  *testbed.Server
		by      func(s *site, account string) string
		problem string
		hint    string
	}{
		"a locked account": {mariadb, func(_ *site, a string) string { return "ALTER USER " + a + " ACCOUNT LOCK" }, "locked", "unlock"},
		"an account that may not do more in this hour": {mariadb, func(_ *site, a string) string {
			return "ALTER USER " + a + " WITH MAX_QUERIES_PER_HOUR 1"
		}, "1226", "raise its limits"},
		"an account that must not log in":   {postgres, func(_ *site, a string) string { return "ALTER ROLE " + a + " NOLOGIN" }, "28000", "allowed to log in"},
		"an account without any connection": {postgres, func(_ *site, a string) string { return "ALTER ROLE " + a + " CONNECTION LIMIT 0" }, "53300", "later"},
		"a database that is not its own": {postgres, func(s *site, a string) string {
			return "REVOKE CONNECT ON DATABASE " + s.Name + " FROM PUBLIC, " + a
		}, "42501", "CONNECT"},
	} {
		t.Run(name, func(t *testing.T) {
			s := siteIn(t, c.server, "mdl_")
			s.Exec(t, c.by(s, s.User))
			tenant, err := Open(t.Context(), s.config)
			for range 3 { // an hour's statements are used up
				if err == nil {
					_, err = tenant.Read(t.Context())
				}
			}
			var access *AccessError
			if !errors.As(err, &access) || access.Server != server(s.config) || !strings.Contains(err.Error(), server(s.config)) || !strings.Contains(access.Problem, c.problem) || !strings.Contains(access.Hint(), c.hint) {
				t.Errorf("%v\nhint: %s", err, rotate.HintOf(err))
			}
		})
	}
}
