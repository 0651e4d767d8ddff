package test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/peers/peertest"
)

// These tests check what the tool may call proven, and which keys it must keep, on sites whose
// database, cache and web server are real or work like real ones.

// one is a single tenant, the master of its array, with two stock outsiders: no peer accepts a
// forced key.
func one(t *testing.T) (f *fleet, own *fleetTenant, run func(args ...string) ran) {
	t.Helper()
	f = newFleet(t, fleetOptions{tenants: 1, outsiders: 2})
	own = f.tenants[0]
	return f, own, func(args ...string) ran {
		return renewIt(t, own.Site, append([]string{"--retries=0", "--key-bits=2048"}, args...)...)
	}
}

// saidBy is what a command says about the links of a tenant.
func saidBy(t *testing.T, own *fleetTenant, word string, args ...string) (exit int, links map[string]string) {
	t.Helper()
	words := []string{"--config=" + own.ConfigFile, "--retries=0", "--json"}
	if word != "renew" {
		words = append([]string{word}, words...)
	}
	r := run1(t, command(t, append(words, args...)...))
	links = map[string]string{}
	for _, tenant := range r.document(t).Tenants {
		for _, p := range tenant.Peers {
			links[p.Wwwroot] = "not proven"
			if p.Outcome.Proven() {
				links[p.Wwwroot] = "proven"
			}
		}
	}
	return r.code, links
}

// The web server keeps its old key in a cache that cannot be reached from here (APCu, another
// node): three renewals lose nothing, and after a purge everything is proven.
func TestAWebServerWhoseCacheIsOutOfReachLosesNoKey(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		prepare func(t *testing.T, own *fleetTenant)
		code    int
		says    string
	}{
		{"it uses the stored key", func(*testing.T, *fleetTenant) {}, 1, "the old key was restored"},
		{"it uses the retired key", func(t *testing.T, own *fleetTenant) {
			newer(t, own, true)
		}, 4, "the web server does not use the key that is stored in the database"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, own, run := one(t)
			used := pairOf(t, own.Site)
			own.side.cacheIn(own.Site, t.TempDir())
			own.web.Certificate() // fills it
			c.prepare(t, own)
			stored := pairOf(t, own.Site)
			for range 3 {
				run().expect(t, c.code, c.says)
				if pairOf(t, own.Site) != stored || !slices.Contains(append(historyOf(t, own.Site), stored), used) {
					t.Fatal("the stored pair was replaced, or the one in use is lost")
				}
			}
			own.side.cacheIn(own.Site, own.Dataroot)
			own.purge(t)
			run().expect(t, 0, "2 of 2 peers proven")
		})
	}
}

// newer replaces the stored pair and the local host row, like a run that is killed before it drops
// the cache; archived says whether the old pair is in the history.
func newer(t *testing.T, own *fleetTenant, archived bool) (pair string) {
	t.Helper()
	old := pairOf(t, own.Site)
	made := peertest.NewKeyPair(own.Wwwroot, 2048)
	pair = made.Certificate.PEM + "@@@@@@@@" + made.PEM
	own.DB.Exec(t, "UPDATE {config_plugins} SET value = ? WHERE plugin = 'mnet' AND name = 'openssl'", pair)
	own.DB.Exec(t, "UPDATE {mnet_host} SET public_key = ?, public_key_expires = ? WHERE wwwroot = ?", made.Certificate.PEM, made.Certificate.NotAfter.Unix(), own.Wwwroot)
	if archived {
		own.DB.Exec(t, "UPDATE {config_plugins} SET value = ? WHERE plugin = 'mnet' AND name = 'openssl_history'", serialized(t, []string{old}))
	}
	return pair
}

// VMoodle's PHP script has replaced the pair in the table: only the cache has the pair that web
// server and peers use, and a purge would lose it.
func TestAKeyThatStandsInTheCacheAloneIsRescued(t *testing.T) {
	t.Parallel()
	for _, cache := range []testbed.Cache{testbed.FileCache, testbed.RedisCache, testbed.StackedCache} {
		for _, word := range []string{"renew", "push"} {
			t.Run(string(cache)+", "+word, func(t *testing.T) {
				t.Parallel()
				own, peer := testbed.PHPSite(t, testbed.Options{Cache: cache}), testbed.PHPSite(t, testbed.Options{Kind: testbed.Stock})
				own.Peer(t, peer)
				own.Warm(t)
				used := pairOf(t, own)
				own.BrokenPHPRenewal(t)
				if pairOf(t, own) == used || len(historyOf(t, own)) > 0 {
					t.Fatal("the script has not lost the pair")
				}
				if word == "renew" {
					renewIt(t, own).expect(t, 0, "1 of 1 peer proven")
				} else { // pair and row differ: a push says so, and changes nothing
					operate(t, own.ConfigFile, "push", nil, own).expect(t, 1, "key pair and local host row differ")
					renewIt(t, own).expect(t, 0, "1 of 1 peer proven")
				}
				if !slices.Contains(historyOf(t, own), used) {
					t.Error("the pair that peers used is lost")
				}
				coherent(t, own)
				linked(t, own, peer)
			})
		}
	}
}

