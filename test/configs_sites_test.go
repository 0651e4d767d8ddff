package test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

func TestSeveralConfigsAreSelectedLikeTenants(t *testing.T) {
	t.Parallel()
	s := newSeparate(t)
	selected := func(args ...string) []string {
		t.Helper()
		return s.renew(t, append([]string{"--all", "--dry-run", "--json"}, args...)...).wwwroots(t)
	}
	if got, want := selected("--exclude="+s.broken, "--exclude="+s.own[0].Wwwroot), wwwrootsOf(slices.Concat(s.own[1:], s.tenant)...); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := selected("--match="+s.own[0].Wwwroot, "--match="+s.tenant[0].Wwwroot), wwwrootsOf(s.own[0], s.tenant[0]); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	s.renew(t, "--all", "--dry-run", "--match="+s.own[0].Wwwroot).expect(t, 0, "not known whether --match selects this site", s.broken)
	if parts := slices.Concat(selected("--shard=0/2"), selected("--shard=1/2")); len(parts) != 8 || !slices.Contains(parts, s.broken) {
		t.Errorf("in shards: %q", parts)
	}
	// An --exclude names a site whether its config.php can be read now or not.
	if got, want := selected("--exclude="+s.broken, "--exclude="+s.path("site3")), wwwrootsOf(slices.Concat(s.own[:3], s.own[4:], s.tenant)...); !slices.Equal(got, want) {
		t.Errorf("excluded by its path: %q, want %q", got, want)
	}
	if got := selected("--exclude="+s.broken, "--exclude="+s.path("third")); slices.Contains(got, s.own[1].Wwwroot) { // a second file of site1
		t.Errorf("excluded by its other path: %q", got)
	}
	text, err := os.ReadFile(s.path("site3"))
	if err != nil {
		t.Fatal(err)
	}
	placeFile(t, s.path("site3"), "<?php $CFG->dbpass = ")
	s.renew(t, "--all", "--dry-run", "--exclude="+s.path("site3"), "--exclude="+s.broken).expect(t, 0)
	s.renew(t, "--all", "--dry-run", "--exclude="+s.own[3].Wwwroot).expect(t, 3, "--exclude matches no site that is known", s.path("site3"))
	placeFile(t, s.path("site3"), string(text))
	s.renew(t, "--all", "--dry-run", "--exclude="+s.broken, "--exclude=https://mistyped.example").expect(t, 0, "--exclude matches no site that is known")
	s.own[2].DB.Exec(t, "UPDATE {config} SET value = 'off' WHERE name = 'mnet_dispatcher_mode'")
	off := s.own[2].Wwwroot
	if got := selected(); slices.Contains(got, off) || len(got) != 7 {
		t.Errorf("with MNet off at %s: %q", off, got)
	}
	s.renew(t, "--all", "--dry-run").expect(t, 3, "1 site left out: MNet is off: "+off)
	s.renew(t, "--all", "--match="+off, "--exclude="+s.own[0].Wwwroot).expect(t, 2, "error: no tenant of the array is selected", "hint: 1 site left out: MNet is off: "+off+"\n")
	for _, shard := range []string{"0/2", "1/2"} {
		s.renew(t, "--all", "--match="+off, "--shard="+shard).expect(t, 2, "error: no tenant of the array is selected", "hint: 1 site left out: MNet is off: "+off+"\n")
	}
	checked := func() string {
		return operate(t, s.config, "check", []string{"--all", "--match=" + off, "--match=" + s.own[0].Wwwroot}, s.sites...).stdout
	}
	const switchedOff = "MNet is switched off on this site"
	if got := checked(); !strings.Contains(got, switchedOff) {
		t.Errorf("a check of a site with a key: %s", got)
	}
	s.own[2].DB.Exec(t, "DELETE FROM {config_plugins} WHERE plugin = 'mnet' AND name = 'openssl'")
	if got := checked(); strings.Contains(got, switchedOff) {
		t.Errorf("a check of a site without a key: %s", got)
	}
	if got := selected("--newkey"); !slices.Contains(got, off) {
		t.Errorf("with --newkey: %q", got)
	}
}

