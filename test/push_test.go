package test

import (
	"slices"
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/rotate"
)

// threeSites are a site with a peer that accepts a forced key and one that fetches it.
func threeSites(t *testing.T) (own, forced, stock *testbed.Site) {
	t.Helper()
	own, forced, stock = patched(t), patched(t), testbed.PHPSite(t, testbed.Options{})
	own.Peer(t, forced)
	own.Peer(t, stock)
	own.Warm(t)
	return own, forced, stock
}

func TestPushBringsEveryPeerToTheStoredKey(t *testing.T) {
	t.Parallel()
	own, forced, stock := threeSites(t)
	push := func(args ...string) ran { return operate(t, own.ConfigFile, "push", args, own, forced, stock) }
	forced.Stop()
	stock.Stop()
	renewIt(t, own, "--retries=0").expect(t, 3, "0 of 2 peers proven, 2 pending")
	pair, history := pairOf(t, own), historyOf(t, own)
	unchanged(t, func() {
		push("--retries=0").expect(t, 3, "kept "+own.Wwwroot, "0 of 2 peers proven, 2 pending", "connection refused")
		push("--retries=0", "--dry-run").expect(t, 3, "would push the key of "+own.Wwwroot, "0 of 2 peers can be reached")
	}, own, forced, stock)
	forced.Start(t)
	stock.Start(t)
	t.Run("peers that are back learn the key", func(t *testing.T) {
		d := push("--json").document(t)
		if d.Command != "push" || d.ExitCode != 0 || d.Tenants[0].Outcome != rotate.Kept || d.Tenants[0].Previous != nil {
			t.Errorf("%+v", d)
		}
		for _, peer := range []*testbed.Site{forced, stock} {
			if p := d.peer(t, peer.Wwwroot); !p.Outcome.Proven() || peer.Held(t, own.Wwwroot) != own.Certificate(t) {
				t.Errorf("%+v", p)
			}
			linked(t, own, peer)
		}
	})
	if pairOf(t, own) != pair || !slices.Equal(historyOf(t, own), history) {
		t.Error("pair or history was changed")
	}
	t.Run("our row of a peer that renewed is brought up to date", func(t *testing.T) {
		forced.Renew(t, testbed.Renewal{Forget: true})
		if called := own.Call(t, forced.Wwwroot); called.OK {
			t.Fatal("the link is not broken")
		}
		push().expect(t, 0, "2 of 2 peers proven")
		if own.Held(t, forced.Wwwroot) != forced.Certificate(t) {
			t.Error("our row holds another certificate of it than it uses")
		}
		linked(t, own, forced)
	})
	t.Run("an own web side that has cached the key before is brought to the stored one", func(t *testing.T) {
		own.Renew(t, testbed.Renewal{Stale: true})
		pair := pairOf(t, own)
		push().expect(t, 0, "2 of 2 peers proven")
		if pairOf(t, own) != pair || forced.Held(t, own.Wwwroot) != coherent(t, own) {
			t.Error("the key was changed, or the peer does not hold it")
		}
		linked(t, own, forced)
		linked(t, own, stock)
	})
}

// Each case is a key that cannot be distributed; it is pushed to no peer, and a renewal is the
// cure.
func TestPushRefusesAKeyThatOnlyARenewalCanCure(t *testing.T) {
	t.Parallel()
	own, peer := patched(t), patched(t)
	own.Peer(t, peer)
	own.Warm(t)
	const renew = "hint: to make a new key, run: "
	for _, c := range []struct {
		name  string
		spoil func()
		says  []string
		cure  []string
	}{
		{"MNet is off", func() { own.SetMNet(t, false) }, []string{"error: MNet is switched off on this site", "To start MNet and make a new key, run: "}, []string{"--newkey"}},
		{"the row holds another certificate", func() { own.BrokenPHPRenewal(t) }, []string{"error: key pair and local host row differ", renew}, nil},
		{"the key has expired", func() { own.Expire(t) }, []string{"error: the key has expired", renew}, nil},
		{"there is no key", func() {
			own.DB.Exec(t, "DELETE FROM {config_plugins} WHERE plugin = 'mnet' AND name = 'openssl'")
		}, []string{"error: the stored key is missing or cannot be read", renew}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.spoil()
			unchanged(t, func() {
				for _, args := range [][]string{nil, {"--dry-run"}} {
					operate(t, own.ConfigFile, "push", args, own).expect(t, 1, append(c.says, "failed "+own.Wwwroot)...)
				}
			}, own, peer)
			renewIt(t, own, c.cure...).expect(t, 0, "1 of 1 peer proven")
		})
	}
	coherent(t, own)
	linked(t, own, peer)
}

