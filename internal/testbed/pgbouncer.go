package testbed

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// pgbouncerINI pools transactions, and refuses whatever parameters pgbouncer refuses by default.
const pgbouncerINI = `[databases]
%s = host=%s port=%d
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = scram-sha-256
auth_file = %s
pool_mode = transaction
default_pool_size = 4
`

// Pooled is the database behind a pgbouncer of the test's own, by TCP.
func (d *Database) Pooled(t testing.TB) *Database {
	t.Helper()
	daemon, dir := Program(t, "pgbouncer"), privateDir(t, "mnetpgb")
	pooled := *d
	pooled.Port, pooled.Socket = FreePort(t), ""
	users, settings := filepath.Join(dir, "users"), filepath.Join(dir, "pgbouncer.ini")
	for file, text := range map[string]string{
		users:    fmt.Sprintf("%q %q\n", d.User, d.Password),
		settings: fmt.Sprintf(pgbouncerINI, d.Name, d.Socket, d.Port, pooled.Port, users),
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p, err := startAs(unprivileged(t), dir, daemon, []string{settings})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	if err := p.await(func() error { return listens(fmt.Sprintf("%s:%d", pooled.Host, pooled.Port)) }); err != nil {
		t.Fatalf("testbed: %s: %v", daemon, err)
	}
	return &pooled
}
