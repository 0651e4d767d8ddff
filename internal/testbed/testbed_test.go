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
	EachDatabase(t, func(t *testing.T, server *Server) {
		db := server.Database(t, "mdl_")
		db.Exec(t, "CREATE TABLE {room} (id INT); INSERT INTO {room} VALUES (7)")
		db.Exec(t, "INSERT INTO {config} (name, value) VALUES (?, ?)", "a", "b")
		if got := db.Value(t, "SELECT value FROM {config} WHERE name = ?", "a") + db.Rows(t, "SELECT id, NULL, id FROM {room}"); got != "b7||7" {
			t.Errorf("read %q", got)
		}
		other := server.Database(t, "x_")
		if other.Name == db.Name || other.Password == db.Password {
			t.Error("a second one shares its name or password with the first")
		}
		if got := other.Value(t, "SELECT count(*) FROM {mnet_host}"); got != "0" {
			t.Errorf("mnet_host has %s rows", got)
		}
	})
}

// TestDatabaseIsReached also by its user, who owns the tables.
func TestDatabaseIsReached(t *testing.T) {
	mariadb := MariaDB(t).Database(t, "mdl_")
	postgresql := PostgreSQL(t).DatabaseIn(t, "mdl_", "Rooms")
	pooled := postgresql.Pooled(t)
	ofMySQL := func(network, address string) string {
		c := mysql.Config{Net: network, Addr: address, User: mariadb.User, Passwd: mariadb.Password, DBName: mariadb.Name, AllowNativePasswords: true}
		return c.FormatDSN()
	}
	ofPostgreSQL := func(d *Database, host string) string {
		return fmt.Sprintf("host=%s port=%d user=%s password=%s dbname=%s default_query_exec_mode=exec", host, d.Port, d.User, d.Password, d.Name)
	}
	for name, c := range map[string]struct {
		db          *Database
		driver, dsn string
	}{
		"MariaDB over TCP":         {mariadb, "mysql", ofMySQL("tcp", fmt.Sprintf("%s:%d", mariadb.Host, mariadb.Port))},
		"MariaDB over a socket":    {mariadb, "mysql", ofMySQL("unix", mariadb.Socket)},
		"PostgreSQL over TCP":      {postgresql, "pgx", ofPostgreSQL(postgresql, postgresql.Host)},
		"PostgreSQL over a socket": {postgresql, "pgx", ofPostgreSQL(postgresql, postgresql.Socket)},
		"pgbouncer":                {pooled, "pgx", ofPostgreSQL(pooled, pooled.Host)},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := sql.Open(c.driver, c.dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			if _, err := conn.Exec(c.db.SQL("INSERT INTO {config} (name, value) VALUES (?, 'x')"), name); err != nil {
				t.Fatal(err)
			}
			if c.db.Value(t, "SELECT value FROM {config} WHERE name = ?", name) != "x" {
				t.Error("the row is not there")
			}
		})
	}
}

// TestBothServersHaveTheSameTables also in the order of their columns.
func TestBothServersHaveTheSameTables(t *testing.T) {
	columns := func(d *Database) string {
		where := "table_schema = ?"
		if d.DBType == PostgreSQLType {
			where = "table_catalog = ? AND table_schema = 'public'"
		}
		return d.Rows(t, `SELECT lower(table_name), column_name, CASE WHEN is_nullable = 'NO' THEN 1 ELSE 0 END,
			CASE WHEN data_type LIKE '%char%' THEN character_maximum_length END
			FROM information_schema.columns WHERE `+where+" ORDER BY 1, ordinal_position", d.Name)
	}
	one, two := columns(MariaDB(t).Database(t, "mdl_")), columns(PostgreSQL(t).Database(t, "mdl_"))
	if one != two || one == "" {
		t.Errorf("MariaDB has\n%s\nPostgreSQL has\n%s", one, two)
	}
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
