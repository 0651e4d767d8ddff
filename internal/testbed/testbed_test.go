package testbed

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/redis/go-redis/v9"
)

func TestMain(m *testing.M) { Main(m) }

func TestDatabase(t *testing.T) {
	db := MariaDB(t).Database(t, "mdl_")
	db.Exec(t, "CREATE TABLE {room} (id INT); INSERT INTO {room} VALUES (7)")
	reach := map[string]mysql.Config{
		"its user reaches it over TCP":         {Net: "tcp", Addr: fmt.Sprintf("%s:%d", db.Host, db.Port)},
		"its user reaches it over unix socket": {Net: "unix", Addr: db.Socket},
	}
	for name, c := range reach {
		t.Run(name, func(t *testing.T) {
			c.User, c.Passwd, c.DBName, c.AllowNativePasswords = db.User, db.Password, db.Name, true
			conn, err := sql.Open("mysql", c.FormatDSN())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			var id int
			if err := conn.QueryRow("SELECT id FROM mdl_room").Scan(&id); err != nil || id != 7 {
				t.Fatalf("read %d, %v", id, err)
			}
		})
	}
	t.Run("a second one is another database", func(t *testing.T) {
		other := MariaDB(t).Database(t, "x_")
		if other.Name == db.Name || other.Password == db.Password {
			t.Fatal("shares its name or password with the first")
		}
		if got := other.Value(t, "SELECT count(*) FROM {mnet_host}"); got != "0" {
			t.Fatalf("mnet_host has %s rows", got)
		}
	})
}

func TestRedis(t *testing.T) {
	ctx := context.Background()
	r := Redis(t, `a "quoted" word`)
	t.Run("the right password is let in over TCP and socket", func(t *testing.T) {
		if err := r.Client.Set(ctx, "k", "v", 0).Err(); err != nil {
			t.Fatal(err)
		}
		c := redis.NewClient(&redis.Options{Network: "unix", Addr: r.Socket, Password: r.Password})
		defer func() { _ = c.Close() }()
		if got, err := c.Get(ctx, "k").Result(); err != nil || got != "v" {
			t.Fatalf("read %q, %v", got, err)
		}
	})
	t.Run("no password is refused", func(t *testing.T) {
		c := redis.NewClient(&redis.Options{Addr: r.Addr})
		defer func() { _ = c.Close() }()
		if err := c.Get(ctx, "k").Err(); err == nil {
			t.Fatal("let in")
		}
	})
	t.Run("a stopped server does not answer", func(t *testing.T) {
		r.Stop()
		if conn, err := net.Dial("tcp", r.Addr); err == nil {
			_ = conn.Close()
			t.Fatal("still listens")
		}
	})
}

func TestMissing(t *testing.T) {
	t.Run("is a failure in CI", func(t *testing.T) {
		t.Setenv("CI", "true")
		if r := observe(func(t testing.TB) { Missing(t, "no tool") }); !r.failed || r.skipped {
			t.Fatalf("%+v", r)
		}
	})
	t.Run("is a skip elsewhere", func(t *testing.T) {
		t.Setenv("CI", "")
		if r := observe(func(t testing.TB) { Missing(t, "no tool") }); r.failed || !r.skipped {
			t.Fatalf("%+v", r)
		}
	})
}

// verdict is a testing.TB that only records how a test was ended.
type verdict struct {
	testing.TB
	failed, skipped bool
}

func (v *verdict) Helper()               {}
func (v *verdict) Fatalf(string, ...any) { v.failed = true }
func (v *verdict) Skipf(string, ...any)  { v.skipped = true }

func observe(f func(testing.TB)) *verdict {
	v := &verdict{}
	f(v)
	return v
}
