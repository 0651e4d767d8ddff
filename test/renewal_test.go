package test

import (
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/rotate"
)

func TestAWarmTenantAndItsPeersEndOnTheNewKey(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]testbed.Options{
		"settings cached in files":             {Cache: testbed.FileCache, Socket: true},
		"settings cached in Redis":             {Cache: testbed.RedisCache, RedisPassword: "secret of redis", RedisPrefix: "site_"},
		"settings cached in Redis over files":  {Cache: testbed.StackedCache},
		"another prefix, and stock itself":     {Kind: testbed.Stock, Prefix: "x"},
		"an organisation outside of latin one": {FullName: "Šköla “☃” & <Co> of a name that is much longer than sixty-four characters"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own := testbed.PHPSite(t, options)
			patched, stock := testbed.PHPSite(t, testbed.Options{Kind: testbed.Patched}), testbed.PHPSite(t, testbed.Options{Kind: testbed.Stock})
			own.Peer(t, patched)
			own.Peer(t, stock)
			own.Warm(t)
			oldPair, oldCertificate := pairOf(t, own), own.Certificate(t)

			r := renewIt(t, own, "--json", "--debug")
			r.expect(t, 0)
			certificate := coherent(t, own)
			if certificate == oldCertificate {
				t.Fatal("the certificate is the old one")
			}
			if history := historyOf(t, own); len(history) == 0 || history[0] != oldPair {
				t.Error("the old pair is not first in the history")
			}
			tenant := r.document(t).Tenants[0]
			if tenant.Outcome != rotate.Renewed || tenant.SelfCheck != rotate.SelfProven || tenant.History != 1 {
				t.Errorf("%+v", tenant)
			}
			for _, peer := range []*testbed.Site{patched, stock} {
				if p := r.document(t).peer(t, peer.Wwwroot); !p.Outcome.Proven() {
					t.Errorf("%+v", p)
				}
				if peer.Held(t, own.Wwwroot) != certificate {
					t.Errorf("%s does not hold the new certificate", peer.Wwwroot)
				}
				linked(t, own, peer)
			}
		})
	}
}

func TestAPeerThatWasDownHealsItself(t *testing.T) {
	t.Parallel()
	own, stock := testbed.PHPSite(t, testbed.Options{}), testbed.PHPSite(t, testbed.Options{Kind: testbed.Stock})
	own.Peer(t, stock)
	own.Warm(t)
	stock.Stop()

	r := renewIt(t, own, "--json", "--retries=0")
	r.expect(t, 3)
	if p := r.document(t).peer(t, stock.Wwwroot); p.Outcome != rotate.Pending || p.Reason != "connect" {
		t.Errorf("while it is down: %+v", p)
	}
	stock.Start(t)
	if called := stock.Call(t, own.Wwwroot); !called.OK || !called.Learned {
		t.Errorf("its first call afterwards: %+v", called)
	}
	r = renewIt(t, own, "--json")
	r.expect(t, 0)
	if p := r.document(t).peer(t, stock.Wwwroot); p.Outcome != rotate.Accepted {
		t.Errorf("the second run: %+v", p)
	}
	coherent(t, own)
	linked(t, own, stock)
}

func TestWhatThePHPScriptLeftIsRepairedByOneRun(t *testing.T) {
	t.Parallel()
	for name, purged := range map[string]bool{"while its cache still hides it": false, "when the purge has cut it off": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own, peer := testbed.PHPSite(t, testbed.Options{}), testbed.PHPSite(t, testbed.Options{Kind: testbed.Patched})
			own.Peer(t, peer)
			own.Warm(t)
			own.BrokenPHPRenewal(t)
			if purged {
				own.Purge(t)
				if called := own.Call(t, peer.Wwwroot); called.OK {
					t.Fatalf("the tenant is not cut off: %+v", called)
				}
			}
			renewIt(t, own).expect(t, 0)
			if peer.Held(t, own.Wwwroot) != coherent(t, own) {
				t.Error("the peer does not hold the new certificate")
			}
			linked(t, own, peer)
		})
	}
}

