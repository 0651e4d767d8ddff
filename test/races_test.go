package test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"slices"
	"testing"
	"time"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/internal/testkey"
	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

// These tests force every interleaving: one side is stopped at a certain point until the other has
// done its part.

// race is a tenant, its web server, and two peers that accept a forced keyswap.
type race struct {
	*fleet
	own   *fleetTenant
	peers []*fleetTenant
	old   string // its pair
}

func newRace(t *testing.T) *race {
	t.Helper()
	f := newFleet(t, fleetOptions{tenants: 3, kind: peertest.Patched})
	return &race{fleet: f, own: f.tenants[0], peers: f.tenants[1:], old: pairOf(t, f.tenants[0].Site)}
}

// hold stops the next sealed call that the site receives, before it looks up its keys. reached is
// closed when the call arrives.
func (s *fleetTenant) hold(t *testing.T) (reached chan struct{}, release func()) {
	t.Helper()
	reached, gate := make(chan struct{}), make(chan struct{})
	next := func() {
		close(reached)
		<-gate
	}
	s.side.next.Store(&next)
	s.purge(t)
	open := false
	release = func() {
		if !open {
			open = true
			close(gate)
		}
	}
	t.Cleanup(release)
	return reached, release
}

// purge drops the site's cached settings.
func (s *fleetTenant) purge(t *testing.T) {
	t.Helper()
	if err := os.Remove(*s.side.entry.Load()); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
}

// at waits for the moment, which comes before the run ends.
func (r *running) at(t *testing.T, moment <-chan struct{}) {
	t.Helper()
	select {
	case <-moment:
	case end := <-r.done:
		end.expect(t, 0)
		t.Fatalf("it has ended before:\n%s%s", end.stdout, end.stderr)
	}
}

// ended checks that all sites have the certificate that the tenant's web server uses.
func (r *race) ended(t *testing.T, retired ...string) {
	t.Helper()
	coherent(t, r.own.Site)
	if got := historyOf(t, r.own.Site); !slices.Equal(got, retired) {
		t.Errorf("%d retired pairs, want %d, or other ones", len(got), len(retired))
	}
	for _, peer := range r.peers {
		if !holds(pairOf(t, r.own.Site), peer.Held(t, r.own.Wwwroot)) {
			t.Errorf("%s does not hold the current certificate", peer.Wwwroot)
		}
		call(t, r.own.web, peer.web)
	}
}

func TestTwoRunsOfWhichOneHoldsTheLock(t *testing.T) {
	t.Parallel()
	r := newRace(t)
	reached, release := r.own.hold(t)
	first := r.start(t, "--timeout=60s")
	first.at(t, reached) // it has the lock, and has read the old key
	connections := func() string {
		return r.own.DB.Value(t, "SELECT COUNT(*) FROM information_schema.processlist WHERE user = ?", r.own.DB.User)
	}
	before := connections()
	second := r.start(t, "--lock-wait=60s")
	waitFor(t, "the second to be there", func() bool { return connections() > before })
	r.renew(t, "--lock-wait=0s").expect(t, 5, "another run has the lock")
	if pairOf(t, r.own.Site) != r.old {
		t.Error("somebody has renewed meanwhile")
	}
	release()
	for _, run := range []*running{first, second} {
		end := <-run.done
		end.expect(t, 0)
	}
	history := historyOf(t, r.own.Site)
	if len(history) != 2 || history[1] != r.old {
		t.Fatalf("%d retired pairs", len(history))
	}
	r.ended(t, history...)
}

// The connection that has the lock ends in the middle of the run, for example because an
// administrator kills it or the server's wait_timeout has expired, and another run gets the lock.
func TestARunWhoseLockIsLostDoesNotTakeItselfForTheLast(t *testing.T) {
	t.Parallel()
	for _, check := range []string{"auto", "off"} {
		t.Run("--self-check="+check, func(t *testing.T) {
			t.Parallel()
			r := newRace(t)
			reached, release := r.peers[0].hold(t)
			first := r.start(t, "--timeout=60s", "--concurrency=1", "--self-check="+check, "--json")
			first.at(t, reached) // its key is stored, and pushed to one peer
			mine := pairOf(t, r.own.Site)
			r.own.DB.Exec(t, "KILL CONNECTION "+r.own.DB.Value(t, "SELECT IS_USED_LOCK(?)", lockOf(r.own)))
			second := r.renew(t, "--json", "--lock-wait=10s")
			second.expect(t, 0)
			release()
			one := <-first.done
			one.expect(t, 3, "the key was changed by another program meanwhile")
			if got := historyOf(t, r.own.Site); !slices.Equal(got, []string{mine, r.old}) {
				t.Errorf("%d retired pairs", len(got))
			}
			for _, peer := range r.peers { // a peer that received the older key last heals
				call(t, peer.web, r.own.web)
			}
			run1(t, command(t, "push", "--config="+r.config)).expect(t, 0)
			r.ended(t, mine, r.old)
		})
	}
}

