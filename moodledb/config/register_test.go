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
