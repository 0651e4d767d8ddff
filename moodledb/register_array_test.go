package moodledb

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"renew_mnetkeys/testbed"
)

// manyTenants puts n more tenants into the register.
func (a *array) manyTenants(t testing.TB, n int) {
	t.Helper()
	a.Exec(t, fmt.Sprintf(`INSERT INTO {local_vmoodle} (vhostname, name, mnet, enabled, vdbtype, vdbhost, vdblogin, vdbpass, vdbname, vdbprefix, vdatapath)
		SELECT CONCAT('https://t', seq, '.example.org'), seq, 1, 1, 'mariadb', 'localhost', 't', 'SECRET-31', CONCAT('t', seq), 'mdl_', CONCAT('/var/moodledata/t', seq)
		FROM seq_1_to_%d`, n))
}

func TestTenantsFromRowsAreTheTenantsOfTheirWwwroots(t *testing.T) {
	a := newArray(t)
	a.manyTenants(t, 3)
	master := a.read(t, nil)
	rows, err := master.Tenants(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Config{}
	for _, row := range rows {
		if c, err := master.Tenant(t.Context(), row.Wwwroot); err == nil {
			want[row.Wwwroot] = *c
		}
	}
	a.Exec(t, "DROP TABLE {local_vmoodle}") // so that a query would not go unseen
	for _, row := range rows {
		c, err := master.TenantFromRow(t.Context(), row)
		known, ok := want[row.Wwwroot]
		switch {
		case !row.Enabled: // Tenant refuses it; here its caller decides
			if err != nil || c.DBName != "off" {
				t.Errorf("%s: %v, %v", row.Wwwroot, c, err)
			}
		case ok != (err == nil):
			t.Errorf("%s: %v", row.Wwwroot, err)
		case ok:
			if diff := cmp.Diff(plain(known), plain(*c)); diff != "" {
				t.Errorf("%s: %s", row.Wwwroot, diff)
			}
		}
	}
	if len(want) != 5 {
		t.Errorf("%d tenants were compared", len(want))
	}
}

func TestTenantsThatAnArrayExcludesHaveNoDefaults(t *testing.T) {
	for name, c := range map[string]struct {
		exclude string
		days    int // the lifetime that the array's defaults say
	}{
		"no pattern":                             {"", 14},
		"a pattern of another tenant":            {"two\\.example", 14},
		"a pattern of this tenant":               {"one\\.example", 0},
		"a pattern that only PHP's engine knows": {"^(?!https:..two)", 0},
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
				master, err := ReadConfig(t.Context(), filepath.Join(dir, "config.php"), ReadOptions{PHP: php})
				if err != nil {
					t.Fatal(err)
				}
				one, err := master.TenantFromRow(t.Context(), RegisterRow{Wwwroot: "https://one.example.org", dbtype: "mariadb", dbname: "one", dbuser: "u", dataroot: "/one"})
				if strings.Contains(c.exclude, "?!") && php == "" {
					if !errors.As(err, new(*ConfigError)) {
						t.Errorf("a pattern of PHP's was matched without PHP: %v, %v", one, err)
					}
					return
				}
				if err != nil || one.KeyLifetimeDays != c.days || (one.AltCacheConfigPath == "/a") != (php != "") {
					t.Errorf("%v, %v, %d days, %q", one, err, one.KeyLifetimeDays, one.AltCacheConfigPath)
				}
			})
		}
	}
}

// BenchmarkTenantFromRow resolves an array of 400 tenants: once as config.php usually is, once where only php knows what it derives
// from the tenant's values.
func BenchmarkTenantFromRow(b *testing.B) {
	a := newArray(b)
	a.manyTenants(b, 400)
	for name, computed := range map[string]bool{"literal": false, "by php": true} {
		b.Run(name, func(b *testing.B) {
			php := ""
			if computed {
				php = testbed.PHP(b)
				path := filepath.Join(a.dir, "config.php")
				source, err := os.ReadFile(path)
				if err != nil {
					b.Fatal(err)
				}
				write(b, path, strings.Replace(string(source), "$CFG->dataroot.'/cache'", "implode('/', [$CFG->dataroot, 'cache'])", 1))
			}
			master := a.readBy(b, php, nil)
			for b.Loop() {
				rows, err := master.Tenants(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				rows = slices.DeleteFunc(rows, func(r RegisterRow) bool { return !strings.HasPrefix(r.Wwwroot, "https://t") })
				for _, row := range rows {
					c, err := master.TenantFromRow(b.Context(), row)
					if err != nil || c.CacheDir != c.Dataroot+"/cache" {
						b.Fatal(c, err)
					}
				}
				b.ReportMetric(float64(len(rows)), "tenants")
			}
		})
	}
}
