package moodledb

import (
	"errors"
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/rotate"
)

func TestTwoConfigurationsAreOfTheSameTablesOnOneServerOnly(t *testing.T) {
	t.Parallel()
	mariadb := config.Config{DBType: "mariadb", DBHost: "localhost", DBSocket: "/run/db.sock", DBName: "moodle", Prefix: "mdl_"}
	pgsql := config.Config{DBType: "pgsql", DBHost: "db.example", DBName: "moodle", Prefix: "mdl_"}
	changed := func(c config.Config, change func(*config.Config)) *config.Config { change(&c); return &c }
	for name, c := range map[string]struct {
		a, b *config.Config
		same bool
	}{
		"the same":               {&mariadb, changed(mariadb, func(c *config.Config) { c.DBType, c.DBUser, c.Dataroot = "mysqli", "another", "/elsewhere" }), true},
		"another prefix":         {&mariadb, changed(mariadb, func(c *config.Config) { c.Prefix = "m_" }), false},
		"another database":       {&mariadb, changed(mariadb, func(c *config.Config) { c.DBName = "other" }), false},
		"another socket":         {&mariadb, changed(mariadb, func(c *config.Config) { c.DBSocket = "/run/other.sock" }), false},
		"a socket and TCP":       {&mariadb, changed(mariadb, func(c *config.Config) { c.DBHost, c.DBSocket = "127.0.0.1", "" }), true},
		"a socket, another file": {&mariadb, changed(mariadb, func(c *config.Config) { c.DBHost, c.DBSocket, c.File = "127.0.0.1", "", "/copy/config.php" }), false},
		"a socket, another port": {&mariadb, changed(mariadb, func(c *config.Config) { c.DBHost, c.DBSocket, c.DBPort = "127.0.0.1", "", 3307 }), false},
		"a socket, a host":       {&mariadb, changed(mariadb, func(c *config.Config) { c.DBHost, c.DBSocket = "db.example", "" }), false},
		"IPv6 and IPv4":          {changed(pgsql, func(c *config.Config) { c.DBHost = "::1" }), changed(pgsql, func(c *config.Config) { c.DBHost = "127.0.0.1" }), true},
		"the same on PostgreSQL": {&pgsql, changed(pgsql, func(c *config.Config) { c.DBPort = 5432 }), true},
		"a prefix in capitals":   {&pgsql, changed(pgsql, func(c *config.Config) { c.Prefix = "MDL_" }), true},
		"a schema, twice":        {changed(pgsql, func(c *config.Config) { c.DBSchema = "moodle" }), changed(pgsql, func(c *config.Config) { c.DBSchema, c.DBUser = ` "moodle", public`, "another" }), true},
		"the account's schema":   {&pgsql, changed(pgsql, func(c *config.Config) { c.DBUser = "another" }), false},
		"a schema for MySQL":     {&mariadb, changed(mariadb, func(c *config.Config) { c.DBSchema = "none" }), true},
		"a prefix of MySQL":      {&mariadb, changed(mariadb, func(c *config.Config) { c.Prefix = "MDL_" }), false},
		"another schema":         {&pgsql, changed(pgsql, func(c *config.Config) { c.DBSchema = "second" }), false},
		"another kind":           {&pgsql, changed(pgsql, func(c *config.Config) { c.DBType = "mariadb" }), false},
		"an unknown one":         {&pgsql, nil, false},
	} {
		if got := SameTables(c.a, c.b); got != c.same {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Runs of older versions look for the lock under this name.
func TestTheNameOfTheLockOnMySQLStays(t *testing.T) {
	t.Parallel()
	for _, schema := range []string{"", "none"} {
		c := config.Config{DBType: "mariadb", DBName: "moodle", Prefix: "mdl_", DBSchema: schema}
		if got := lockOf(&c).Name; got != "renew_mnetkeys 54a6bcfe810b6f4ce011e3726fda4dd71c944eef" {
			t.Errorf("with dbschema %q: %s", schema, got)
		}
	}
}

// The lock is that of the table, whatever its name is in config.php.
func TestAllNamesOfATableOnPostgreSQLHaveOneLock(t *testing.T) {
	t.Parallel()
	d := testbed.PostgreSQL(t).Database(t, "mdl_")
	site := config.Config{DBType: d.DBType, DBHost: d.Host, DBPort: d.Port, DBName: d.Name, DBUser: d.User, DBPass: d.Password, Prefix: d.Prefix}
	capitals, schema, path := site, site, site
	capitals.Prefix = "MDL_"
	schema.DBSchema, path.DBSchema = "public", `PUBLIC, "$user"`
	servers := NewServers(3)
	t.Cleanup(func() { _ = servers.Close() })
	all := []*config.Config{&site, &capitals, &schema, &path}
	for _, one := range all {
		l := lock(t, openConfig(t, one))
		for _, other := range all {
			if _, err := openConfig(t, other).Acquire(t.Context(), 0); !errors.Is(err, rotate.ErrLocked) || !strings.Contains(err.Error(), d.User+"@") {
				t.Errorf("prefix %s, schema %q while %s, %q is locked: %v", other.Prefix, other.DBSchema, one.Prefix, one.DBSchema, err)
			}
			if _, err := servers.Acquire(t.Context(), other, 0); !errors.Is(err, rotate.ErrLocked) {
				t.Errorf("prefix %s, schema %q in an array while %s, %q is locked: %v", other.Prefix, other.DBSchema, one.Prefix, one.DBSchema, err)
			}
		}
		if err := l.Release(); err != nil {
			t.Error(err)
		}
	}
}
