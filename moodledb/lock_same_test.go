package moodledb

import (
	"testing"

	"renew_mnetkeys/moodledb/config"
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
