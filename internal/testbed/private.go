package testbed

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"syscall"
	"testing"
)

// PrivateMariaDB is a server for one test, which may break it: set it read-only, fill it up, stop
// it. It is installed and started with the options, which override those of [MariaDB].
func PrivateMariaDB(t testing.TB, options ...string) *Server {
	t.Helper()
	s, p := newMariaDB(t, options...)
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("MariaDB:\n%s", p.log)
		}
	})
	return s
}

// newMariaDB starts a server; the caller must stop it.
func newMariaDB(t testing.TB, options ...string) (*Server, *process) {
	t.Helper()
	install, daemon := Program(t, "mariadb-install-db", "mysql_install_db"), Program(t, "mariadbd", "mysqld")
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	// Not t.TempDir: the server may outlive the first test that needs it. The name is short,
	// because a socket's path must be short.
	dir, err := os.MkdirTemp(memory(), "mnetdb")
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	// Two servers that share one can remove each other's temporary tables.
	options = append([]string{"--tmpdir=" + dir}, options...)
	out, err := exec.Command(install, append([]string{"--no-defaults", "--force", "--datadir=" + data, "--user=" + me.Username, "--skip-test-db",
		"--auth-root-authentication-method=normal"}, options...)...).CombinedOutput()
	if err != nil {
		_ = os.RemoveAll(dir)
		t.Fatalf("testbed: mariadb-install-db: %v: %s", err, out)
	}
	s := &Server{DBType: MariaDBType, Host: "127.0.0.1", Port: FreePort(t), Socket: filepath.Join(dir, "socket")}
	return s, s.run(t, nil, dir, daemon, append(s.arguments(data, me.Username), options...))
}

// run starts the server, whose files are in dir, and waits until it answers.
func (s *Server) run(t testing.TB, as *syscall.SysProcAttr, dir, daemon string, arguments []string) *process {
	t.Helper()
	p, err := startAs(as, dir, daemon, arguments)
	if err != nil {
		_ = os.RemoveAll(dir)
		t.Fatal(err)
	}
	root := s.root(t, "")
	defer func() { _ = root.Close() }()
	if err := p.await(root.Ping); err != nil {
		p.stop()
		t.Fatalf("testbed: %s: %v", daemon, err)
	}
	return p
}

// memory is a file system in memory with room for a server and its databases, "" if there is none.
// On a busy disk it takes a quarter of a second to make a site's tables, and as long to drop them;
// in memory it takes 10 ms.
func memory() string {
	const dir, room = "/dev/shm", 2 << 30
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil || uint64(s.Bavail)*uint64(s.Bsize) < room {
		return ""
	}
	return dir
}