func TestRollbackGoesToTheFormerKeyAndBack(t *testing.T) {
	t.Parallel()
	own, forced, stock := threeSites(t)
	rollback := func(args ...string) ran { return operate(t, own.ConfigFile, "rollback", args, own, forced, stock) }
	const renew = "hint: to make a new key, run: "
	t.Run("an empty history", func(t *testing.T) {
		unchanged(t, func() {
			rollback("--yes").expect(t, 1, "error: the key history is empty: there is no key to go back to", renew)
			rollback("--dry-run").expect(t, 1, "error: the key history is empty: there is no key to go back to")
		}, own, forced, stock)
	})
	first := pairOf(t, own)
	renewIt(t, own).expect(t, 0)
	second := pairOf(t, own)
	renewIt(t, own).expect(t, 0)
	third := pairOf(t, own)
	t.Run("neither without an answer nor in a dry run", func(t *testing.T) {
		unchanged(t, func() {
			if r := rollback(); r.code != 1 || r.stdout != "" || !strings.Contains(r.stderr, "rollback needs confirmation\nhint: run it on a terminal, or add --yes") {
				t.Errorf("%+v", r)
			}
			rollback("--dry-run").expect(t, 0, "would roll back "+own.Wwwroot, "would go back to ", "2 of 2 peers can be reached")
		}, own, forced, stock)
	})
	for _, c := range []struct {
		time    string
		current string
		history []string
	}{
		{"the first time", second, []string{third, first}},
		{"the second time", third, []string{second, first}},
	} {
		t.Run(c.time, func(t *testing.T) {
			was := pairOf(t, own)
			r := rollback("--yes", "--json")
			r.expect(t, 0)
			if pairOf(t, own) != c.current || !slices.Equal(historyOf(t, own), c.history) {
				t.Error("the current pair is not the former one, or one was lost")
			}
			if historyOf(t, own)[0] != was {
				t.Error("the pair that was replaced is not first in the history")
			}
			certificate := coherent(t, own)
			d := r.document(t)
			if got := d.Tenants[0]; got.Outcome != rotate.Renewed || got.SelfCheck != rotate.SelfProven || got.History != 2 || got.Previous == nil {
				t.Errorf("%+v", got)
			}
			for _, peer := range []*testbed.Site{forced, stock} {
				if p := d.peer(t, peer.Wwwroot); !p.Outcome.Proven() || peer.Held(t, own.Wwwroot) != certificate {
					t.Errorf("%+v", p)
				}
				linked(t, own, peer)
			}
		})
	}
	t.Run("of a site whose pair is lost", func(t *testing.T) {
		own.Warm(t)
		lost := pairOf(t, own)
		own.DB.Exec(t, "UPDATE {config_plugins} SET value = '' WHERE plugin = 'mnet' AND name = 'openssl'")
		// The cache still has it, and web server and peers work with it.
		rollback("-y").expect(t, 0, "rolled back "+own.Wwwroot, "2 of 2 peers proven")
		if pairOf(t, own) != lost || forced.Held(t, own.Wwwroot) != coherent(t, own) {
			t.Error("the current pair is not the one that was lost, or the peer does not have it")
		}
		linked(t, own, forced)
	})
	t.Run("a former key that has expired", func(t *testing.T) {
		aged(t, own, 30*day, 28)
		own.DB.Exec(t, "UPDATE {mnet_host} SET public_key_expires = UNIX_TIMESTAMP() + 86400 WHERE wwwroot = ?", own.Wwwroot)
		own.Renew(t, testbed.Renewal{})
		unchanged(t, func() {
			rollback("--yes").expect(t, 1, "error: the newest retired key: the key has expired: until ", renew)
			rollback("--dry-run").expect(t, 1, "error: the newest retired key: the key has expired: until ")
		}, own, forced, stock)
	})
}

// The local web server reads its settings from a place where the command does not look for them.
func TestARollbackThatTheOwnSiteDoesNotFollowIsUndone(t *testing.T) {
	t.Parallel()
	own, peer := testbed.PHPSite(t, testbed.Options{Cache: testbed.RedisCache}), patched(t)
	own.Peer(t, peer)
	former := pairOf(t, own)
	renewIt(t, own).expect(t, 0)
	current := pairOf(t, own)
	own.Warm(t)
	cmd := command(t, "rollback", "--config="+own.ConfigFile, "--yes", "--json", "--php=/bin/false", "--cfg", "altcacheconfigpath="+t.TempDir()) // php would find the right cache
	r := run1(t, cmd)
	r.revealsNothing(t, secrets(t, own))
	r.expect(t, 1, "the old key was restored")
	d := r.document(t)
	if got := d.Tenants[0]; got.Outcome != rotate.Undone || got.SelfCheck != rotate.SelfProven {
		t.Errorf("%+v", got)
	}
	if p := d.peer(t, peer.Wwwroot); p.Outcome != rotate.Skipped {
		t.Errorf("the peer was told: %+v", p)
	}
	if pairOf(t, own) != current || !slices.Contains(historyOf(t, own), former) {
		t.Error("the current pair was changed, or the former one lost")
	}
	coherent(t, own)
	linked(t, own, peer)
}
