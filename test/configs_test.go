package test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

// separate are sites on one machine that --config makes one array: five Moodles, each with its own
// config.php, three of them on MariaDB and two on PostgreSQL, and a VMoodle with its master and two
// tenants. A Mahara is their peer.
//
// Beside their directories are those of what is no site to work on: a config.php that PHP does not
// take, the Mahara's, and a second name of a site.
type separate struct {
	*fleet
	dir    string
	own    []*fleetTenant    // the five
	tenant []*fleetTenant    // of VMoodle
	mahara *testbed.Database // which its config.php names
	broken string            // path of the config.php
}

func newSeparate(t testing.TB) *separate {
	t.Helper()
	f := newSites(t, fleetOptions{tenants: 8, outsiders: 1, outsider: peertest.Mahara, separate: true, postgresql: []int{3, 4}})
	s := &separate{fleet: f, dir: t.TempDir(), own: f.tenants[:5], tenant: f.tenants[6:]}
	f.vmoodle = newVMoodle(t, f.tenants[5].Site, f.tenants[6].Site, f.tenants[7].Site)
	s.place(t, "vmoodle", f.config)
	f.config, f.sites = filepath.Join(s.dir, "*", "config.php"), nil
	for i, tenant := range f.tenants {
		f.sites = append(f.sites, tenant.Site)
		tenant.DB.Exec(t, `INSERT INTO {mnet_application} (id, name, display_name, xmlrpc_server_url) VALUES (2, 'mahara', 'Mahara', '/api/xmlrpc/server.php')`)
		tenant.DB.Exec(t, "UPDATE {mnet_host} SET applicationid = 2 WHERE wwwroot = ?", f.outsiders[0].Wwwroot())
		if i < len(s.own) {
			s.place(t, s.name(i), tenant.ConfigFile)
		}
	}
	if err := os.Symlink(s.name(0), filepath.Join(s.dir, "second")); err != nil {
		t.Fatal(err)
	}
	s.place(t, "third", s.own[1].ConfigFile) // a copy, as a backup makes it
	s.broken = filepath.Join(s.dir, "broken", "config.php")
	placeFile(t, s.broken, "<?php\n$CFG = new stdClass();\n$CFG->dbtype = ;\n")
	s.mahara = testbed.MariaDB(t).Database(t, "mdl_")
	s.mahara.Exec(t, "INSERT INTO {mnet_host} (wwwroot, public_key, public_key_expires) VALUES (?, 'of old', 1)", s.own[0].Wwwroot)
	placeFile(t, filepath.Join(s.dir, "mahara", "config.php"), fmt.Sprintf("<?php\n$cfg = new stdClass();\n$cfg->dbtype = 'mysql';\n$cfg->dbhost = '%s';\n"+
		"$cfg->dbport = %d;\n$cfg->dbname = '%s';\n$cfg->dbuser = '%s';\n$cfg->dbpass = '%s';\n$cfg->dataroot = '/nowhere';\n",
		s.mahara.Host, s.mahara.Port, s.mahara.Name, s.mahara.User, s.mahara.Password))
	return s
}

func (s *separate) name(i int) string { return fmt.Sprintf("site%d", i) }

// path is the config.php of a directory.
func (s *separate) path(name string) string { return filepath.Join(s.dir, name, "config.php") }

// place copies a config.php.
func (s *separate) place(t testing.TB, name, from string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	placeFile(t, s.path(name), string(text))
}

// wwwrootsOf are those of the tenants, sorted.
func wwwrootsOf(tenants ...*fleetTenant) (all []string) {
	for _, tenant := range tenants {
		all = append(all, tenant.Wwwroot)
	}
	slices.Sort(all)
	return all
}