// A peer that missed nine renewals heals: nothing was dropped meanwhile.
func TestAPeerThatMissedNineRenewalsHeals(t *testing.T) {
	t.Parallel()
	own, stock := testbed.PHPSite(t, testbed.Options{}), testbed.PHPSite(t, testbed.Options{Kind: testbed.Stock})
	own.Peer(t, stock)
	own.Warm(t)
	stock.Stop()
	for range 9 {
		renewIt(t, own, "--retries=0").expect(t, 3, "1 pending")
	}
	if n := len(historyOf(t, own)); n != 9 {
		t.Fatalf("%d retired pairs", n)
	}
	stock.Start(t)
	operate(t, own.ConfigFile, "push", nil, own).expect(t, 0, "1 of 1 peer proven")
	if n := len(historyOf(t, own)); n != 3 {
		t.Errorf("%d retired pairs are left", n)
	}
	linked(t, own, stock)
}

// If the local site cannot be asked, nothing is stored: its cache may be elsewhere, and a copy with
// a web server of its own would lock the live site out.
func TestNothingIsStoredWhereTheLocalSiteCannotBeAsked(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]peertest.Fault{
		"a filter": peertest.Status(403), "a login page": peertest.HTML, "maintenance": peertest.Maintenance(300), "nothing": peertest.Drop,
		"a plain fault": peertest.Answers(17), "notices before the XML": peertest.Notices, "a redirect": peertest.Redirect,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, own, run := one(t)
			own.web.Misbehave(fault)
			stored := pairOf(t, own.Site)
			for _, args := range [][]string{nil, {"--self-check=require"}, {"--newkey"}, {"--dry-run"}} {
				run(args...).expect(t, 1, "error: the local site cannot be asked which key it uses", "hint: ")
			}
			operate(t, own.ConfigFile, "push", []string{"--retries=0"}, own.Site).expect(t, 1, "the local site cannot be asked")
			if pairOf(t, own.Site) != stored || len(historyOf(t, own.Site)) > 0 {
				t.Error("something was stored")
			}
			for _, outsider := range f.outsiders {
				if len(outsider.Requests()) > 0 {
					t.Error("a peer was called")
				}
			}
			// If the proof is switched off on request, the key is renewed, and nothing is called
			// proven.
			forced := run("--self-check=off")
			if forced.expect(t, 3); strings.Contains(forced.stdout, "accepted") || strings.Contains(forced.stdout, "healed") {
				t.Errorf("something is called proven:\n%s", forced.stdout)
			}
		})
	}
}

