package moodledb

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/moodledb/config"
)

// array is a VMoodle array: config/testdata/sites/array with the register in a database of its own.
type array struct {
	*testbed.Database
	dir string
}

func newArray(t testing.TB) *array {
	t.Helper()
	a := &array{testbed.MariaDB(t).Database(t, "reg_"), t.TempDir()}
	if err := os.CopyFS(a.dir, os.DirFS(fixture(t, "array"))); err != nil {
		t.Fatal(err)
	}
	a.Exec(t, `INSERT INTO {local_vmoodle} (vhostname, name, mnet, enabled, vdbtype, vdbhost, vdblogin, vdbpass, vdbname, vdbprefix, vdatapath) VALUES
		('https://one.example.org', 'One', 1, 1, 'mariadb', 'db.example.org:3310', 'one', 'SECRET-21', 'one', 'o_', '/var/moodledata/one'),
		('https://Two.example.org/moodle/', 'Two', 0, 1, 'mysqli', 'localhost', 'two', NULL, 'two', 'mdl_', '/var/moodledata/two'),
		('https://off.example.org', 'Off', 1, 0, 'mariadb', 'localhost', 'off', 'SECRET-22', 'off', 'mdl_', '/var/moodledata/off'),
		('https://pg.example.org', NULL, -1, 1, 'postgres', 'localhost', 'pg', 'SECRET-23', 'pg', 'mdl_', '/var/moodledata/pg'),
		('https://bad.example.org', 'Bad', -1, 1, 'mariadb', 'localhost', 'b', 'SECRET-24', 'b', 'x;y', '/var/moodledata/bad'),
		(NULL, 'template', 0, 1, 'mariadb', 'localhost', 't', 't', 't', 't_', '/t'),
		('', 'never used', 0, 0, 'mariadb', 'localhost', 't', 't', 't', 't_', '/t')`)
	return a
}

// read reads the array's config.php. The register's password is not in the file but in an override.
func (a *array) read(t testing.TB, overrides map[string]string) *config.Config {
	t.Helper()
	return a.readBy(t, "", overrides)
}