// renewedOnce checks that each of the tenants has a new key, with the former one as its history,
// and that every row of every site has the certificate in use.
func (s *separate) renewedOnce(t testing.TB, tenants ...*fleetTenant) {
	t.Helper()
	for _, tenant := range s.tenants {
		coherent(t, tenant.Site)
		want := 0
		if slices.Contains(tenants, tenant) {
			want = 1
		}
		if n := len(historyOf(t, tenant.Site)); n != want {
			t.Errorf("%s was renewed %d times, want %d", tenant.Wwwroot, n, want)
		}
	}
	if wrong := s.wrongLinks(t); len(wrong) > 0 {
		t.Errorf("wrong links: %q", wrong)
	}
}

// tables are what the databases have, that of the Mahara's config.php too.
func (s *separate) tables(t testing.TB) string {
	t.Helper()
	all := contents(t, &testbed.Site{DB: s.mahara})
	for _, tenant := range s.tenants {
		all += contents(t, tenant.Site)
	}
	return all
}

func TestSitesWithTheirOwnConfigsAreOneArray(t *testing.T) {
	t.Parallel()
	s := newSeparate(t)
	before, mahara := s.state(t), contents(t, &testbed.Site{DB: s.mahara})
	r := s.renew(t, "--all", "--withmaster", "--dry-run")
	r.expect(t, 3, "9 tenants to renew, in an array of 9 sites", "1 file left out: not Moodle's: "+s.path("mahara"), "8 can be renewed")
	r = s.renew(t, "--all", "--withmaster", "--dry-run", "--json")
	if got, want := r.wwwroots(t), slices.Concat([]string{s.broken}, wwwrootsOf(s.tenants...)); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if s.state(t) != before {
		t.Fatal("a dry run has changed something")
	}

	r = s.renew(t, "--all", "--withmaster", "--json")
	r.expect(t, 3)
	s.renewedOnce(t, s.tenants...)
	reports := r.byTenant(t)
	if broken := reports[s.broken]; broken.Outcome != rotate.Failed || !strings.Contains(broken.Error, s.broken) {
		t.Errorf("the config.php that cannot be read: %+v", broken)
	}
	for _, tenant := range s.tenants {
		report := reports[tenant.Wwwroot]
		if report.Outcome != rotate.Renewed || report.SelfCheck != rotate.SelfProven || len(report.Peers) != 8 {
			t.Errorf("%s: %+v", tenant.Wwwroot, report)
		}
		for _, p := range report.Peers {
			reason := rotate.ReasonDatabase
			if p.Wwwroot == s.outsiders[0].Wwwroot() {
				reason = ""
			}
			if !p.Outcome.Proven() || p.Reason != reason {
				t.Errorf("%s at %s: %+v", tenant.Wwwroot, p.Wwwroot, p)
			}
		}
	}
	if contents(t, &testbed.Site{DB: s.mahara}) != mahara {
		t.Error("the Mahara's database was changed")
	}
	s.sign(t)
}

// sign lets some sites call each other, as when users sign on.
func (s *separate) sign(t testing.TB) {
	t.Helper()
	call(t, s.own[0].web, s.own[1].web)
	call(t, s.own[4].web, s.tenant[0].web)
	if err := s.outsiders[0].Call(t.Context(), s.own[2].Wwwroot); err != nil {
		t.Error(err)
	}
}

func TestEveryCommandTakesSeveralConfigs(t *testing.T) {
	t.Parallel()
	s := newSeparate(t)
	given := []string{"--config=" + s.path("site0"), "--config=" + s.path("site1"), "--config", s.path("site[2-4]"), "--all"}
	want := wwwrootsOf(s.own...)
	before := s.tables(t)
	for _, name := range []string{"verify", "status", "check", "doctor"} {
		r := run1(t, command(t, slices.Concat([]string{name, "--json"}, given)...))
		if got := r.wwwroots(t); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		if name != "doctor" { // it warns of fake web servers
			r.expect(t, 0)
		}
	}
	run1(t, command(t, slices.Concat([]string{"check"}, given)...)).expect(t, 0, "MNET OK")
	if s.tables(t) != before {
		t.Error("a command that only reads has changed something")
	}
	run1(t, command(t, slices.Concat(given, []string{"--quiet", "--canary=1", "--match=" + s.own[3].Wwwroot, "--match=" + s.own[1].Wwwroot})...)).expect(t, 0)
	s.renewedOnce(t, s.own[1], s.own[3])
	run1(t, command(t, slices.Concat(given, []string{"--quiet"})...)).expect(t, 0)
	s.renewedOnce(t, s.own...)
	for i := range s.own {
		s.own[i].DB.Exec(t, "UPDATE {mnet_host} SET public_key = 'of old' WHERE wwwroot = ?", s.own[(i+1)%5].Wwwroot)
	}
	run1(t, command(t, slices.Concat([]string{"push"}, given)...)).expect(t, 0)
	s.renewedOnce(t, s.own...)
	run1(t, command(t, slices.Concat([]string{"rollback", "--yes"}, given)...)).expect(t, 0)
	s.renewedOnce(t, s.own...)
}

