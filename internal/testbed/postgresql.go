package testbed

import (
	"cmp"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// The server that test.sh has started for the whole run.
const (
	envPostgresSocket = "MNETKEYS_TEST_POSTGRES_SOCKET" // directory of its unix socket; postgres needs no password there
	envPostgresPort   = "MNETKEYS_TEST_POSTGRES_PORT"   // its port on 127.0.0.1
)

var postgresql once[Server]

// PostgreSQL is the server that all tests of this process share: that of test.sh, or a private one,
// started at the first call.
func PostgreSQL(t testing.TB) *Server {
	t.Helper()
	return postgresql.get(func() *Server {
		if s := ofRun(t, PostgreSQLType, envPostgresSocket, envPostgresPort); s != nil {
			return s
		}
		return startPostgreSQL(t)
	})
}

// hba lets the administrator in by the socket alone, and everybody else with a password.
const hba = `local all postgres trust
local replication postgres trust
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
`

func startPostgreSQL(t testing.TB) *Server {
	t.Helper()
	dir := installPostgreSQL(t)
	s := &Server{DBType: PostgreSQLType, Host: "127.0.0.1", Port: FreePort(t), Socket: dir}
	daemon, arguments := s.postgres(t)
	p := s.run(t, unprivileged(t), dir, daemon, arguments)
	atExit(t, p.stop)
	return s
}

// installPostgreSQL makes the files of a server, and gives their directory.
func installPostgreSQL(t testing.TB) (dir string) {
	t.Helper()
	initdb := postgresProgram(t, "initdb")
	dir = privateDir(t, "mnetpg")
	data := filepath.Join(dir, "data")
	install := exec.Command(initdb, "--pgdata="+data, "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
	install.Dir, install.SysProcAttr = dir, unprivileged(t)
	out, err := install.CombinedOutput()
	if err == nil {
		err = os.WriteFile(filepath.Join(data, "pg_hba.conf"), []byte(hba), 0o644)
	}
	if err != nil {
		_ = os.RemoveAll(dir)
		t.Fatalf("testbed: initdb: %v: %s", err, out)
	}
	return dir
}

// postgres is the command of the server, whose files are in the directory of its socket.
func (s *Server) postgres(t testing.TB) (daemon string, arguments []string) {
	t.Helper()
	arguments = []string{"-D", filepath.Join(s.Socket, "data"), "-p", strconv.Itoa(s.Port)}
	// No data here must survive the test.
	for _, setting := range []string{
		"listen_addresses=" + s.Host, "unix_socket_directories=" + s.Socket, "max_connections=300",
		"fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=64MB", "autovacuum=off",
	} {
		arguments = append(arguments, "-c", setting)
	}
	return postgresProgram(t, "postgres"), arguments
}

// postgresProgram finds a program of the newest version: Debian links few of them into the PATH.
func postgresProgram(t testing.TB, name string) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) > 0 {
		return slices.MaxFunc(found, byVersion)
	}
	return Program(t, name)
}

// byVersion compares the versions in VERSION/bin/PROGRAM, of which 17 is newer than 9.6.
func byVersion(a, b string) int {
	version := func(program string) float64 {
		v, _ := strconv.ParseFloat(filepath.Base(filepath.Dir(filepath.Dir(program))), 64) // 0 if it is none
		return v
	}
	return cmp.Compare(version(a), version(b))
}

// unprivileged are the attributes of a process that refuses to run as root: as root it runs as
// somebody else. Nil means as this process.
func unprivileged(t testing.TB) *syscall.SysProcAttr {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if account, err := user.Lookup(name); err == nil {
			uid, _ := strconv.ParseUint(account.Uid, 10, 32)
			gid, _ := strconv.ParseUint(account.Gid, 10, 32)
			return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		}
	}
	Missing(t, "PostgreSQL does not run as root, and there is neither an account postgres nor nobody")
	return nil
}

// privateDir is a directory of the account of [unprivileged], with a short name: a socket's path
// must be short. It is no t.TempDir, since a shared server outlives the first test that needs it.
func privateDir(t testing.TB, pattern string) string {
	t.Helper()
	dir, err := os.MkdirTemp(memory(), pattern)
	if err != nil {
		t.Fatal(err)
	}
	// Others look for sockets there, such as a server that runs as somebody else.
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if as := unprivileged(t); as != nil {
		if err := os.Chown(dir, int(as.Credential.Uid), int(as.Credential.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// scram is what PostgreSQL keeps of a password (RFC 5803), of one iteration instead of 4096: tests
// connect thousands of times, and each time both sides would do them all.
func scram(password string) string {
	salt := rand.Text()
	salted, err := pbkdf2.Key(sha256.New, password, []byte(salt), 1, sha256.Size)
	if err != nil {
		panic(err) // the length is that of the hash
	}
	key := func(name string) []byte {
		mac := hmac.New(sha256.New, salted)
		mac.Write([]byte(name))
		return mac.Sum(nil)
	}
	stored, text := sha256.Sum256(key("Client Key")), base64.StdEncoding.EncodeToString
	return "SCRAM-SHA-256$1:" + text([]byte(salt)) + "$" + text(stored[:]) + ":" + text(key("Server Key"))
}

func (s *Server) postgresRoot(t testing.TB, name string) *sql.DB {
	t.Helper()
	if name == "" {
		name = "postgres"
	}
	c, err := pgx.ParseConfig("host=localhost sslmode=disable user=postgres")
	if err != nil {
		t.Fatal(fmt.Errorf("testbed: %w", err))
	}
	c.Host, c.Port, c.Password, c.Database, c.DefaultQueryExecMode = s.Socket, uint16(s.Port), "", name, pgx.QueryExecModeExec
	c.Fallbacks, c.RuntimeParams = nil, map[string]string{}
	c.DialFunc = (&net.Dialer{}).DialContext
	return stdlib.OpenDB(*c)
}
