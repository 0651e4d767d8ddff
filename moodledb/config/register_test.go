package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

func TestRegisterIsReachedLikeTheSiteWhereItIsTheSameServer(t *testing.T) {
	t.Parallel()
	c := Config{DBHost: "p:DB", DBPort: 3307, DBSocket: "/s", SSL: "require", Register: &Register{DBHost: "db", DBName: "r", DBUser: "u", DBPass: "p", Prefix: "r_"}}
	same := c.OfRegister()
	if same.DBPort != 3307 || same.DBSocket != "/s" || same.SSL != "require" || same.DBType != "mysqli" || same.DBName != "r" || same.DBUser != "u" || same.DBPass != "p" || same.Prefix != "r_" {
		t.Errorf("%+v", plain(*same))
	}
	c.Register.DBHost = "other"
	if other := c.OfRegister(); other.DBPort != 0 || other.DBSocket != "" || other.SSL != "require" {
		t.Errorf("%+v", plain(*other))
	}
	c.Register.DBHost, c.Register.DBType = "db", "postgres"
	if other := c.OfRegister(); other.DBPort != 0 || other.DBType != "pgsql" {
		t.Errorf("another kind of server on the same host: %+v", plain(*other))
	}
	if c.DBPort != 3307 {
		t.Error("the Config was changed")
	}
}

// A value of a row is corrected in the register, and not in config.php.
func TestABadValueOfARowNamesTheRow(t *testing.T) {
	t.Parallel()
	for _, login := range []string{"", "all"} {
		c := Config{Register: &Register{DBName: "master", Prefix: "mdl_", TenantUser: login}}
		for setting, want := range map[string]string{
			"wwwroot":  `vhostname "a b" is wrong`,
			"prefix":   "vdbprefix is empty",
			"dbhost":   "vdbhost is wrong",
			"dbuser":   "vdblogin is empty",
			"dataroot": `vdatapath "/d" is wrong`,
		} {
			err := c.ofRow(TenantRow{ID: 7, Wwwroot: "a b", DBHost: "db1", DBPass: "SECRET", Dataroot: "/d"}, &Error{File: "/c.php", Line: 3, Setting: setting, Problem: "is wrong", Advice: "write HOST"})
			var row *RowError
			if login != "" && setting == "dbuser" { // which config.php sets for all tenants
				if errors.As(err, &row) {
					t.Error(err)
				}
				continue
			}
			if !errors.As(err, &row) || err.Error() != "row 7 of VMoodle's register (table mdl_local_vmoodle of database master): "+want || strings.Contains(row.Hint(), "write HOST") != (setting == "dbhost") {
				t.Errorf("%s: %v; %+v", setting, err, row)
			}
			if cause := new(Error); !errors.As(err, &cause) {
				t.Errorf("%s has no cause", setting)
			}
		}
		var row *RowError
		if err := c.ofRow(TenantRow{DBType: "oci"}, &UnsupportedDBError{"oci"}); !errors.As(err, &row) || !strings.Contains(err.Error(), `vdbtype "oci" is not supported`) {
			t.Error(err)
		}
		if err := c.ofRow(TenantRow{}, &Error{File: "/c.php", Setting: "cachedir", Problem: "is wrong"}); errors.As(err, &row) && row.Column == "" || !strings.Contains(err.Error(), "/c.php") {
			t.Error(err)
		}
	}
}

func TestTenantsThatAnArrayExcludesHaveNoDefaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		exclude string
		days    string // the lifetime in the array's defaults
	}{
		"no pattern":                             {"", "14"},
		"a pattern of another tenant":            {"two\\.example", "14"},
		"a pattern of this tenant":               {"one\\.example", ""},
		"a pattern that only PHP's engine knows": {"^(?!https:..two)", ""},
	} {
		for _, php := range []string{"", testbed.PHP(t)} {
			t.Run(fmt.Sprintf("%s, by php: %t", name, php != ""), func(t *testing.T) {
				dir := t.TempDir()
				if err := os.CopyFS(dir, os.DirFS(fixture(t, "array"))); err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(dir, "local", "vmoodle", "vconfig.php")
				source, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				exclude := "$CFG->vmoodlehardchildsdefaultsexclude = '" + c.exclude + "';\n"
				if php != "" {
					exclude += "$CFG->altcacheconfigpath = strrev('a/');\n"
				}
				write(t, path, strings.Replace(string(source), "$CFG->vmoodlehardchildsdefaults =", exclude+"$CFG->vmoodlehardchildsdefaults =", 1))
				master, err := Read(t.Context(), filepath.Join(dir, "config.php"), Options{PHP: php})
				if err != nil {
					t.Fatal(err)
				}
				one, err := master.ForTenant(t.Context(), TenantRow{Wwwroot: "https://one.example.org", DBType: "mariadb", DBName: "one", DBUser: "u", Dataroot: "/one"})
				if strings.Contains(c.exclude, "?!") && php == "" {
					if !errors.As(err, new(*Error)) {
						t.Errorf("a pattern of PHP's was matched without PHP: %v, %v", one, err)
					}
					return
				}
				if err != nil || one.Forced["mnetkeylifetime"] != c.days || (one.AltCacheConfigPath == "/a") != (php != "") {
					t.Errorf("%v, %v, %q days, %q", one, err, one.Forced["mnetkeylifetime"], one.AltCacheConfigPath)
				}
			})
		}
	}
}

// An operator looks for the names that a hint gives: in the table of the register (local_vmoodle,
// db/install.xml), in vconfig.php, or in config.php.
func TestEverySettingIsNamedAsItsPlaceNamesIt(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string][3]string{
		"dbtype": {"dbtype", "vmasterdbtype", "vdbtype"},
		"dbhost": {"dbhost", "vmasterdbhost", "vdbhost"},
		"dbname": {"dbname", "vmasterdbname", "vdbname"},
		"dbuser": {"dbuser", "vmasterdblogin", "vdblogin"},
		"dbpass": {"dbpass", "vmasterdbpass", "vdbpass"},
		"prefix": {"prefix", "vmasterprefix", "vdbprefix"},
	} {
		for source, place := range map[databaseOf]string{fromConfig: "config.php", fromMaster: "vconfig.php", fromRow: "VMoodle's register"} {
			c := Config{source: source, Register: &Register{}}
			if got := c.Settings(setting); got != want[source]+" in "+place {
				t.Errorf("%s: %q", setting, got)
			}
		}
	}
	c := Config{Register: &Register{}}
	for setting, column := range columns {
		err := c.ofRow(TenantRow{}, &Error{Setting: setting, Problem: "is wrong"})
		if setting != "dbpass" && !strings.Contains(err.Error(), " "+column+" ") { // which may be anything
			t.Errorf("%s: %v", setting, err)
		}
	}
}
