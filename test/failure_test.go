package test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

// Each case breaks a working tenant in one way. It says how the command ends, what it says, and
// whether the key may have been replaced. In every case the link to the peer works in the end as it
// did before.
func TestAFailureEndsWithItsMessageAndNothingLost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		options testbed.Options
		breakIt func(t *testing.T, own *testbed.Site) (args []string, mend func())
		code    int
		says    []string
		renewed bool
	}{
		{name: "wrong password", code: 1, says: []string{"error: ", "password", "hint: "},
			breakIt: func(t *testing.T, own *testbed.Site) ([]string, func()) {
				return []string{"--cfg", "dbpass=@" + write(t, "wrong")}, func() {}
			}},
		{name: "unknown tenant", code: 2, says: []string{"error: ", "https://nobody.example", "hint: "},
			breakIt: func(t *testing.T, own *testbed.Site) ([]string, func()) {
				return []string{"--host=https://nobody.example"}, func() {}
			}},
		{name: "a database that is not there", code: 1, says: []string{"error: ", "hint: "},
			breakIt: func(t *testing.T, own *testbed.Site) ([]string, func()) {
				return []string{"--cfg", "dbname=nothing_here"}, func() {}
			}},
		{name: "a database server that is not there", code: 1, says: []string{"error: ", "127.0.0.1:1", "hint: "},
			breakIt: func(t *testing.T, own *testbed.Site) ([]string, func()) {
				return []string{"--cfg", "dbhost=127.0.0.1", "--cfg", "dboptions.dbport=1"}, func() {}
			}},
		{name: "a database that is not served", code: 2, says: []string{"error: ", "sqlsrv", "mariadb", "pgsql"},
			breakIt: func(t *testing.T, own *testbed.Site) ([]string, func()) {
				return []string{"--cfg", "dbtype=sqlsrv"}, func() {}
			}},
		{name: "no config.php", code: 2, says: []string{"error: ", "/config.php: there is no such file"},
			breakIt: func(t *testing.T, own *testbed.Site) ([]string, func()) {
				away := own.ConfigFile + ".away"
				rename(t, own.ConfigFile, away)
				return nil, func() { rename(t, away, own.ConfigFile) }
			}},
		{name: "MNet off", code: 1, says: []string{"error: MNet is switched off on this site", "--newkey"},
			breakIt: func(t *testing.T, own *testbed.Site) ([]string, func()) {
				own.SetMNet(t, false)
				return nil, func() { own.SetMNet(t, true) }
			}},
		{name: "a table is missing", code: 1, says: []string{"error: ", "mnet_host' doesn't exist", "hint: check dbname and prefix in config.php (the prefix is"},
			breakIt: func(t *testing.T, own *testbed.Site) ([]string, func()) {
				own.DB.Exec(t, "RENAME TABLE {mnet_host} TO {mnet_gone}")
				return nil, func() { own.DB.Exec(t, "RENAME TABLE {mnet_gone} TO {mnet_host}") }
			}},
		{name: "Redis is down", options: testbed.Options{Cache: testbed.RedisCache}, code: 1, says: []string{"error: ", "redis", "hint: "},
			breakIt: func(t *testing.T, own *testbed.Site) ([]string, func()) {
				own.Redis.Stop()
				return nil, nil
			}},
		{name: "the own site is not reachable, which is required", code: 1, says: []string{"error: the local site cannot be asked", "--node=HOST[:PORT]"},
			breakIt: func(t *testing.T, own *testbed.Site) ([]string, func()) {
				own.Stop()
				return []string{"--self-check=require", "--retries=0"}, func() { own.Start(t) }
			}},
		{name: "the own site is not reachable", code: 1, says: []string{"error: the local site cannot be asked", "--self-check=off"},
			breakIt: func(t *testing.T, own *testbed.Site) ([]string, func()) {
				own.Stop()
				return []string{"--retries=0"}, func() { own.Start(t) }
			}},
		{name: "another run has the lock", code: 5, says: []string{"error: ", "hint: wait for it to end"},
			breakIt: func(t *testing.T, own *testbed.Site) ([]string, func()) {
				return []string{"--lock-wait=1s"}, holdLock(t, own)
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			own, peer := testbed.PHPSite(t, c.options), testbed.PHPSite(t, testbed.Options{Kind: testbed.Stock})
			own.Peer(t, peer)
			own.Warm(t)
			args, mend := c.breakIt(t, own)
			pair := pairOf(t, own)
			r := renewIt(t, own, append(args, "--debug")...)
			r.expect(t, c.code, c.says...)
			if renewed := pairOf(t, own) != pair; renewed != c.renewed {
				t.Errorf("key replaced: %v", renewed)
			}
			if mend == nil {
				return // the web server itself has lost its cache server
			}
			mend()
			coherent(t, own)
			linked(t, own, peer)
		})
	}
}