func TestADryRunWritesNothing(t *testing.T) {
	t.Parallel()
	own, peer := testbed.PHPSite(t, testbed.Options{}), testbed.PHPSite(t, testbed.Options{Kind: testbed.Patched})
	own.Peer(t, peer)
	own.Warm(t)
	before, peers := contents(t, own), contents(t, peer)
	r := renewIt(t, own, "--dry-run")
	r.expect(t, 0, "would renew", "dry run: nothing was changed; 1 of 1 peer can be reached", peer.Wwwroot)
	if contents(t, own) != before || contents(t, peer) != peers {
		t.Error("a row was changed")
	}
	d := renewIt(t, own, "--dry-run", "--json").document(t)
	if !d.DryRun || d.Tenants[0].Outcome != rotate.Kept || d.Tenants[0].SelfCheck != rotate.SelfProven {
		t.Errorf("%+v", d)
	}
	peer.Stop()
	renewIt(t, own, "--dry-run").expect(t, 3, "0 of 1 peer can be reached", "pending")
	own.SetMNet(t, false)
	renewIt(t, own, "--dry-run").expect(t, 1, "error: MNet is switched off on this site", "To start MNet and make a new key, run: ")
}

// contents are all rows of a site.
func contents(t testing.TB, s *testbed.Site) string {
	t.Helper()
	var all []string
	for _, table := range []string{"config", "config_plugins", "mnet_host", "mnet_host2service", "mnet_application", "mnet_service"} {
		all = append(all, table, s.DB.Rows(t, "SELECT * FROM {"+table+"} ORDER BY id"))
	}
	return strings.Join(all, "\n")
}

func TestNewkeyStartsMNet(t *testing.T) {
	t.Parallel()
	own, peer := testbed.PHPSite(t, testbed.Options{}), testbed.PHPSite(t, testbed.Options{Kind: testbed.Patched})
	own.Peer(t, peer)
	own.SetMNet(t, false)
	own.Warm(t) // the web server has cached that MNet is disabled
	renewIt(t, own).expect(t, 1, "error: MNet is switched off on this site", "To start MNet and make a new key, run: ")
	renewIt(t, own, "--newkey").expect(t, 0, "1 of 1 peer proven")
	coherent(t, own)
	linked(t, own, peer)
}

func TestBindhostConnectsAStranger(t *testing.T) {
	t.Parallel()
	own, stranger := testbed.PHPSite(t, testbed.Options{}), testbed.PHPSite(t, testbed.Options{Kind: testbed.Patched, FullName: "A & Stranger"})
	r := renewIt(t, own, "--json", "--bindhost="+stranger.Wwwroot+"/")
	r.expect(t, 3) // it does not know this site, and says so
	if p := r.document(t).peer(t, stranger.Wwwroot); p.Outcome != rotate.Refused || p.Reason != "unknown_to_peer" {
		t.Errorf("%+v", p)
	}
	if own.Held(t, stranger.Wwwroot) != stranger.Certificate(t) {
		t.Error("its certificate is not in its row")
	}
	if name := own.DB.Value(t, "SELECT name FROM {mnet_host} WHERE wwwroot = ?", stranger.Wwwroot); name != "A & Stranger" {
		t.Errorf("its row is named %q", name)
	}
	bound := own.DB.Value(t, `SELECT GROUP_CONCAT(s.name, b.publish, b.subscribe ORDER BY s.name) FROM {mnet_host2service} b
		JOIN {mnet_service} s ON s.id = b.serviceid JOIN {mnet_host} h ON h.id = b.hostid WHERE h.wwwroot = ? AND b.publish + b.subscribe > 0`, stranger.Wwwroot)
	if bound != "sso_idp11,sso_sp11" {
		t.Errorf("services bound: %s", bound)
	}
	// After the local site was registered manually on the other side, the same run proves it.
	own.DB.Exec(t, "DELETE FROM {mnet_host2service}")
	own.DB.Exec(t, "DELETE FROM {mnet_host} WHERE wwwroot = ?", stranger.Wwwroot)
	own.Peer(t, stranger)
	renewIt(t, own, "--bindhost="+stranger.Wwwroot).expect(t, 0, "1 of 1 peer proven")
	linked(t, own, stranger)
}
