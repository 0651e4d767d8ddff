package test

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/internal/testkey"
	"renew_mnetkeys/rotate"
)

// operate runs a command for the site of a config.php, and checks that no secret of any site is
// shown.
func operate(t testing.TB, config, word string, args []string, sites ...*testbed.Site) ran {
	t.Helper()
	var known [][]string
	watch := func() {
		for _, s := range sites {
			known = append(known, secrets(t, s))
		}
	}
	watch()
	r := run1(t, command(t, append([]string{word, "--config=" + config}, args...)...))
	watch()
	r.revealsNothing(t, known...)
	return r
}

// unchanged checks that a run has left the tables of the sites unchanged.
func unchanged(t testing.TB, run func(), sites ...*testbed.Site) {
	t.Helper()
	var before []string
	for _, s := range sites {
		before = append(before, contents(t, s))
	}
	run()
	for i, s := range sites {
		if contents(t, s) != before[i] {
			t.Errorf("a row of %s was changed", s.Wwwroot)
		}
	}
}

// certify makes a small key of the given age and lifetime.
func certify(t testing.TB, wwwroot string, age time.Duration, lifeDays int) *envelope.KeyPair {
	t.Helper()
	key := testkey.Key(1024)
	made, err := rotate.Certify(key, rotate.Subject{Wwwroot: wwwroot, Site: "An aged site"}, time.Now().Add(-age), lifeDays, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// aged gives a site a key of the given age and lifetime, which it and its peers use.
func aged(t testing.TB, s *testbed.Site, age time.Duration, lifeDays int, peers ...*testbed.Site) (pair string) {
	t.Helper()
	made := certify(t, s.Wwwroot, age, lifeDays)
	pair = made.Certificate.PEM + "@@@@@@@@" + made.PEM
	s.DB.Exec(t, "UPDATE {config_plugins} SET value = ? WHERE plugin = 'mnet' AND name = 'openssl'", pair)
	for _, holder := range append(peers, s) {
		holder.DB.Exec(t, "UPDATE {mnet_host} SET public_key = ?, public_key_expires = ? WHERE wwwroot = ?",
			made.Certificate.PEM, made.Certificate.NotAfter.Unix(), s.Wwwroot)
	}
	s.Purge(t)
	return pair
}

const day = 24 * time.Hour

func TestAKeyThatIsNotDueIsKeptInSilence(t *testing.T) {
	t.Parallel()
	own, forced, stock := threeSites(t)
	silent := func() {
		t.Helper()
		if r := renewIt(t, own, "--if-due"); r.code != 0 || r.stdout+r.stderr != "" {
			t.Errorf("it is not silent: %+v", r)
		}
	}
	t.Run("while all peers are proven", func(t *testing.T) { unchanged(t, silent, own, forced, stock) })

	stock.Stop()
	renewIt(t, own, "--retries=0").expect(t, 3, "1 of 2 peers proven, 1 pending")
	pair := pairOf(t, own)
	t.Run("a peer that stays down is reported", func(t *testing.T) {
		unchanged(t, func() {
			renewIt(t, own, "--if-due", "--retries=0").expect(t, 3, "kept "+own.Wwwroot, "not due      the key will be renewed after 20", "pending   "+stock.Wwwroot, "connection refused", "1 of 2 peers proven, 1 pending")
		}, own, forced)
		r := renewIt(t, own, "--if-due", "--retries=0", "--json")
		r.expect(t, 3)
		if p := r.document(t).peer(t, stock.Wwwroot); p.Outcome != rotate.Pending || p.Reason != "connect" || p.Attempts != 1 || strings.Contains(p.Detail, "not tried again") {
			t.Errorf("%+v", p)
		}
	})
	t.Run("a peer that is back learns the key", func(t *testing.T) {
		stock.Start(t)
		silent()
		if stock.Held(t, own.Wwwroot) != own.Certificate(t) {
			t.Error("it does not hold the current certificate")
		}
		linked(t, own, stock)
	})
	t.Run("a peer that holds nothing of ours is pushed to", func(t *testing.T) {
		forced.DB.Exec(t, "UPDATE {mnet_host} SET public_key = ?, public_key_expires = 0 WHERE wwwroot = ?", forced.Certificate(t), own.Wwwroot)
		if called := forced.Call(t, own.Wwwroot); called.OK {
			t.Fatal("the link is not broken")
		}
		r := renewIt(t, own, "--if-due", "--json")
		r.expect(t, 0)
		if d := r.document(t); d.Tenants[0].Outcome != rotate.Kept || !d.peer(t, forced.Wwwroot).Outcome.Proven() || !d.peer(t, stock.Wwwroot).Outcome.Proven() {
			t.Errorf("%+v", d)
		}
		if forced.Held(t, own.Wwwroot) != own.Certificate(t) {
			t.Error("it does not hold the current certificate")
		}
		linked(t, own, forced)
	})
	if pairOf(t, own) != pair || len(historyOf(t, own)) != 1 {
		t.Error("the key was replaced")
	}
	coherent(t, own)
}

func TestAKeyIsRenewedWhenItIsDue(t *testing.T) {
	t.Parallel()
	own, peer := patched(t), patched(t)
	own.Peer(t, peer)
	gap := func(hours string) {
		own.DB.Exec(t, "DELETE FROM {config_plugins} WHERE plugin = 'local_vmoodle'")
		if hours != "" {
			own.DB.Exec(t, "INSERT INTO {config_plugins} (plugin, name, value) VALUES ('local_vmoodle', 'mnet_key_autorenew_gap', ?)", hours)
		}
	}
	for _, c := range []struct {
		name    string
		age     time.Duration // of a key that is valid for 27 days, a third of which is 9
		gap     string        // mnet_key_autorenew_gap, hours
		args    []string
		spoil   string // a statement
		renewed bool
	}{
		{name: "more than a third of its life is left", age: 17 * day},
		{name: "less than a third of its life is left", age: 19 * day, renewed: true},
		{name: "the key has expired", age: 30 * day, renewed: true},
		{name: "less is left than --renew-before", age: 22 * day, args: []string{"--renew-before=6d"}, renewed: true},
		{name: "VMoodle's gap is larger than a third", age: 15 * day, gap: "312", renewed: true},
		{name: "the own row holds another certificate", age: day, renewed: true,
			spoil: "UPDATE {mnet_host} SET public_key = 'another' WHERE wwwroot = ?"},
		{name: "the pair cannot be read", age: day, renewed: true,
			spoil: "UPDATE {config_plugins} SET value = 'no pair' WHERE plugin = 'mnet' AND name = 'openssl' AND ? <> ''"},
	} {
		t.Run(c.name, func(t *testing.T) {
			pair := aged(t, own, c.age, 27, peer)
			gap(c.gap)
			if c.spoil != "" {
				own.DB.Exec(t, c.spoil, own.Wwwroot)
				pair = pairOf(t, own)
			}
			r := renewIt(t, own, append(c.args, "--if-due")...)
			if !c.renewed {
				if r.code != 0 || r.stdout+r.stderr != "" || pairOf(t, own) != pair {
					t.Errorf("it was not kept in silence: %+v", r)
				}
				return
			}
			r.expect(t, 0, "renewed "+own.Wwwroot, "1 of 1 peer proven")
			if history := historyOf(t, own); pairOf(t, own) == pair || len(history) == 0 || history[0] != pair && pair != "no pair" {
				t.Error("there is no new pair, or the old one is not first in the history")
			}
			if peer.Held(t, own.Wwwroot) != coherent(t, own) {
				t.Error("the peer does not hold the new certificate")
			}
		})
	}
	linked(t, own, peer)
	t.Run("a dry run says what would become of it", func(t *testing.T) {
		for _, c := range []struct {
			age  time.Duration
			args []string
			says []string
		}{
			{day, []string{"--if-due"}, []string{"would keep the key of " + own.Wwwroot, "if the test fails, the certificate is sent again"}},
			{day, nil, []string{"would renew " + own.Wwwroot, "would be sent the new certificate"}},
			{20 * day, []string{"--if-due"}, []string{"would renew " + own.Wwwroot, "would be sent the new certificate"}},
		} {
			aged(t, own, c.age, 27, peer)
			unchanged(t, func() { renewIt(t, own, append(c.args, "--dry-run")...).expect(t, 0, c.says...) }, own, peer)
		}
	})
}

// As long as a peer may need the oldest retired key, no new key removes it.
func TestAForcedRenewalDoesNotLockOutAPeerThatIsDown(t *testing.T) {
	t.Parallel()
	own, forced, stock := threeSites(t)
	own.DB.Exec(t, "INSERT INTO {config_plugins} (plugin, name, value) VALUES ('mnet', 'openssl_generations', '2')")
	generations := func(t *testing.T, want int) {
		t.Helper()
		if got := len(historyOf(t, own)); got != want {
			t.Fatalf("the history holds %d keys, not %d", got, want)
		}
	}
	stock.Stop()
	for i := range 5 {
		renewIt(t, own, "--retries=0").expect(t, 3, "1 pending")
		generations(t, i+1)
	}
	renewIt(t, own, "--retries=0", "--self-check=off").expect(t, 3, "2 pending")
	generations(t, 6)
	renewIt(t, own, "--dry-run", "--retries=0").expect(t, 3, "1 of 2 peers can be reached")
	t.Run("the peer is back, and the history is shortened", func(t *testing.T) {
		stock.Start(t)
		operate(t, own.ConfigFile, "push", nil, own).expect(t, 0, "2 of 2 peers proven")
		generations(t, 2)
		linked(t, own, stock)
		renewIt(t, own).expect(t, 0, "2 of 2 peers proven")
		generations(t, 2)
		linked(t, own, stock)
	})
	t.Run("shortened with --abandon-pending", func(t *testing.T) {
		stock.Stop()
		renewIt(t, own, "--retries=0").expect(t, 3, "1 pending")
		generations(t, 3)
		pair := pairOf(t, own)
		renewIt(t, own, "--retries=0", "--abandon-pending").expect(t, 3, "renewed", "1 pending")
		if history := historyOf(t, own); len(history) != 2 || history[0] != pair {
			t.Error("the replaced pair is not first in the history")
		}
		stock.Start(t)
		linked(t, own, stock) // it had the newest of them
	})
	t.Run("not asked where the key is due", func(t *testing.T) {
		pair := aged(t, own, 20*day, 28, forced, stock)
		stock.Stop()
		renewIt(t, own, "--if-due", "--retries=0").expect(t, 3, "renewed", "1 pending")
		if history := historyOf(t, own); history[0] != pair {
			t.Error("the replaced pair is not first in the history")
		}
	})
	coherent(t, own)
}
