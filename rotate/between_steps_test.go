package rotate

import (
	"crypto/rsa"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

var errLost = errors.New("connection lost")

// at runs do once, just before the n-th event of that name.
func (w *world) at(event string, n int, do func()) {
	w.on = func(e string) {
		if e != event {
			return
		}
		if n--; n == 0 {
			do()
		}
	}
}

// wantStored compares what the report says of the key with the database.
func (w *world) wantStored(report TenantReport) {
	w.t.Helper()
	if w.tenant.identity() != nil && (report.Certificate == nil || report.Certificate.SHA256 != mustParse(w.tenant.Pair.Certificate).Fingerprint()) {
		w.t.Errorf("the report names another certificate than the stored one: %+v", report.Certificate)
	}
	if report.History != len(w.tenant.History) {
		w.t.Errorf("the report has %d retired pairs, there are %d", report.History, len(w.tenant.History))
	}
	if report.Previous != nil && report.Certificate != nil && report.Previous.SHA256 == report.Certificate.SHA256 {
		w.t.Error("the report names one certificate as both the current and the one before")
	}
}

// Before the key is stored nothing has changed, whatever fails.
func TestARenewalThatBreaksBeforeTheKeyIsStored(t *testing.T) {
	off := func(w *world) { w.tenant.DispatcherMode = "off" }
	for _, c := range []struct {
		name    string
		breakIt func(*world, *Renewal)
		started bool // MNet was started
		says    string
	}{
		{"MNet cannot be started", func(w *world, _ *Renewal) { off(w); w.startErr = errLost }, false, "start MNet"},
		{"the database is lost once MNet is started", func(w *world, _ *Renewal) {
			off(w)
			w.at("start-mnet", 1, func() { w.readErr = errLost })
		}, true, "read the tenant"},
		{"no key can be made", func(_ *world, r *Renewal) {
			r.GenerateKey = func(int) (*rsa.PrivateKey, error) { return nil, errLost }
		}, false, "generate the key"},
		{"there is no randomness for a serial number", func(_ *world, r *Renewal) { r.Random = iotest.ErrReader(errLost) }, false, "draw a serial number"},
		{"randomness ends while the certificate is made", func(_ *world, r *Renewal) {
			r.Random = io.MultiReader(strings.NewReader("short"), iotest.ErrReader(errLost))
		},
			false, "make the certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.addPeer("https://a.example", fakePeer{})
			old := w.tenant.Pair
			r := w.renewal(Options{NewKey: true})
			c.breakIt(w, r)
			report := r.Run(t.Context())
			if report.Outcome != Failed || report.Exit != ExitNotRenewed || !errors.Is(report.Err, errLost) || !strings.Contains(report.Error, c.says) {
				t.Errorf("%+v", report)
			}
			if w.tenant.Pair != old || len(w.tenant.History) > 0 || len(w.happened("push", "store")) > 0 {
				t.Errorf("something was changed: %v", w.events)
			}
			if started := len(w.happened("start-mnet")) > 0 && w.startErr == nil; started != c.started {
				t.Errorf("MNet was started: %v", started)
			}
			if w.events[len(w.events)-1] != "release" {
				t.Error("the lock is kept")
			}
		})
	}
}

// The cache entries of a site without MNet are dropped once more with the key.
func TestACacheThatFailsAtTheStartOfMNetIsDroppedWithTheKey(t *testing.T) {
	w := newWorld(t)
	w.addPeer("https://a.example", fakePeer{})
	w.tenant.DispatcherMode, w.dropErr = "off", errLost
	w.at("store", 1, func() { w.dropErr = nil })
	report := w.renewal(Options{NewKey: true}).Run(t.Context())
	if report.Outcome != Renewed || report.SelfCheck != SelfProven || report.Exit != ExitOK || w.web() != w.tenant.Pair {
		t.Errorf("%+v", report)
	}
	if drops := w.happened("drop"); len(drops) != 2 {
		t.Error(drops)
	}
}