func TestMoodleRenewsBetweenOurReadingAndOurWriting(t *testing.T) {
	t.Parallel()
	r := newRace(t)
	reached, release := r.own.hold(t)
	run := r.start(t, "--timeout=60s")
	run.at(t, reached)
	theirs := renewedByMoodle(t, r.own)
	release()
	end := <-run.done
	end.expect(t, 1, "meanwhile")
	if pairOf(t, r.own.Site) != theirs {
		t.Error("Moodle's key is not the current one")
	}
	if got := historyOf(t, r.own.Site); !slices.Equal(got, []string{r.old}) {
		t.Errorf("%d retired pairs", len(got))
	}
	for _, peer := range r.peers {
		if !holds(r.old, peer.Held(t, r.own.Wwwroot)) {
			t.Errorf("%s was told of a key that is not stored", peer.Wwwroot)
		}
	}
	r.renew(t).expect(t, 0)
	r.ended(t, theirs, r.old)
}

func TestAnAdministratorChangesAPeerBetweenOurReadingAndOurWriting(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"deletes it as Moodle does":     "UPDATE {mnet_host} SET deleted = 1 WHERE wwwroot = ?",
		"removes its row":               "DELETE FROM {mnet_host} WHERE wwwroot = ?",
		"stores another certificate":    "UPDATE {mnet_host} SET public_key = 'by hand' WHERE wwwroot = ?",
		"empties its certificate":       "UPDATE {mnet_host} SET public_key = '' WHERE wwwroot = ?",
		"gives its row another wwwroot": "UPDATE {mnet_host} SET wwwroot = 'http://moved.example', public_key = '' WHERE wwwroot = ?",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRace(t)
			peer := r.peers[0]
			renewedByMoodle(t, peer) // so that its new certificate must be stored
			reached, release := peer.hold(t)
			run := r.start(t, "--timeout=60s")
			run.at(t, reached)
			r.own.DB.Exec(t, change, peer.Wwwroot)
			rows := allRows(t, r.own)
			release()
			end := <-run.done
			end.expect(t, 3, "not_stored") // the row lacks the peer's certificate
			if got := allRows(t, r.own); got != rows {
				t.Errorf("rows are\n%s\nwere\n%s", got, rows)
			}
			coherent(t, r.own.Site)
			if !holds(pairOf(t, r.own.Site), r.peers[1].Held(t, r.own.Wwwroot)) {
				t.Error("the other peer was not told")
			}
		})
	}
}

// A web request had read the settings before our key was stored, and fills the cache with them
// after the run has dropped it.
func TestAWebRequestFillsTheCacheWithTheOldKey(t *testing.T) {
	t.Parallel()
	t.Run("before the first proof", func(t *testing.T) {
		t.Parallel()
		r := newRace(t)
		r.own.web.Certificate()
		fill := r.own.fillAgain(t)
		filled := false
		late := func() { fill(); filled = true }
		r.own.side.next.Store(&late)
		r.renew(t, "--debug").expect(t, 0)
		if !filled {
			t.Error("nobody has filled the cache")
		}
		r.ended(t, r.old)
	})
	t.Run("while the peers are told", func(t *testing.T) {
		t.Parallel()
		r := newRace(t)
		r.own.web.Certificate()
		fill := r.own.fillAgain(t)
		reached, release := r.peers[0].hold(t)
		run := r.start(t, "--timeout=60s", "--debug")
		run.at(t, reached)
		fill()
		release()
		end := <-run.done
		end.expect(t, 0, "the local site does not use what is stored any more")
		r.ended(t, r.old)
	})
}

// fillAgain writes the cached settings in their present state.
func (s *fleetTenant) fillAgain(t *testing.T) func() {
	t.Helper()
	entry := *s.side.entry.Load()
	old, err := os.ReadFile(entry)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.WriteFile(entry, old, 0o600); err != nil {
			t.Error(err)
		}
	}
}

// allRows are the rows of hosts except the local host row.
func allRows(t *testing.T, s *fleetTenant) string {
	t.Helper()
	return s.DB.Value(t, "SELECT GROUP_CONCAT(CONCAT_WS('|', id, wwwroot, SHA1(public_key), public_key_expires, deleted) ORDER BY id SEPARATOR '\n') FROM {mnet_host} WHERE wwwroot <> ?", s.Wwwroot)
}

// renewedByMoodle gives a site a new pair as Moodle does by itself: history, pair, local host row,
// cache.
func renewedByMoodle(t *testing.T, s *fleetTenant) (pair string) {
	t.Helper()
	old := pairOf(t, s.Site)
	next := freshPair(t, s.Wwwroot)
	pair = next.Certificate.PEM + "@@@@@@@@" + next.PEM
	s.DB.Exec(t, "UPDATE {config_plugins} SET value = ? WHERE plugin = 'mnet' AND name = 'openssl_history'", serialized(t, []string{old}))
	s.DB.Exec(t, "UPDATE {config_plugins} SET value = ? WHERE plugin = 'mnet' AND name = 'openssl'", pair)
	s.DB.Exec(t, "UPDATE {mnet_host} SET public_key = ?, public_key_expires = ? WHERE wwwroot = ?", next.Certificate.PEM, next.Certificate.NotAfter.Unix(), s.Wwwroot)
	s.purge(t)
	return pair
}

// freshPair is a new pair of the site.
func freshPair(t *testing.T, wwwroot string) *envelope.KeyPair {
	t.Helper()
	key := testkey.Key(1024)
	pair, err := rotate.Certify(key, rotate.Subject{Wwwroot: wwwroot, Site: "By Moodle"}, time.Now(), 28, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// lockOf is the name of a tenant's lock.
func lockOf(s *fleetTenant) string {
	sum := sha256.Sum256([]byte(s.DB.Name + "\x00" + s.DB.Prefix))
	return "renew_mnetkeys " + hex.EncodeToString(sum[:20])
}
