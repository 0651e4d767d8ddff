package testbed

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// The server that test.sh has started for the whole run; without these variables each test process
// starts its own.
const (
	envSocket = "MNETKEYS_TEST_MARIADB_SOCKET" // path of its unix socket; root needs no password
	envPort   = "MNETKEYS_TEST_MARIADB_PORT"   // its port on 127.0.0.1
)

// Server is a MariaDB server of the tests, on a unix socket and on a TCP port of 127.0.0.1.
type Server struct {
	Host   string // 127.0.0.1
	Port   int
	Socket string
}

var mariadb struct {
	sync.Mutex
	server *Server
}

// MariaDB is the server that all tests of this process share: that of test.sh, or a private one,
// started at the first call.
func MariaDB(t testing.TB) *Server {
	t.Helper()
	mariadb.Lock()
	defer mariadb.Unlock()
	if mariadb.server != nil {
		return mariadb.server
	}
	if socket := os.Getenv(envSocket); socket != "" {
		port, err := strconv.Atoi(os.Getenv(envPort))
		if err != nil {
			t.Fatalf("testbed: %s is set, %s is no port: %v", envSocket, envPort, err)
		}
		mariadb.server = &Server{Host: "127.0.0.1", Port: port, Socket: socket}
		return mariadb.server
	}
	mariadb.server = startMariaDB(t)
	return mariadb.server
}

func startMariaDB(t testing.TB) *Server {
	t.Helper()
	s, p := newMariaDB(t)
	atExit(t, p.stop)
	return s
}

// arguments trade all durability for speed: no data here must survive the test.
func (s *Server) arguments(data, account string) []string {
	return []string{
		"--no-defaults", "--user=" + account, "--datadir=" + data, "--socket=" + s.Socket, "--pid-file=" + data + "/pid",
		// A server that starts removes files that it takes for its own left-overs: those of another
		// server, if they share the directory.
		"--tmpdir=" + filepath.Dir(s.Socket),
		"--bind-address=" + s.Host, "--port=" + strconv.Itoa(s.Port), "--skip-name-resolve", "--skip-log-bin",
		"--character-set-server=utf8mb4", "--collation-server=utf8mb4_unicode_ci", "--max-connections=300",
		"--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync", "--innodb-buffer-pool-size=64M",
		"--innodb-fast-shutdown=2", "--innodb-log-file-size=16M", "--performance-schema=off",
	}
}

// root connects as the administrator. Several statements in one Exec are allowed.
func (s *Server) root(t testing.TB, name string) *sql.DB {
	t.Helper()
	c := mysql.NewConfig()
	c.User, c.Net, c.Addr, c.DBName, c.MultiStatements = "root", "unix", s.Socket, name, true
	connector, err := mysql.NewConnector(c)
	if err != nil {
		t.Fatal(fmt.Errorf("testbed: %w", err))
	}
	return sql.OpenDB(connector)
}