// A copy of the database runs under another web server: the live site keeps working.
func TestACopyOfASiteDoesNotLockTheLiveOneOut(t *testing.T) {
	t.Parallel()
	f, live, _ := one(t)
	copied := testbed.MariaDB(t).Database(t, "mdl_")
	for _, table := range []string{"config", "config_plugins", "course", "mnet_application", "mnet_host", "mnet_service", "mnet_host2service"} {
		copied.Exec(t, "DELETE FROM {"+table+"}")
		copied.Exec(t, "INSERT INTO {"+table+"} SELECT * FROM "+live.DB.Name+".mdl_"+table)
	}
	text, err := os.ReadFile(live.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	config := t.TempDir() + "/config.php"
	replaced := strings.NewReplacer(live.DB.Name, copied.Name, live.DB.User, copied.User, live.DB.Password, copied.Password, live.Dataroot, t.TempDir()).Replace(string(text))
	if err := os.WriteFile(config, []byte(replaced), 0o600); err != nil {
		t.Fatal(err)
	}
	used := pairOf(t, live.Site)
	run1(t, command(t, "--config="+config, "--retries=0")).expect(t, 1, "the old key was restored")
	if pairOf(t, live.Site) != used || copied.Value(t, "SELECT value FROM {config_plugins} WHERE plugin = 'mnet' AND name = 'openssl'") != used {
		t.Error("a key was replaced")
	}
	for _, outsider := range f.outsiders {
		if !holds(used, outsider.Held(live.Wwwroot)) {
			t.Error("a peer was told of the copy's key")
		}
		call(t, live.web, outsider)
	}
}

// One of several web servers keeps another key: behind one address, and on addresses of their own.
func TestAWebServerOfSeveralThatKeepsAnotherKeyIsFound(t *testing.T) {
	t.Parallel()
	for name, nodes := range map[string][]string{"behind one address": {""}, "on two addresses": {"127.7.9.1"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, fleetOptions{tenants: 1, outsiders: 2, nodes: nodes})
			own := f.tenants[0]
			var named []string
			if nodes[0] != "" {
				for _, addr := range own.web.NodeAddrs() {
					named = append(named, "--node="+addr)
				}
			}
			current, _, err := own.web.Pairs()
			if err != nil {
				t.Fatal(err)
			}
			renewIt(t, own.Site, named...).expect(t, 0, "2 of 2 peers proven")
			own.web.NodeCaches(1, current) // and keeps it, whatever is purged
			stored := pairOf(t, own.Site)
			renewIt(t, own.Site, append(named, "--retries=0")...).expect(t, 4, "several_caches")
			operate(t, own.ConfigFile, "verify", append(named, "--retries=0"), own.Site).expect(t, 4, "several_caches")
			operate(t, own.ConfigFile, "doctor", append(named, "--retries=0"), own.Site).expect(t, 4, "several_caches")
			if got := checked(t, operate(t, own.ConfigFile, "check", append(named, "--retries=0"), own.Site)); got.state != "CRITICAL" {
				t.Errorf("check: %+v", got)
			}
			if pairOf(t, own.Site) != stored {
				t.Error("a key was stored")
			}
			own.web.NodeCaches(1, nil)
			renewIt(t, own.Site, named...).expect(t, 0, "2 of 2 peers proven")
		})
	}
}

// A peer that was restored from a backup uses an older key than our row has: the certificate that
// it proves is stored, whatever its date.
func TestAPeerRestoredFromABackupIsProvenAndStored(t *testing.T) {
	t.Parallel()
	f, own, run := one(t)
	peer := f.outsiders[0]
	older, _, err := peer.Pairs()
	if err != nil {
		t.Fatal(err)
	}
	if err := peer.Renew(false); err != nil {
		t.Fatal(err)
	}
	run().expect(t, 0, "2 of 2 peers proven") // our row has the newer one
	peer.Restore(older)
	for _, word := range []string{"verify", "doctor", "check"} {
		if exit, links := saidBy(t, own, word); exit == 0 || links[peer.Wwwroot()] != "not proven" {
			t.Errorf("%s: exit %d, %v", word, exit, links)
		}
	}
	operate(t, own.ConfigFile, "push", nil, own.Site).expect(t, 0, "2 of 2 peers proven")
	if held := own.Held(t, peer.Wwwroot()); held != older.Certificate.PEM {
		t.Error("the row does not have the certificate that the peer uses")
	}
	call(t, own.web, peer)
	if exit, _ := saidBy(t, own, "verify"); exit != 0 {
		t.Errorf("verify afterwards: exit %d", exit)
	}
}