func rename(t testing.TB, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// If config.php computes its wwwroot, --host must be the name that the database has.
func TestAWwwrootThatOnlyTheCommandLineSaysIsConfirmed(t *testing.T) {
	t.Parallel()
	own := testbed.PHPSite(t, testbed.Options{})
	own.Warm(t)
	text, err := os.ReadFile(own.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	computed := strings.Replace(string(text), "'"+own.Wwwroot+"'", "'http://' . $_SERVER['HTTP_HOST']", 1)
	if computed == string(text) {
		t.Fatal("config.php writes its wwwroot otherwise")
	}
	config := filepath.Join(t.TempDir(), "config.php")
	if err := os.WriteFile(config, []byte(computed), 0o600); err != nil {
		t.Fatal(err)
	}
	pair := pairOf(t, own)
	run1(t, command(t, "--config="+config)).expect(t, 2, "error: ", "--host")
	other := strings.Replace(own.Wwwroot, "127.0.0.1", "localhost", 1)
	run1(t, command(t, "--config="+config, "--host="+other)).expect(t, 2, "belongs to "+own.Wwwroot, "hint: ")
	if pairOf(t, own) != pair {
		t.Error("the key was replaced")
	}
	run1(t, command(t, "--config="+config, "--host="+own.Wwwroot)).expect(t, 0)
	coherent(t, own)
}

func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// holdLock takes the tenant's lock as another run does, by running one against a peer that answers
// late.
func holdLock(t *testing.T, own *testbed.Site) (release func()) {
	t.Helper()
	slow, err := peertest.Start(peertest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	addFake(t, own, slow)
	slow.Misbehave(peertest.Hang)
	pair := pairOf(t, own)
	other := command(t, "--config="+own.ConfigFile, "--timeout=60s", "--retries=0")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the other run to store its key", func() bool { return pairOf(t, own) != pair })
	own.DB.Exec(t, "UPDATE {mnet_host} SET deleted = 1 WHERE wwwroot = ?", slow.Wwwroot())
	return func() {
		slow.Close()
		_ = other.Wait()
	}
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// addFake makes a fake site a peer of a PHP site; both know each other.
func addFake(t testing.TB, own *testbed.Site, fake *peertest.Site) {
	t.Helper()
	own.DB.Exec(t, `INSERT INTO {mnet_host} (wwwroot, name, public_key, public_key_expires, applicationid)
		VALUES (?, 'fake', ?, ?, (SELECT id FROM {mnet_application} WHERE name = ?))`,
		fake.Wwwroot(), fake.Certificate(), time.Now().AddDate(0, 0, 1).Unix(), fake.Application())
	if err := fake.Know(own.Wwwroot, own.Certificate(t)); err != nil {
		t.Fatal(err)
	}
}

func TestAnOwnSiteWithoutRC4IsToldHowToSwitchItOn(t *testing.T) {
	t.Parallel()
	own, peer := testbed.PHPSite(t, testbed.Options{NoRC4: true}), testbed.PHPSite(t, testbed.Options{Kind: testbed.Patched})
	own.Peer(t, peer)
	own.Warm(t)
	r := renewIt(t, own)
	r.expect(t, 3, "no_rc4", "legacy provider", "OPENSSL_CONF")
	if peer.Held(t, own.Wwwroot) != coherent(t, own) {
		t.Error("the peer was not sent the new certificate")
	}
}

// The local web server reads its settings from a Redis that muc/config.php does not name, as that
// of another web node may be.
func TestAnOwnSiteThatKeepsTheOldKeyGetsItBack(t *testing.T) {
	own, peer := testbed.PHPSite(t, testbed.Options{Cache: testbed.RedisCache}), testbed.PHPSite(t, testbed.Options{Kind: testbed.Patched})
	own.Peer(t, peer)
	own.Warm(t)
	old := pairOf(t, own)
	r := renewIt(t, own, "--json", "--php=/bin/false", "--cfg", "altcacheconfigpath="+t.TempDir()) // php would find the right cache
	r.expect(t, 1, "the old key was restored")
	if got := r.document(t).Tenants[0]; got.Outcome != rotate.Undone || got.SelfCheck != rotate.SelfProven {
		t.Errorf("%+v", got)
	}
	if pairOf(t, own) != old {
		t.Error("the old pair is not current")
	}
	if history := historyOf(t, own); len(history) != 1 || history[0] == old {
		t.Error("the new pair is not in the history")
	}
	coherent(t, own)
	linked(t, own, peer)
	for _, event := range r.document(t).Tenants[0].Peers {
		if event.Outcome != rotate.Skipped {
			t.Errorf("a peer was told: %+v", event)
		}
	}
}

// The report says how a peer misbehaves, and that peer does not prevent the others from being
// proven.
func TestAPeerThatMisbehavesIsReportedAsWhatItDoes(t *testing.T) {
	t.Parallel()
	own, good := testbed.PHPSite(t, testbed.Options{}), testbed.PHPSite(t, testbed.Options{Kind: testbed.Patched})
	own.Peer(t, good)
	own.Warm(t)
	want := map[string]struct {
		fault   peertest.Fault
		outcome rotate.PeerOutcome
		reason  rotate.Reason
	}{
		"hangs":                              {peertest.Hang, rotate.Pending, "timeout"},
		"floods":                             {peertest.Flood, rotate.Refused, "too_large"},
		"redirects":                          {peertest.Redirect, rotate.Refused, "http_301"},
		"answers HTML":                       {peertest.HTML, rotate.Refused, "not_xmlrpc"},
		"answers another site's certificate": {peertest.OtherCertificate, rotate.Healed, ""},
		"answers a bad signature":            {peertest.BadSignature, rotate.Refused, "bad_signature"},
		"is in maintenance":                  {peertest.Maintenance(300), rotate.Pending, "http_503"},
		"has MNet off":                       {peertest.Off, rotate.Refused, "mnet_off"},
		"has no RC4":                         {peertest.NoRC4, rotate.Refused, "no_rc4"},
		"has a clock of its own":             {peertest.ClockAhead(time.Minute), rotate.Refused, "clock"},
		"writes notices before the XML":      {peertest.Notices, rotate.Refused, "stray_output"},
		"writes a footer behind the XML":     {peertest.Footer, rotate.Refused, "stray_output"},
	}
	sites := map[string]*peertest.Site{}
	for name, w := range want {
		site, err := peertest.Start(peertest.Options{Address: fmt.Sprintf("127.0.3.%d:0", len(sites)+1)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(site.Close)
		addFake(t, own, site)
		site.Misbehave(w.fault)
		sites[name] = site
	}
	r := renewIt(t, own, "--json", "--timeout=3s", "--retries=1", "--debug")
	r.expect(t, 3)
	d := r.document(t)
	for name, w := range want {
		if p := d.peer(t, sites[name].Wwwroot()); p.Outcome != w.outcome || p.Reason != w.reason {
			t.Errorf("%s: %+v", name, p)
		}
		if held := own.Held(t, sites[name].Wwwroot()); held != sites[name].Certificate() {
			t.Errorf("%s: its row holds another certificate", name)
		}
	}
	if p := d.peer(t, good.Wwwroot); p.Outcome != rotate.Accepted {
		t.Errorf("the good peer: %+v", p)
	}
	coherent(t, own)
	linked(t, own, good)
}

// If the user may not write Moodle's cache, nothing is changed and the hint names the user who may.
func TestACacheThatIsNotOursIsNoSurprise(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		testbed.Missing(t, "only root can become another user")
	}
	own := testbed.PHPSite(t, testbed.Options{})
	own.Warm(t)
	pair := pairOf(t, own)
	asNobody := ofNobody(t, own)
	asNobody().expect(t, 1, "error: ", "permission denied", "hint: ", "sudo -u root")
	if pairOf(t, own) != pair {
		t.Error("the key was replaced")
	}
	// The web server keeps the key that it has: a push gives it back, as its dry run foretells.
	own.Renew(t, testbed.Renewal{Stale: true})
	for _, args := range [][]string{{"push", "--dry-run"}, {"push"}} {
		asNobody(args...).expect(t, 1, "error: ", "permission denied", "hint: ", "sudo -u root")
	}
	if pairOf(t, own) != pair {
		t.Error("the site does not have the key that its web server uses")
	}
	if err := os.Chmod(own.ConfigFile, 0o600); err != nil {
		t.Fatal(err)
	}
	asNobody().expect(t, 2, "error: "+own.ConfigFile, "hint: only root can read it")
}

// ofNobody runs the command for a site as a user who may read its files and write none.
func ofNobody(t *testing.T, own *testbed.Site) func(args ...string) ran {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "renew_mnetkeys")
	if err := os.Link(built(t, forRace...), binary); err != nil {
		copyFile(t, built(t, forRace...), binary)
	}
	open(t, filepath.Dir(binary), filepath.Dir(own.ConfigFile), filepath.Dir(own.Dataroot), own.Dataroot)
	return func(args ...string) ran {
		t.Helper()
		cmd := command(t, append(args, "--config="+own.ConfigFile)...)
		cmd.Path = binary
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		return run1(t, cmd)
	}
}

// open lets all users pass through directories.
func open(t *testing.T, dirs ...string) {
	t.Helper()
	for _, dir := range dirs {
		for ; dir != "/"; dir = filepath.Dir(dir) {
			info, err := os.Stat(dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(dir, info.Mode()|0o055); err != nil {
				t.Fatal(err)
			}
			if dir == os.TempDir() {
				break
			}
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.CommandContext(context.Background(), "cp", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