func TestTwoSitesWithOneWwwrootFailAlone(t *testing.T) {
	t.Parallel()
	s := newSeparate(t)
	text, err := os.ReadFile(s.path("site4"))
	if err != nil {
		t.Fatal(err)
	}
	placeFile(t, s.path("site4"), strings.ReplaceAll(string(text), s.own[4].Wwwroot, s.own[3].Wwwroot))
	before := pairOf(t, s.own[4].Site) + pairOf(t, s.own[3].Site)
	r := s.renew(t, "--all", "--json", "--exclude="+s.broken)
	r.expect(t, 3)
	reports := r.byTenant(t)
	for _, i := range []int{3, 4} {
		report := reports[s.own[3].Wwwroot+" ("+s.path(s.name(i))+")"]
		if report.Outcome != rotate.Failed || !strings.Contains(report.Error, "two sites have the wwwroot "+s.own[3].Wwwroot+", and different databases: "+s.path("site3")+" and "+s.path("site4")) {
			t.Errorf("%s: %+v", s.name(i), report)
		}
	}
	for _, tenant := range slices.Concat(s.own[:3], s.tenant) {
		if reports[tenant.Wwwroot].Outcome != rotate.Renewed {
			t.Errorf("%s: %+v", tenant.Wwwroot, reports[tenant.Wwwroot])
		}
	}
	if pairOf(t, s.own[4].Site)+pairOf(t, s.own[3].Site) != before {
		t.Error("one of the two was renewed")
	}
}

// An alert about the site must not end because its config.php cannot be read.
func TestMetricsKeepASiteWhoseConfigCannotBeRead(t *testing.T) {
	t.Parallel()
	s, kept := newSeparate(t), newRecords(t)
	args := append([]string{"verify", "--all", "--config=" + s.path("site*")}, kept.args(t, "verify")...)
	run1(t, command(t, args...)).expect(t, 0)
	expiry := kept.metric(t, "certificate_not_after_timestamp_seconds", "wwwroot")[s.own[4].Wwwroot]
	text, err := os.ReadFile(s.path("site4"))
	if err != nil {
		t.Fatal(err)
	}
	placeFile(t, s.path("site4"), "<?php\n$CFG = new stdClass();\n$CFG->dbtype = 'mariadb';\n")
	run1(t, command(t, args...)).expect(t, 3)
	after := kept.metric(t, "certificate_not_after_timestamp_seconds", "wwwroot")
	if expiry == 0 || after[s.own[4].Wwwroot] != expiry || len(after) != 5 {
		t.Errorf("expiries %v, want %v of %s", after, expiry, s.own[4].Wwwroot)
	}
	if sites := kept.metric(t, "local_site_proven", "wwwroot"); len(sites) != 6 || sites[s.path("site4")] != 0 {
		t.Errorf("sites of the metrics: %v", sites)
	}
	placeFile(t, s.path("site4"), string(text))
	run1(t, command(t, args...)).expect(t, 0)
	if sites := kept.metric(t, "local_site_proven", "wwwroot"); len(sites) != 5 {
		t.Errorf("after it is repaired: %v", sites)
	}
}

// A command that named another config.php, or none, would be for another site.
func TestCommandsForASiteOfAnArrayNameItsOwnConfig(t *testing.T) {
	t.Parallel()
	s := newSeparate(t)
	s.own[3].web.Misbehave(peertest.Status(500))
	r := s.fleet.command(t, "verify", "--all", "--json")
	next := "renew_mnetkeys doctor --host=" + s.own[3].Wwwroot + " --config=" + s.path("site3")
	found := false
	for _, p := range r.byTenant(t)[s.own[0].Wwwroot].Peers {
		found = found || p.Wwwroot == s.own[3].Wwwroot && strings.Contains(p.Next, next)
	}
	if !found {
		t.Errorf("no link of the first site is explained by %q:\n%s", next, r.stdout)
	}
}