// Every command says the same about the same broken link.
func TestEveryCommandSaysTheSameOfABrokenLink(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(t *testing.T, own *fleetTenant, peer *peertest.Site)
		args  []string
		all   bool // the local site: no link is proven
		ends  bool // renew and push end before they push to peers
	}{
		"nothing is broken":              {func(*testing.T, *fleetTenant, *peertest.Site) {}, nil, false, false},
		"notices before the peer's XML":  {misbehaving(peertest.Notices), nil, false, false},
		"warnings before the peer's XML": {misbehaving(peertest.Warnings), nil, false, false},
		"the peer's MNet is off":         {misbehaving(peertest.Off), nil, false, false},
		"the peer cannot do RC4":         {misbehaving(peertest.NoRC4), nil, false, false},
		"the peer's clock is ahead":      {misbehaving(peertest.ClockAhead(60_000_000_000)), nil, false, false},
		"the peer shows a login":         {misbehaving(peertest.HTML), nil, false, false},
		"the peer does not know us":      {misbehaving(peertest.Answers(7020)), nil, false, false},
		"the peer's seal is another's":   {misbehaving(peertest.OtherSeal), nil, false, false},
		"the peer is down":               {misbehaving(peertest.ResetAtOnce), nil, false, false},
		"the local site is not asked":    {func(*testing.T, *fleetTenant, *peertest.Site) {}, []string{"--self-check=off"}, true, false},
		"the local site does not answer": {func(_ *testing.T, own *fleetTenant, _ *peertest.Site) { own.web.Misbehave(peertest.Status(503)) }, nil, true, true},
		"the local site prints notices":  {func(_ *testing.T, own *fleetTenant, _ *peertest.Site) { own.web.Misbehave(peertest.Notices) }, nil, true, true},
		"the local site cannot do RC4":   {func(_ *testing.T, own *fleetTenant, _ *peertest.Site) { own.web.Misbehave(peertest.NoRC4) }, nil, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, own, _ := one(t)
			peer := f.outsiders[0]
			c.spoil(t, own, peer)
			broken := name != "nothing is broken"
			for _, word := range []string{"verify", "doctor", "check", "push", "renew", "verify"} {
				exit, links := saidBy(t, own, word, c.args...)
				if (exit != 0) != broken {
					t.Errorf("%s: exit %d", word, exit)
				}
				if c.ends && (word == "push" || word == "renew") {
					continue
				}
				for _, outsider := range f.outsiders {
					want := "proven"
					if c.all || broken && outsider == peer {
						want = "not proven"
					}
					if got := links[outsider.Wwwroot()]; got != want {
						t.Errorf("%s: %s is %q, want %q", word, outsider.Wwwroot(), got, want)
					}
				}
			}
		})
	}
}

// misbehaving is a peer that commits a fault from now on.
func misbehaving(fault peertest.Fault) func(*testing.T, *fleetTenant, *peertest.Site) {
	return func(_ *testing.T, _ *fleetTenant, peer *peertest.Site) { peer.Misbehave(fault) }
}

// This machine cannot resolve the name: --node names the web server.
func TestALocalSiteThatIsReachedByItsNodeOnly(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 1, host: "moodle.invalid", kind: peertest.Patched})
	own := f.tenants[0]
	peer, err := peertest.Start(peertest.Options{Kind: peertest.Patched})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(peer.Close)
	addFake(t, own.Site, peer)
	stored := pairOf(t, own.Site)
	renewIt(t, own.Site, "--retries=0").expect(t, 1, "the local site cannot be asked", "hint: a web server on this machine answers for "+own.Wwwroot, "--node=127.0.0.1")
	if pairOf(t, own.Site) != stored {
		t.Error("a key was stored")
	}
	renewIt(t, own.Site, "--node=127.0.0.1").expect(t, 0, "1 of 1 peer proven")
	renewIt(t, own.Site, "--node="+own.web.Addr()).expect(t, 0, "1 of 1 peer proven")
	renewIt(t, own.Site, "--node=127.0.0.1:1", "--retries=0").expect(t, 1, "the local site cannot be asked")
	if peer.Held(own.Wwwroot) != own.Certificate(t) {
		t.Error("the peer has another certificate")
	}
}

// The register spells a tenant differently from the tenant's local host row: peers know the letters
// of the row, and compare them byte by byte.
func TestATenantThatTheRegisterSpellsOtherwiseKeepsItsName(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 3, outsiders: 1})
	tenant := f.tenants[1]
	loud := strings.Replace(tenant.Wwwroot, "http:", "HTTP:", 1)
	f.says(t, tenant.Site, "vhostname = '"+loud+"'")
	for _, host := range []string{loud, tenant.Wwwroot} {
		old := pairOf(t, tenant.Site)
		run1(t, command(t, "--config="+f.config, "--host="+host)).expect(t, 0)
		if pairOf(t, tenant.Site) == old || tenant.DB.Value(t, "SELECT COUNT(*) FROM {mnet_host} WHERE BINARY wwwroot = ?", tenant.Wwwroot) != "1" {
			t.Error("the key was not renewed, or the own row has another name")
		}
		parsed(t, pairOf(t, tenant.Site), tenant.Wwwroot)
		for _, other := range f.outsiders {
			call(t, tenant.web, other)
		}
	}
	run1(t, command(t, "--config="+f.config, "--all", "--withmaster", "--fresh=0s")).expect(t, 0)
	if wrong := f.wrongLinks(t); len(wrong) > 0 {
		t.Error(wrong)
	}
}
