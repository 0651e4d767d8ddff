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

	// Another MySQL or MariaDB that the tests are to run on instead.
	envOtherSocket = "MNETKEYS_TEST_MYSQL_SOCKET"
	envOtherPort   = "MNETKEYS_TEST_MYSQL_PORT"
)

// Moodle's names of the kinds of database servers ($CFG->dbtype).
const (
	MariaDBType    = "mariadb"
	PostgreSQLType = "pgsql"
)

// Server is a database server of the tests, on a unix socket and on a TCP port of 127.0.0.1.
type Server struct {
	DBType string // MariaDBType or PostgreSQLType
	Host   string // 127.0.0.1
	Port   int
	Socket string // as dboptions dbsocket: the path of the socket, of PostgreSQL its directory
}

// EachDatabase runs a test on each kind of server, side by side.
func EachDatabase(t *testing.T, test func(t *testing.T, server *Server)) {
	t.Helper()
	for name, server := range map[string]func(testing.TB) *Server{"MariaDB": MariaDB, "PostgreSQL": PostgreSQL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, server(t))
		})
	}
}

// once is what all tests of a process share, made when the first one asks.
type once[T any] struct {
	sync.Mutex
	value *T
}

// get makes it if no test has. A test that cannot make it ends, and the next one tries again.
func (o *once[T]) get(make func() *T) *T {
	o.Lock()
	defer o.Unlock()
	if o.value == nil {
		o.value = make()
	}
	return o.value
}

var mariadb once[Server]

// MariaDB is the server that all tests of this process share: the other one that is to be tested,
// that of test.sh, or a private one, started at the first call.
func MariaDB(t testing.TB) *Server {
	t.Helper()
	return mariadb.get(func() *Server {
		if s := ofRun(t, MariaDBType, envOtherSocket, envOtherPort); s != nil {
			return s
		}
		if s := ofRun(t, MariaDBType, envSocket, envPort); s != nil {
			return s
		}
		s, p := newMariaDB(t)
		atExit(t, p.stop)
		return s
	})
}

// ofRun is the server that the variables name, nil without them.
func ofRun(t testing.TB, dbtype, socket, port string) *Server {
	t.Helper()
	if os.Getenv(socket) == "" {
		return nil
	}
	n, err := strconv.Atoi(os.Getenv(port))
	if err != nil {
		t.Fatalf("testbed: %s is set, %s is no port: %v", socket, port, err)
	}
	return &Server{DBType: dbtype, Host: "127.0.0.1", Port: n, Socket: os.Getenv(socket)}
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

// root connects as the administrator. Several statements in one Exec are allowed, on PostgreSQL
// without arguments only.
func (s *Server) root(t testing.TB, name string) *sql.DB {
	t.Helper()
	if s.DBType == PostgreSQLType {
		return s.postgresRoot(t, name)
	}
	c := mysql.NewConfig()
	c.User, c.Net, c.Addr, c.DBName, c.MultiStatements = "root", "unix", s.Socket, name, true
	connector, err := mysql.NewConnector(c)
	if err != nil {
		t.Fatal(fmt.Errorf("testbed: %w", err))
	}
	return sql.OpenDB(connector)
}