func (a *array) readBy(t testing.TB, php string, overrides map[string]string) *config.Config {
	t.Helper()
	all := map[string]string{"vmasterdbhost": fmt.Sprintf("%s:%d", a.Host, a.Port), "vmasterdbname": a.Name, "vmasterdblogin": a.User,
		"vmasterdbpass": a.Password, "vmasterprefix": a.Prefix, "dboptions.ssl": ""}
	for name, text := range overrides {
		all[name] = text
	}
	c, err := config.Read(t.Context(), filepath.Join(a.dir, "config.php"), config.Options{Overrides: all, PHP: php})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTenantsAreTheRowsOfTheRegister(t *testing.T) {
	t.Parallel()
	a := newArray(t)
	rows, err := Tenants(t.Context(), a.read(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, row := range rows {
		got = append(got, fmt.Sprintf("tenant %s (%s, mnet %d, enabled %t)", row.Wwwroot, row.Name, row.MNet, row.Enabled))
	}
	want := []string{
		"tenant https://bad.example.org (Bad, mnet -1, enabled true)",
		"tenant https://off.example.org (Off, mnet 1, enabled false)",
		"tenant https://one.example.org (One, mnet 1, enabled true)",
		"tenant https://pg.example.org (, mnet -1, enabled true)",
		"tenant https://Two.example.org/moodle (Two, mnet 0, enabled true)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTenant(t *testing.T) {
	t.Parallel()
	a := newArray(t)
	// The dboptions are the array's, and the rest is the row's; what config.php derives after
	// vconfig.php is the tenant's, and VMoodle's defaults for tenants apply.
	one := config.Config{
		DBType: "mariadb", DBHost: "db.example.org:3310", DBName: "one", DBUser: "one", DBPass: "SECRET-21", Prefix: "o_",
		DBPort: 3306, DBSocket: "/run/array.sock", Wwwroot: "https://one.example.org",
		Dataroot: "/var/moodledata/one", CacheDir: "/var/moodledata/one/cache", Dirroot: a.dir, Forced: map[string]string{"mnetkeylifetime": "14"},
	}
	two := config.Config{
		DBType: "mysqli", DBHost: "localhost", DBName: "two", DBUser: "two", Prefix: "mdl_",
		DBPort: 3306, DBSocket: "/run/array.sock", Wwwroot: "https://Two.example.org/moodle",
		Dataroot: "/var/moodledata/two", CacheDir: "/var/moodledata/two/cache", Dirroot: a.dir, Forced: map[string]string{"mnetkeylifetime": "14"},
	}
	changed := func(c config.Config, change func(*config.Config)) config.Config { change(&c); return c }
	tests := map[string]struct {
		host      string
		overrides map[string]string
		want      config.Config
	}{
		"by its wwwroot":                           {"https://one.example.org", nil, one},
		"with a trailing slash":                    {"https://one.example.org/", nil, one},
		"with a host in other case":                {"https://ONE.example.ORG", nil, one},
		"whose row has a trailing slash and case":  {"https://two.example.org/moodle", nil, two},
		"credentials for all tenants win":          {"https://one.example.org", map[string]string{"vchildsdblogin": "all", "vchildsdbpass": "SECRET-25"}, changed(one, func(c *config.Config) { c.DBUser, c.DBPass = "all", "SECRET-25" })},
		"a name for all and a password of the row": {"https://one.example.org", map[string]string{"vchildsdblogin": "all"}, changed(one, func(c *config.Config) { c.DBUser = "all" })},
		"overrides of the master's own database":   {"https://one.example.org", map[string]string{"dbname": "x", "dataroot": "/x", "dbpass": "x"}, one},
		"overrides of what the row does not say":   {"https://one.example.org", map[string]string{"cachedir": "/c", "dboptions.dbport": "3399"}, changed(one, func(c *config.Config) { c.CacheDir, c.DBPort = "/c", 3399 })},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			master := a.read(t, test.overrides)
			got, err := FindTenant(t.Context(), master, test.host)
			if err != nil {
				t.Fatal(err)
			}
			test.want.File, test.want.Register = master.File, master.Register
			if diff := cmp.Diff(plain(test.want), plain(*got)); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("the master is config.php's own site", func(t *testing.T) {
		master := a.read(t, nil)
		for _, host := range []string{"https://master.example.org", "https://MASTER.example.org/"} {
			if got, err := FindTenant(t.Context(), master, host); err != nil || got != master {
				t.Errorf("%s: %v, %v", host, got, err)
			}
		}
	})
}

func TestTenantThatCannotBeWorkedOn(t *testing.T) {
	t.Parallel()
	a := newArray(t)
	tests := map[string]struct {
		host          string
		overrides     map[string]string
		problem, hint string
	}{
		"unknown":                       {"https://nobody.example.com", nil, "no such tenant among the 5 of the register", "VMoodle's administration"},
		"misspelt":                      {"https://onne.example.org", nil, "no such tenant", "did you mean --host=https://one.example.org?"},
		"of another scheme":             {"http://one.example.org", nil, "no such tenant", "did you mean --host=https://one.example.org?"},
		"without its scheme":            {"one.example.org", nil, "no such tenant", "did you mean --host=https://one.example.org?"},
		"without its path":              {"https://two.example.org", nil, "no such tenant", "did you mean --host=https://Two.example.org/moodle?"},
		"the master, misspelt":          {"https://mastr.example.org", nil, "no such tenant", "did you mean --host=https://master.example.org?"},
		"disabled":                      {"https://off.example.org", nil, "disabled in the register", "enable it"},
		"in another site than an array": {"https://one.example.org", map[string]string{"vmasterdbname": ""}, "config.php is of https://master.example.org, and configures no VMoodle array", "leave out --host"},
		"without a table":               {"https://one.example.org", map[string]string{"vmasterprefix": "none_"}, "table none_local_vmoodle of database " + a.Name + ", does not exist", "vmasterprefix"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := FindTenant(t.Context(), a.read(t, test.overrides), test.host)
			var unknown *UnknownTenantError
			if !errors.As(err, &unknown) {
				t.Fatalf("%v, %v", got, err)
			}
			if !strings.Contains(err.Error(), test.problem) || !strings.Contains(unknown.Hint(), test.hint) {
				t.Errorf("error %q, hint %q", err, unknown.Hint())
			}
		})
	}
	var none *UnknownTenantError
	if _, err := Tenants(t.Context(), a.read(t, map[string]string{"vmasterdbname": ""})); !errors.As(err, &none) || !strings.HasSuffix(none.Hint(), "run: renew_mnetkeys … without --all") || strings.Contains(none.Hint(), "--host") {
		t.Errorf("all of no array: %v", err)
	}
}

// The tenant of a row whose vhostname was emptied would expire unseen.
func TestARowWithoutAVhostnameIsATenantThatFails(t *testing.T) {
	t.Parallel()
	a := newArray(t)
	a.Exec(t, "UPDATE {local_vmoodle} SET vhostname = '' WHERE name = 'One'")
	id := a.Value(t, "SELECT id FROM {local_vmoodle} WHERE name = 'One'")
	master := a.read(t, nil)
	rows, err := Tenants(t.Context(), master)
	if err != nil || len(rows) != 5 || rows[0].Wwwroot != "(row "+id+" without vhostname)" {
		t.Fatalf("%+v, error %v", rows, err)
	}
	var unusable *config.RowError
	if _, err = master.ForTenant(t.Context(), rows[0].TenantRow); !errors.As(err, &unusable) || unusable.Column != "vhostname" || !strings.Contains(err.Error(), "vhostname is empty") {
		t.Error(err)
	}
}

// It is not known which of the databases a wwwroot of two rows reaches; disabled rows do not count.
func TestTenantOfTwoRows(t *testing.T) {
	t.Parallel()
	const wwwroot = "https://one.example.org"
	for name, c := range map[string]struct{ values, problem string }{
		"the same database, written twice":     {"'https://ONE.example.org/', 1, 'db.example.org:3310', 'one', 'o_'", ""},
		"a disabled row of another database":   {"'https://one.example.org', 0, 'db.example.org:3310', 'other', 'o_'", ""},
		"an enabled row of another database":   {"'https://one.example.org', 1, 'db.example.org:3310', 'other', 'o_'", "database one and database other"},
		"an enabled row of another server":     {"'https://one.example.org', 1, 'localhost', 'one', 'o_'", "database one on host db.example.org:3310 and database one on host localhost"},
		"an enabled row of other tables there": {"'https://one.example.org', 1, 'db.example.org:3310', 'one', 'x_'", "tables o_* of database one on host db.example.org:3310 and tables x_* of database one on host db.example.org:3310"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newArray(t)
			a.Exec(t, "INSERT INTO {local_vmoodle} (vhostname, enabled, vdbhost, vdbname, vdbprefix, vdbtype, vdblogin, vdatapath) VALUES ("+c.values+", 'mariadb', 'one', '/var/moodledata/one')")
			got, err := FindTenant(t.Context(), a.read(t, nil), wwwroot)
			var contested *ContestedError
			switch {
			case c.problem == "" && (err != nil || got.DBName != "one"):
				t.Errorf("%v, error %v", got, err)
			case c.problem != "" && (!errors.As(err, &contested) || err.Error() != "2 rows of VMoodle's register have the wwwroot "+wwwroot+": "+c.problem || !strings.Contains(contested.Hint(), "disable it")):
				t.Errorf("%v, error %v", got, err)
			}
		})
	}
	for problem, values := range map[string]string{
		"": "0, 'localhost', 'other'", "two sites have the wwwroot https://master.example.org, and different databases: ": "1, 'localhost', 'other'"} {
		t.Run("a row with the master's wwwroot", func(t *testing.T) {
			a := newArray(t)
			a.Exec(t, "INSERT INTO {local_vmoodle} (vhostname, enabled, vdbhost, vdbname, vdbprefix, vdbtype, vdblogin, vdatapath) VALUES ('https://master.example.org/', "+values+", 'o_', 'mariadb', 'one', '/other')")
			master := a.read(t, nil)
			got, err := FindTenant(t.Context(), master, "https://Master.example.org")
			if problem == "" && (err != nil || got != master) || problem != "" && (err == nil || err.Error() != problem+master.File+" and VMoodle's register in "+master.File+", tables o_* of database other on host localhost") {
				t.Errorf("%v, error %v", got, err)
			}
		})
	}
	t.Run("a disabled row before an enabled one", func(t *testing.T) {
		a := newArray(t)
		a.Exec(t, "INSERT INTO {local_vmoodle} (vhostname, enabled, vdbhost, vdbname, vdbprefix, vdbtype, vdblogin, vdatapath) VALUES ('https://off.example.org', 1, 'localhost', 'on', 'o_', 'mariadb', 'one', '/on')")
		if got, err := FindTenant(t.Context(), a.read(t, nil), "https://off.example.org"); err != nil || got.DBName != "on" {
			t.Errorf("%v, error %v", got, err)
		}
	})
}

func TestTenantPassesOnWhatIsWrongWithDatabases(t *testing.T) {
	t.Parallel()
	a := newArray(t)
	noSecret := func(t *testing.T, err error) {
		t.Helper()
		if text := fmt.Sprintf("%v %+v", err, err); strings.Contains(text, "SECRET") || strings.Contains(text, a.Password) {
			t.Errorf("a password is shown: %s", text)
		}
	}
	t.Run("the tenant's dbtype", func(t *testing.T) {
		if c, err := FindTenant(t.Context(), a.read(t, nil), "https://pg.example.org"); err != nil || c.DBType != "pgsql" {
			t.Errorf("VMoodle's name of PostgreSQL: %v", err)
		}
		a.Exec(t, "UPDATE {local_vmoodle} SET vdbtype = 'oci' WHERE vhostname = 'https://pg.example.org'")
		_, err := FindTenant(t.Context(), a.read(t, nil), "https://pg.example.org")
		var unsupported *config.UnsupportedDBError
		if !errors.As(err, &unsupported) || unsupported.DBType != "oci" {
			t.Errorf("error %v", err)
		}
		noSecret(t, err)
	})
	t.Run("the tenant's prefix", func(t *testing.T) {
		_, err := FindTenant(t.Context(), a.read(t, nil), "https://bad.example.org")
		var unusable *config.Error
		if !errors.As(err, &unusable) || unusable.Setting != "prefix" {
			t.Errorf("error %v", err)
		}
		noSecret(t, err)
	})
	t.Run("the row that has it", func(t *testing.T) {
		id := a.Value(t, "SELECT id FROM {local_vmoodle} WHERE vhostname = 'https://bad.example.org'")
		_, err := FindTenant(t.Context(), a.read(t, nil), "https://bad.example.org")
		if want := fmt.Sprintf("row %s of VMoodle's register (table %slocal_vmoodle of database %s): vdbprefix \"x;y\" ", id, a.Prefix, a.Name); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
		noSecret(t, err)
	})
	t.Run("a vhostname that no --host can be", func(t *testing.T) {
		a.Exec(t, "UPDATE {local_vmoodle} SET vhostname = 'bad.example.org', vdbprefix = 'b_' WHERE vhostname = 'https://bad.example.org'")
		var row *config.RowError
		if _, err := FindTenant(t.Context(), a.read(t, nil), "https://bad.example.org"); !errors.As(err, &row) || row.Column != "vhostname" || row.Value != "bad.example.org" {
			t.Errorf("error %v", err)
		}
	})
	t.Run("the register's dbtype", func(t *testing.T) {
		_, err := FindTenant(t.Context(), a.read(t, map[string]string{"vmasterdbtype": "sqlsrv"}), "https://one.example.org")
		var unsupported *config.UnsupportedDBError
		if !errors.As(err, &unsupported) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("the register's password", func(t *testing.T) {
		_, err := FindTenant(t.Context(), a.read(t, map[string]string{"vmasterdbpass": "SECRET-wrong"}), "https://one.example.org")
		var access *AccessError
		if !errors.As(err, &access) {
			t.Errorf("error %v", err)
		}
		noSecret(t, err)
	})
}

// configured is the path of a config.php in which old is replaced.
func (a array) configured(t *testing.T, old, replacement string) string {
	t.Helper()
	path := filepath.Join(a.dir, "config.php")
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, strings.Replace(string(source), old, replacement, 1))
	return path
}

func TestTenantOfAnArrayThatPHPEvaluates(t *testing.T) {
	t.Parallel()
	a := newArray(t)
	path := a.configured(t, "'/var/moodledata/master'", "implode('/', ['', 'var', 'moodledata', 'master'])")
	overrides := map[string]string{"vmasterdbhost": fmt.Sprintf("%s:%d", a.Host, a.Port), "vmasterdbname": a.Name, "vmasterdblogin": a.User,
		"vmasterdbpass": a.Password, "vmasterprefix": a.Prefix, "dboptions.ssl": ""}
	master, err := config.Read(t.Context(), path, config.Options{PHP: testbed.PHP(t), Overrides: overrides, Environ: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	one, err := FindTenant(t.Context(), master, "https://one.example.org")
	if err != nil {
		t.Fatal(err)
	}
	got := []string{master.Dataroot, master.CacheDir, one.Dataroot, one.CacheDir, one.DBName, one.DBPass, one.Prefix}
	want := []string{"/var/moodledata/master", "/var/moodledata/master/cache", "/var/moodledata/one", "/var/moodledata/one/cache", "one", "SECRET-21", "o_"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTenantOfASiteWhoseWwwrootOnlyARequestKnows(t *testing.T) {
	t.Parallel()
	a := newArray(t)
	path := a.configured(t, "'https://master.example.org'", "'https://' . $_SERVER['HTTP_HOST']")
	read := func(overrides map[string]string, host string) *config.Config {
		t.Helper()
		all := map[string]string{"vmasterdbhost": fmt.Sprintf("%s:%d", a.Host, a.Port), "vmasterdbname": a.Name, "vmasterdblogin": a.User,
			"vmasterdbpass": a.Password, "vmasterprefix": a.Prefix, "dboptions.ssl": ""}
		for name, text := range overrides {
			all[name] = text
		}
		c, err := config.Read(t.Context(), path, config.Options{Wwwroot: host, Overrides: all})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	t.Run("a tenant is found all the same", func(t *testing.T) {
		got, err := FindTenant(t.Context(), read(nil, "https://one.example.org"), "https://one.example.org")
		if err != nil || got.DBName != "one" {
			t.Errorf("%v, %v", got, err)
		}
	})
	t.Run("any other host is not taken for the master", func(t *testing.T) {
		_, err := FindTenant(t.Context(), read(nil, "https://master.example.org"), "https://master.example.org")
		var unknown *UnknownTenantError
		if !errors.As(err, &unknown) || !strings.Contains(unknown.Hint(), "--cfg=wwwroot=https://master.example.org") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("the command line can say which is the master's", func(t *testing.T) {
		master := read(map[string]string{"wwwroot": "https://master.example.org"}, "https://master.example.org")
		if got, err := FindTenant(t.Context(), master, "https://master.example.org"); err != nil || got != master {
			t.Errorf("%v, %v", got, err)
		}
	})
}

func TestTenantsOfARegisterThatFails(t *testing.T) {
	t.Parallel()
	a := newArray(t)
	t.Run("a text in place of a number", func(t *testing.T) {
		a.Exec(t, "ALTER TABLE {local_vmoodle} MODIFY mnet VARCHAR(9); UPDATE {local_vmoodle} SET mnet = 'SECRET' WHERE vdbname = 'two'")
		if rows, err := Tenants(t.Context(), a.read(t, nil)); err == nil || !strings.Contains(err.Error(), "read the register of tenants") {
			t.Errorf("%v, %v", rows, err)
		}
	})
	t.Run("the connection ends within the answer", func(t *testing.T) {
		p := startProxy(t, &a.Server, func(query string) fate {
			if strings.Contains(query, "local_vmoodle") {
				return isCutShort
			}
			return passes
		})
		a.Exec(t, "UPDATE {local_vmoodle} SET mnet = '0'")
		rows, err := Tenants(t.Context(), a.read(t, map[string]string{"vmasterdbhost": fmt.Sprintf("127.0.0.1:%d", p.port)}))
		if rows != nil || !errors.As(err, new(*AccessError)) {
			t.Errorf("%v, %v", rows, err)
		}
	})
	t.Run("no array at all", func(t *testing.T) {
		var unknown *UnknownTenantError
		if rows, err := Tenants(t.Context(), &config.Config{File: "/config.php"}); !errors.As(err, &unknown) || !strings.Contains(unknown.Problem, "/config.php") {
			t.Errorf("%v, %v", rows, err)
		}
	})
}

func TestARowOfTheRegisterPrintsWithoutItsPassword(t *testing.T) {
	t.Parallel()
	row := RegisterRow{TenantRow: config.TenantRow{Wwwroot: "https://t.example.org", DBPass: "SECRET-13"}}
	for _, holder := range []any{row, &row, []RegisterRow{row}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t"} {
			if got := fmt.Sprintf(verb, holder); strings.Contains(got, "SECRET") || strings.Contains(got, fmt.Sprintf("%x", "SECRET")) {
				t.Errorf("%s of %T: %s", verb, holder, got)
			}
		}
		if encoded, err := json.Marshal(holder); err != nil || strings.Contains(string(encoded), "SECRET") {
			t.Errorf("JSON of %T: %s, %v", holder, encoded, err)
		}
	}
}