func TestConfigsOfAnArrayComeFromFileAndEnvironmentToo(t *testing.T) {
	t.Parallel()
	s := newSeparate(t)
	file := filepath.Join(t.TempDir(), "options.conf")
	placeFile(t, file, "all\nconfig = "+s.path("site[0-3]")+"\nconfig = "+s.path("vmoodle")+"\n")
	want := wwwrootsOf(append(slices.Clone(s.own[:4]), s.tenant...)...)
	r := run1(t, command(t, "status", "--json", "--options="+file))
	r.expect(t, 0)
	if got := r.wwwroots(t); !slices.Equal(got, want) {
		t.Errorf("of the file: %q, want %q", got, want)
	}
	cmd := command(t, "status", "--json", "--options="+file)
	cmd.Env = append(cmd.Env, "MNETKEYS_CONFIG="+s.path("site[34]"))
	if r = run1(t, cmd); r.code != 0 || !slices.Equal(r.wwwroots(t), wwwrootsOf(s.own[3:]...)) {
		t.Errorf("of the environment: %s%s", r.stdout, r.stderr)
	}
}

func TestAnArrayOfConfigsStopsAtItsCanary(t *testing.T) {
	t.Parallel()
	s := newSeparate(t)
	canary := s.own[3] // on PostgreSQL
	canary.side.cacheIn(canary.Site, t.TempDir())
	canary.web.Certificate() // fills it
	var before []string
	for _, tenant := range s.tenants {
		before = append(before, pairOf(t, tenant.Site))
	}
	r := s.renew(t, "--all", "--withmaster", "--json", "--exclude="+s.own[0].Wwwroot, "--exclude="+s.own[1].Wwwroot, "--exclude="+s.own[2].Wwwroot)
	r.expect(t, 1)
	if report := r.byTenant(t)[canary.Wwwroot]; report.Outcome != rotate.Undone {
		t.Errorf("the canary: %+v", report)
	}
	for i, tenant := range s.tenants {
		if pairOf(t, tenant.Site) != before[i] {
			t.Errorf("%s was renewed although the canary failed", tenant.Wwwroot)
		}
	}
}

func TestAnArrayOfConfigsThatIsKilledAnywhereIsFinishedByTheSameCommand(t *testing.T) {
	t.Parallel()
	for _, seed := range testbed.Seeds(t, 2, 2) {
		t.Run(fmt.Sprintf("%s=%d", testbed.EnvSeed, seed), func(t *testing.T) {
			t.Parallel()
			s, random := newSeparate(t), rand.New(rand.NewPCG(seed, 0))
			asked, told := random.Int64N(40), random.Int64N(60)
			run := s.start(t, "--all", "--withmaster")
			waitFor(t, "the moment to kill", func() bool { return run.ended() || s.asked() >= asked && (seed%2 == 0 || s.told(t) >= told) })
			time.Sleep(time.Duration(random.IntN(20)) * time.Millisecond)
			_ = run.cmd.Process.Kill()
			<-run.done
			s.renew(t, "--all", "--withmaster", "--json").expect(t, 3) // of the broken one
			s.renewedOnce(t, s.tenants...)
			s.sign(t)
		})
	}
}
