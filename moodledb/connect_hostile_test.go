package moodledb

import (
	"bytes"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"renew_mnetkeys/moodledb/config"
)

// A server may answer any statement, even the first of a session, with a demand for a file (LOCAL
// INFILE).
func TestADatabaseServerGetsNoFileOfOurs(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("SECRET"), 0o600); err != nil {
		t.Fatal(err)
	}
	const allowed = "with every file allowed, as a control"
	for name, file := range map[string]string{"a file": secret, "a reader": "Reader::" + secret, "the terminal": "/dev/stdin", allowed: secret} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = listener.Close() }()
			sent := make(chan []byte, 1)
			go func() { sent <- demand(listener, file) }()
			c := &config.Config{DBType: "mariadb", DBHost: "127.0.0.1", DBPort: listener.Addr().(*net.TCPAddr).Port, DBName: "n", DBUser: "u", DBPass: "p"}
			if name != allowed {
				if db, err := connect(t.Context(), c); err == nil || !strings.Contains(err.Error(), "is not registered") {
					t.Errorf("%v, error %v", db, err)
				}
				if got := <-sent; len(got) > 0 {
					t.Errorf("the server was sent %q", got)
				}
				return
			}
			settings := mysql.NewConfig()
			settings.Net, settings.Addr, settings.User, settings.Passwd, settings.DBName = "tcp", listener.Addr().String(), "u", "p", "n"
			settings.AllowAllFiles, settings.Params = true, map[string]string{"autocommit": "1"}
			connector, err := mysql.NewConnector(settings)
			if err != nil {
				t.Fatal(err)
			}
			if conn, err := connector.Connect(t.Context()); err == nil {
				_ = conn.Close()
			}
			if got := <-sent; string(got) != "SECRET" {
				t.Errorf("the demand does not work: %q", got)
			}
		})
	}
}

// demand greets one client, accepts any password, answers its first statement with a demand for a
// file, and returns what it receives then.
func demand(listener net.Listener, file string) (sent []byte) {
	conn, err := listener.Accept()
	if err != nil {
		return nil
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	say := func(sequence byte, payload []byte) {
		_, _ = conn.Write(append([]byte{byte(len(payload)), 0, 0, sequence}, payload...))
	}
	ok := []byte{0, 0, 0, 2, 0, 0, 0}

	greeting := bytes.NewBufferString("\x0a10.11.0\x00")              // protocol, version
	greeting.WriteString("\x01\x00\x00\x0012345678\x00")              // connection, first part of the salt
	greeting.WriteString("\xff\xf7\x2d\x02\x00\xff\x81\x15")          // capabilities without TLS, utf8mb4, autocommit, the length of the salt
	greeting.WriteString(strings.Repeat("\x00", 10))                  // reserved
	greeting.WriteString("123456789012\x00mysql_native_password\x00") // second part of the salt
	say(0, greeting.Bytes())
	if _, _, err := readPacket(conn); err != nil {
		return nil
	}
	say(2, ok)
	if _, query, err := readPacket(conn); err != nil || query == "" {
		return []byte("no statement: " + query)
	}
	say(1, append([]byte{0xfb}, file...))
	for {
		packet, _, err := readPacket(conn)
		if err != nil || len(packet) == 4 { // the empty packet that ends a file
			say(packet[3]+1, ok)
			return sent
		}
		sent = append(sent, packet[4:]...)
	}
}

// The servers of many systems let root in as root by their socket, whatever the password.
func TestAmongSitesOfSeveralUsersNobodyGetsRootsAccount(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can try")
	}
	file := filepath.Join(t.TempDir(), "config.php")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		owner   int
		change  func(*config.Config)
		refused bool
	}{
		"a user's config.php": {65534, func(*config.Config) {}, true},
		"root's":              {0, func(*config.Config) {}, false},
		"of one user alone":   {65534, func(c *config.Config) { c.Shared = false }, false},
		"by TCP":              {65534, func(c *config.Config) { c.DBHost, c.DBPort = "127.0.0.1", 1 }, false},
		"another account":     {65534, func(c *config.Config) { c.DBUser = "moodle" }, false},
	} {
		if err := os.Chown(file, c.owner, -1); err != nil {
			t.Fatal(err)
		}
		site := config.Config{File: file, DBType: "mariadb", DBHost: "localhost", DBSocket: "/no/socket", DBName: "bobs", DBUser: "root", Shared: true}
		c.change(&site)
		_, err := Open(t.Context(), &site)
		var access *AccessError
		if !errors.As(err, &access) || strings.Contains(access.Problem, "account root") != c.refused || isAnswer(err) != c.refused {
			t.Errorf("%s: %v", name, err)
		}
	}
}
