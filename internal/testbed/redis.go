package testbed

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/redis/go-redis/v9"
)

// RedisServer is a private Redis server of one test.
type RedisServer struct {
	Host     string // 127.0.0.1
	Port     int
	Addr     string // host:port
	Socket   string // path of its unix socket
	Password string // "" for none
	Client   *redis.Client

	process *process
}

// Redis starts a server that asks for password ("" for none). It is not shared: it starts within
// some 20 ms.
func Redis(t testing.TB, password string) *RedisServer {
	t.Helper()
	daemon := Program(t, "redis-server")
	// Not t.TempDir: its long name does not fit into a socket's path of 107 bytes.
	dir, err := os.MkdirTemp("", "mnetredis")
	if err != nil {
		t.Fatal(err)
	}
	r := &RedisServer{Host: "127.0.0.1", Port: FreePort(t), Socket: filepath.Join(dir, "socket"), Password: password}
	r.Addr = fmt.Sprintf("%s:%d", r.Host, r.Port)
	settings := fmt.Sprintf("bind %s\nport %d\nunixsocket %s\ndir %s\nsave \"\"\nappendonly no\n", r.Host, r.Port, r.Socket, dir)
	if password != "" {
		settings += fmt.Sprintf("requirepass %q\n", password)
	}
	// By a file: every user could see a password in argv.
	file := filepath.Join(dir, "redis.conf")
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	r.process, err = start(dir, daemon, []string{file})
	if err != nil {
		t.Fatal(err)
	}
	r.Client = redis.NewClient(&redis.Options{Addr: r.Addr, Password: password, MaxRetries: -1, DialerRetries: 1})
	t.Cleanup(func() {
		_ = r.Client.Close()
		r.Stop()
	})
	if err := r.process.await(func() error { return listens(r.Addr) }); err != nil {
		t.Fatalf("testbed: %s: %v", daemon, err)
	}
	return r
}

// Stop ends the server before its test ends, to test what happens if Redis is down.
func (r *RedisServer) Stop() { r.process.stop() }
