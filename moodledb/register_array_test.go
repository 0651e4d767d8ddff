package moodledb

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/moodledb/config"
)

// manyTenants adds n tenants to the register.
func (a *array) manyTenants(t testing.TB, n int) {
	t.Helper()
	a.Exec(t, fmt.Sprintf(`INSERT INTO {local_vmoodle} (vhostname, name, mnet, enabled, vdbtype, vdbhost, vdblogin, vdbpass, vdbname, vdbprefix, vdatapath)
		SELECT CONCAT('https://t', seq, '.example.org'), seq, 1, 1, 'mariadb', 'localhost', 't', 'SECRET-31', CONCAT('t', seq), 'mdl_', CONCAT('/var/moodledata/t', seq)
		FROM `+numbers, n))
}

func TestTenantsFromRowsAreTheTenantsOfTheirWwwroots(t *testing.T) {
	t.Parallel()
	a := newArray(t)
	a.manyTenants(t, 3)
	master := a.read(t, nil)
	rows, err := Tenants(t.Context(), master)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]config.Config{}
	for _, row := range rows {
		if c, err := FindTenant(t.Context(), master, row.Wwwroot); err == nil {
			want[row.Wwwroot] = *c
		}
	}
	a.Exec(t, "DROP TABLE {local_vmoodle}") // so that a query would fail
	for _, row := range rows {
		c, err := master.ForTenant(t.Context(), row.TenantRow)
		known, ok := want[row.Wwwroot]
		switch {
		case !row.Enabled: // FindTenant refuses it; here the caller decides
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
	if len(want) != 6 {
		t.Errorf("%d tenants were compared", len(want))
	}
}

// BenchmarkForTenant resolves an array of 400 tenants: once with a usual config.php, and once with
// one of which only php knows what it derives from the tenant's values.
func BenchmarkForTenant(b *testing.B) {
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
				rows, err := Tenants(b.Context(), master)
				if err != nil {
					b.Fatal(err)
				}
				rows = slices.DeleteFunc(rows, func(r RegisterRow) bool { return !strings.HasPrefix(r.Wwwroot, "https://t") })
				for _, row := range rows {
					c, err := master.ForTenant(b.Context(), row.TenantRow)
					if err != nil || c.CacheDir != c.Dataroot+"/cache" {
						b.Fatal(c, err)
					}
				}
				b.ReportMetric(float64(len(rows)), "tenants")
			}
		})
	}
}