// Whoever writes the config.php of one site could otherwise have root work on another's files.
func TestRootWorksOnNoConfigThatNamesTheDatarootOfAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root works on the sites of several users")
	}
	s := newSeparate(t)
	for name, uid := range map[string]int{s.path("site1"): 4241, s.own[1].Dataroot: 4241, s.path("site2"): 4242} {
		if err := os.Chown(name, uid, uid); err != nil {
			t.Fatal(err)
		}
	}
	r := run1(t, command(t, "--all", "--json", "--config="+s.path("site[0-2]")))
	reports := r.byTenant(t)
	if report := reports[s.path("site2")]; report.Outcome != rotate.Failed || !strings.Contains(report.Error, "among sites of several users root does not trust it") {
		t.Errorf("the config.php of another user: %+v", report)
	}
	for _, tenant := range s.own[:2] {
		if reports[tenant.Wwwroot].Outcome != rotate.Renewed {
			t.Errorf("%s: %+v", tenant.Wwwroot, reports[tenant.Wwwroot])
		}
	}
	if len(historyOf(t, s.own[2].Site)) > 0 {
		t.Error("its key was renewed")
	}
}

func TestEachSiteIsWorkedOnAsItsOwnConfigSays(t *testing.T) {
	t.Parallel()
	s := newSeparate(t)
	data := t.TempDir()
	s.own[3].side.cacheIn(s.own[3].Site, data)
	s.own[3].web.Certificate() // fills it
	s.configure(t, 3, "$CFG->cachedir = '"+data+"/cache';\n$CFG->mnetkeylifetime = 14;\n")
	s.configure(t, 2, "$CFG->mnet_dispatcher_mode = 'off';\n")
	r := s.renew(t, "--all", "--withmaster", "--json", "--exclude="+s.broken)
	reports := r.byTenant(t)
	if _, selected := reports[s.own[2].Wwwroot]; selected {
		t.Error("a site whose config.php switches MNet off was selected")
	}
	for _, tenant := range slices.Concat(s.own[:2], s.own[3:], s.tenant) {
		days, report := 28, reports[tenant.Wwwroot]
		if tenant == s.own[3] {
			days = 14
		}
		if report.Outcome != rotate.Renewed || report.SelfCheck != rotate.SelfProven || report.Certificate == nil {
			t.Fatalf("%s: %+v", tenant.Wwwroot, report)
		}
		if life := report.Certificate.NotAfter.Sub(*report.Certificate.NotBefore); life.Round(24*time.Hour) != time.Duration(days)*24*time.Hour {
			t.Errorf("%s: the certificate is valid for %v, want %d days", tenant.Wwwroot, life, days)
		}
	}
}

// configure adds lines to the config.php of one of the five.
func (s *separate) configure(t testing.TB, i int, lines string) {
	t.Helper()
	text, err := os.ReadFile(s.path(s.name(i)))
	if err != nil {
		t.Fatal(err)
	}
	placeFile(t, s.path(s.name(i)), strings.Replace(string(text), "require_once", lines+"require_once", 1))
}

func TestPHPRunsAsTheOwnerOfEachSitesDataroot(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		testbed.Missing(t, "only root can become another user")
	}
	s := newSeparate(t)
	open(t, s.dir, filepath.Dir(s.path("site0")), filepath.Dir(s.path("site1")), s.own[0].Dirroot, s.own[1].Dirroot)
	for i, uid := range []int{4241, 4242} {
		s.configure(t, i, "file_put_contents($CFG->dataroot . '/evaluated', 'by php');\n")
		if err := os.Chown(s.own[i].Dataroot, uid, uid); err != nil {
			t.Fatal(err)
		}
	}
	run1(t, command(t, "status", "--all", "--config="+s.path("site[0-4]"))).expect(t, 0)
	for i, uid := range []uint32{4241, 4242} {
		info, err := os.Stat(filepath.Join(s.own[i].Dataroot, "evaluated"))
		if err != nil {
			t.Fatal(err)
		}
		if owner := info.Sys().(*syscall.Stat_t).Uid; owner != uid {
			t.Errorf("the config.php of %s was evaluated by user %d, want %d", s.name(i), owner, uid)
		}
	}
}
