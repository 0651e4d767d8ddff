package testbed

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Cramped is a directory for a tablespace of a server of [CrampedPostgreSQL], with few MiB.
func (s *Server) Cramped() string { return filepath.Join(s.Socket, "cramped") }

// CrampedPostgreSQL is a server for one test, which may fill up its small disk: a file system in
// memory that it alone sees, and that ends with it. Only root can make one.
func CrampedPostgreSQL(t testing.TB) *Server {
	t.Helper()
	as := unprivileged(t)
	if as == nil || exec.Command("unshare", "--mount", "true").Run() != nil {
		t.Skip("only root can mount a small file system")
	}
	s := &Server{DBType: PostgreSQLType, Host: "127.0.0.1", Port: FreePort(t), Socket: installPostgreSQL(t)}
	if err := os.Mkdir(s.Cramped(), 0o755); err != nil {
		t.Fatal(err)
	}
	daemon, arguments := s.postgres(t)
	script := fmt.Sprintf(`mount -t tmpfs -o size=8m,uid=%[1]d,gid=%[2]d tmpfs "$0" && exec setpriv --reuid=%[1]d --regid=%[2]d --clear-groups "$@"`, as.Credential.Uid, as.Credential.Gid)
	mounted := []string{"--mount", "/bin/sh", "-c", script, s.Cramped(), daemon}
	p := s.run(t, nil, s.Socket, "unshare", append(mounted, arguments...))
	t.Cleanup(p.stop)
	return s
}

// Standby is a hot standby of a server of PostgreSQL, which answers and lets nobody write. It has
// what the server has when it is made.
func (s *Server) Standby(t testing.TB) *Server {
	t.Helper()
	standby := &Server{DBType: s.DBType, Host: s.Host, Port: FreePort(t), Socket: privateDir(t, "mnetpg")}
	as := unprivileged(t)
	copying := exec.Command(postgresProgram(t, "pg_basebackup"), "--host="+s.Socket, fmt.Sprint("--port=", s.Port), "--username=postgres", "--no-password",
		"--pgdata="+filepath.Join(standby.Socket, "data"), "--wal-method=stream", "--checkpoint=fast", "--no-sync", "--no-manifest", "--write-recovery-conf")
	copying.Dir, copying.SysProcAttr = standby.Socket, as
	if out, err := copying.CombinedOutput(); err != nil {
		_ = os.RemoveAll(standby.Socket)
		t.Fatalf("testbed: pg_basebackup: %v: %s", err, out)
	}
	daemon, arguments := standby.postgres(t)
	p := standby.run(t, as, standby.Socket, daemon, arguments)
	t.Cleanup(p.stop)
	return standby
}