// The stored pair cannot be read: what is put back is not what a push could distribute.
func TestAnUnreadablePairThatIsPutBackIsNotAdvisedToBePushed(t *testing.T) {
	w := newWorld(t)
	kept, broken := w.tenant.Pair, Stored{Certificate: "broken", PrivateKey: "broken"}
	w.tenant.History, w.tenant.Pair = []Retired{{Stored: kept, Expires: w.tenant.Own.Expires}}, broken
	w.sticky, w.cached, w.dropErr = true, &kept, errors.New("the hook failed")
	report := w.renewal(Options{}).Run(t.Context())
	if w.tenant.Pair != broken || !errors.Is(report.Err, errNotProvenBack) || errors.Is(report.Err, errNotPutBack) {
		t.Errorf("put back: %v; %v", w.tenant.Pair == broken, report.Err)
	}
	if hint := HintOf(report.Err); !strings.HasSuffix(hint, "un: php admin/cli/purge_caches.php && renew_mnetkeys") || report.Exit != ExitLocalSite {
		t.Errorf("exit %d: %s", report.Exit, hint)
	}
	w.sticky, w.cached, w.dropErr = false, nil, nil // as the hint says
	if report := w.renewal(Options{}).Run(t.Context()); report.Exit != ExitOK {
		t.Error(report.Err)
	}
}

// The web server is not proven to use the new key, nor the old one that is stored again: the hint is that
// of what was seen last, and its command works on what is stored then.
func TestTheHintOfAnUndoingThatFailsIsThatOfTheLastLook(t *testing.T) {
	down, other := &Failure{Reason: ReasonConnect, Pending: true}, &Failure{Reason: ReasonFault7025}
	for name, c := range map[string]struct {
		first, then *Failure // with the new key, and with the old one
		prepare     func(*world)
		options     Options
		want        string
	}{
		"another key, then down": {first: other, then: down, want: "bring the web server back. Then run: renew_mnetkeys push"},
		"down, then another key": {first: down, then: other, want: "Run: php admin/cli/purge_caches.php && renew_mnetkeys push"},
		"MNet was off":           {first: down, then: down, prepare: func(w *world) { w.tenant.DispatcherMode = "off" }, options: Options{NewKey: true}, want: "bring the web server back. Then run: renew_mnetkeys …"},
		"the key of the original": {first: down, then: down, prepare: func(w *world) {
			pair := storedPair(testPair(w.t, "https://original.example", clock.AddDate(0, 0, -20)))
			w.tenant.Pair, w.cached, w.tenant.Own.Certificate = pair, &pair, pair.Certificate
		}, want: "Then run: renew_mnetkeys"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if c.prepare != nil {
				c.prepare(w)
			}
			w.answer = func(string, int) *Failure {
				switch len(w.happened("store")) {
				case 0:
					return nil
				case 1:
					return c.first
				}
				return c.then
			}
			report := w.renewal(c.options).Run(t.Context())
			if hint := HintOf(report.Err); report.Exit != ExitLocalSite || !errors.Is(report.Err, errNotProvenBack) || !strings.HasSuffix(hint, c.want) {
				t.Errorf("exit %d: %v; %s", report.Exit, report.Err, hint)
			}
		})
	}
}

// A key was pushed, and then the web server went back for good: a push that puts the old key back
// advises another one, since the peers have the key that was pushed.
func TestAPushThatPutsAKeyBackAdvisesToPushThatKey(t *testing.T) {
	w := newWorld(t)
	peer := w.addPeer(peerA, fakePeer{})
	old := w.tenant.Pair
	w.on = func(e string) {
		if e == "push "+peerA && w.tenant.Pair != old {
			w.sticky, w.cached = true, &old
		}
	}
	if report := w.renewal(Options{}).Run(t.Context()); report.Exit != ExitLocalSite || peer.knows == old.Certificate {
		t.Fatal(report.Exit, report.Err)
	}
	report := w.renewal(Options{}).Distribute(t.Context())
	hint := HintOf(report.Err)
	if report.Outcome != Undone || w.tenant.Pair != old || !strings.HasSuffix(hint, "To give them the one that is stored now, run: renew_mnetkeys push") {
		t.Errorf("%s: %v; %s", report.Outcome, report.Err, hint)
	}
	if report := w.renewal(Options{}).Distribute(t.Context()); report.Exit != ExitOK || peer.knows != old.Certificate {
		t.Errorf("exit %d: %v", report.Exit, report.Err)
	}
}

// The local site keeps the old key, and something prevents its restoration.
func TestAnUndoingThatFails(t *testing.T) {
	for _, c := range []struct {
		name    string
		breakIt func(*world)
		cause   error
		back    bool // the old key is stored all the same
	}{
		{"the database cannot be read", func(w *world) { w.at("store", 1, func() { w.readErr = errLost }) }, errLost, false},
		{"the database takes no more", func(w *world) { w.at("store", 2, func() { w.storeErr = errLost }) }, errLost, false},
		{"the web server changes to a third key just then", func(w *world) {
			w.at("store", 2, func() {
				other := storedPair(testPair(w.t, ownURL, clock.AddDate(0, 0, -3)))
				w.cached = &other
			})
		}, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.addPeer("https://a.example", fakePeer{})
			old := w.tenant.Pair
			w.sticky = true
			c.breakIt(w)
			report := w.renewal(Options{}).Run(t.Context())
			if report.Outcome != Failed || report.SelfCheck != SelfFailed || report.Exit != ExitLocalSite || strings.Contains(report.Error, errNotPutBack.Error()) == c.back || strings.Contains(report.Error, errNotProvenBack.Error()) != c.back {
				t.Errorf("%+v", report)
			}
			if c.cause != nil && !errors.Is(report.Err, c.cause) {
				t.Error(report.Err)
			}
			if back := w.tenant.Pair == old; back != c.back {
				t.Errorf("the old key is stored: %v", back)
			}
			if pushes := w.happened("push"); len(pushes) > 0 {
				t.Error(pushes)
			}
			w.nothingLost(old)
			w.wantStored(report)
		})
	}
}

// Another program has renewed while the run waited for the local site: that key is left.
func TestAnotherKeyIsNotUndone(t *testing.T) {
	w := newWorld(t)
	w.sticky = true
	theirs := storedPair(testPair(t, ownURL, clock))
	var ours Stored
	w.at("drop 2", 3, func() { ours, w.tenant.Pair = w.tenant.Pair, theirs })
	report := w.renewal(Options{}).Run(t.Context())
	if report.Exit != ExitLocalSite || !errors.Is(report.Err, ErrConflict) {
		t.Errorf("%+v", report)
	}
	if w.tenant.Pair != theirs {
		t.Error("another program's key was replaced")
	}
	w.nothingLost(ours)
}

// Nothing is known of the site before, and nothing can be found out afterwards.
func TestAPairThatCouldNotBeReadComesBackWhereTheSiteMustBeProven(t *testing.T) {
	w := newWorld(t)
	w.tenant.Pair = Stored{Certificate: "broken", PrivateKey: "broken"}
	w.cached = nil
	w.on = func(e string) { w.unreachable = w.unreachable || e == "store" }
	old := w.tenant.Pair
	report := w.renewal(Options{}).Run(t.Context())
	if report.Outcome != Undone || report.Exit != ExitNotRenewed || report.SelfCheck != SelfSkipped || !errors.Is(report.Err, ErrUndone) {
		t.Errorf("%+v", report)
	}
	if w.tenant.Pair != old || report.Certificate != nil || len(w.tenant.History) != 1 {
		t.Errorf("the pair is not back, or the new one is not kept: %d retired, %+v", len(w.tenant.History), report.Certificate)
	}
	if drops := w.happened("drop"); drops[len(drops)-1] != "drop 1" {
		t.Errorf("the cache after the undoing: %v", drops)
	}
	w.wantStored(report)
}

// The database goes away after the push, before the last check.
func TestTheLastLookWithoutADatabase(t *testing.T) {
	for _, c := range []struct {
		name    string
		mode    SelfCheckMode
		then    func(*world, Stored)
		outcome Outcome
		check   SelfCheck
		exit    int
	}{
		{"the local site uses the new key, which may not be the stored one", SelfCheckAuto, func(*world, Stored) {}, Renewed, SelfProven, ExitPeers},
		{"the local site does not answer: no failure is known", SelfCheckAuto, func(w *world, _ Stored) { w.unreachable = true },
			Renewed, SelfUnreachable, ExitPeers},
		{"the local site must not be asked: no failure is known", SelfCheckOff, func(*world, Stored) {}, Renewed, SelfSkipped, ExitPeers},
		{"the local site uses the old key: act now", SelfCheckAuto, func(w *world, old Stored) { w.cached = &old }, Failed, SelfFailed, ExitLocalSite},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.addPeer("https://a.example", fakePeer{})
			old := w.tenant.Pair
			w.at("prove https://a.example", 1, func() { w.readErr = errLost; c.then(w, old) })
			report := w.renewal(Options{SelfCheck: c.mode}).Run(t.Context())
			if report.Outcome != c.outcome || report.SelfCheck != c.check || report.Exit != c.exit {
				t.Errorf("%s, local site %s, exit %d: %v", report.Outcome, report.SelfCheck, report.Exit, report.Err)
			}
			if lost := errors.Is(report.Err, errLost); lost != (c.exit != ExitOK) {
				t.Error(report.Err)
			}
			if len(report.Peers) != 1 || w.peers["https://a.example"].knows != w.tenant.Pair.Certificate {
				t.Errorf("the peer: %+v", report.Peers)
			}
			w.wantStored(report)
		})
	}
}
