package rotate

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

// States in which an earlier version lost a key, or reported a success that it had not seen.

// retire fills the history with n older pairs, newest first.
func (w *world) retire(n int) {
	for i := range n {
		pair := storedPair(testPair(w.t, ownURL, clock.AddDate(0, 0, -21-i)))
		w.tenant.History = append(w.tenant.History, Retired{Stored: pair, Expires: clock.Unix()})
	}
}

func (w *world) hasRetired(pair Stored) bool {
	return slices.ContainsFunc(w.tenant.History, func(h Retired) bool { return h.Stored == pair })
}

// The cache reads as empty, since it is on another machine, and the web server shows a key that the
// database does not have: what Drop can remove may be the only copy.
func TestAKeyThatIsNowhereToBeReadIsNotPurged(t *testing.T) {
	for name, prepare := range map[string]func(*world){
		"another pair is stored": func(w *world) { w.own(testPair(w.t, ownURL, clock)) },
		"no pair is stored":      func(w *world) { w.tenant.Pair = Stored{}; w.retire(1) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.addPeer("https://a.example", fakePeer{stock: true})
			used := w.tenant.Pair
			prepare(w)
			w.cached, w.hidden = &used, true
			for _, run := range []func(*Renewal) TenantReport{
				func(r *Renewal) TenantReport { return r.Run(t.Context()) }, func(r *Renewal) TenantReport { return r.Distribute(t.Context()) },
			} {
				report := run(w.renewal(Options{}))
				if report.Exit == ExitOK || len(w.happened("drop", "store", "push")) > 0 || *w.cached != used {
					t.Errorf("exit %d: %v; %v", report.Exit, report.Err, w.events)
				}
			}
			w.hidden, w.events = false, nil // can be read after all
			w.own(testPair(t, ownURL, clock))
			w.cached = &used
			report := w.renewal(Options{}).Run(t.Context())
			if report.Outcome != Renewed || !w.hasRetired(used) {
				t.Errorf("once it can be read: %s: %v", report.Outcome, report.Err)
			}
		})
	}
}

// MNet is started on a site whose cache has a key that the table has lost.
func TestAKeyInTheCacheOutlivesTheStartOfMNet(t *testing.T) {
	w := newWorld(t)
	used := w.tenant.Pair
	w.tenant.Pair, w.tenant.DispatcherMode = Stored{}, "off"
	w.cached = &used
	if report := w.renewal(Options{NewKey: true}).Run(t.Context()); report.Outcome != Renewed || !w.hasRetired(used) {
		t.Errorf("%s: %v", report.Outcome, report.Err)
	}
}

// Pairs rescued from a stale cache are put at the place of their age, and push nothing out.
func TestRescuedPairsStandInTheOrderOfTheirAge(t *testing.T) {
	w := newWorld(t)
	w.addPeer("https://a.example", fakePeer{dead: true})
	w.retire(12)
	newest, all := w.tenant.History[0], slices.Clone(w.tenant.History)
	lost := w.tenant.History[5]
	w.tenant.History = slices.Delete(slices.Clone(w.tenant.History), 5, 6)
	older := storedPair(testPair(t, ownURL, clock.AddDate(0, 0, -90)))
	w.alsoCached = []Retired{{Stored: older}, lost}
	if report := w.renewal(Options{}).Run(t.Context()); report.Outcome != Renewed {
		t.Fatal(report.Err)
	}
	for _, h := range all {
		if !w.hasRetired(h.Stored) {
			t.Error("a pair was pushed out")
		}
	}
	if w.tenant.History[1].Stored != newest.Stored || w.tenant.History[len(w.tenant.History)-1].Stored == newest.Stored {
		t.Error("the history is not in the order of its age")
	}
}

// One renewal drops one pair at most, even if the history is longer than twelve.
func TestALongHistoryIsNotCutAtOnce(t *testing.T) {
	w := newWorld(t)
	w.addPeer("https://a.example", fakePeer{dead: true})
	w.tenant.Generations = 20
	w.retire(20)
	report := w.renewal(Options{}).Run(t.Context())
	if len(w.tenant.History) != 20 || len(report.Warnings) != 1 || report.Warnings[0] != historyFull(20) {
		t.Errorf("%d retired pairs, %q", len(w.tenant.History), report.Warnings)
	}
	if report = w.renewal(Options{}).RollBack(t.Context()); len(w.tenant.History) != 20 || len(report.Warnings) != 0 {
		t.Errorf("rolled back: %d retired pairs, %q", len(w.tenant.History), report.Warnings)
	}
}

// No peer is given up by a run that was ended by a signal before its push.
func TestAnInterruptedRunGivesUpNobody(t *testing.T) {
	w := newWorld(t)
	w.addPeer("https://a.example", fakePeer{dead: true})
	w.retire(8)
	ctx, cancel := context.WithCancelCause(t.Context())
	w.at("push https://a.example", 1, func() { cancel(errors.New("stopped")) })
	if report := w.renewal(Options{AbandonPending: true}).Run(ctx); len(w.tenant.History) != 9 || report.Exit != ExitPeers {
		t.Errorf("exit %d, %d retired pairs", report.Exit, len(w.tenant.History))
	}
}

// A pair that was overwritten is kept even if the database is away for a while.
func TestAnOverwrittenPairIsKeptOnceTheDatabaseIsBack(t *testing.T) {
	w := newWorld(t)
	w.addPeer("https://a.example", fakePeer{})
	var ours Stored
	w.at("prove https://a.example", 1, func() { ours, _ = w.overwrites(w.tenant.Pair); w.storeErr = errLost })
	r, waited := w.renewal(Options{}), 0
	r.Sleep = func(context.Context, time.Duration) error {
		if waited++; waited == 5 {
			w.storeErr = nil
		}
		return nil
	}
	if report := r.Run(t.Context()); !errors.Is(report.Err, ErrConflict) || !w.hasRetired(ours) {
		t.Errorf("exit %d: %v", report.Exit, report.Err)
	}
}

// A web server that goes back to the old key repeatedly is not proven.
func TestAWebServerThatGoesBackTimeAndAgainIsNotProven(t *testing.T) {
	w := newWorld(t)
	old := w.tenant.Pair
	w.addPeer("https://a.example", fakePeer{})
	w.on = func(e string) {
		if e == "prove https://a.example" {
			w.cached = &old
		}
	}
	if report := w.renewal(Options{}).Run(t.Context()); report.Exit != ExitLocalSite || report.SelfCheck != SelfFailed {
		t.Errorf("exit %d, %s: %v", report.Exit, report.SelfCheck, report.Err)
	}
}

// If all addresses are left out, no certificate was shown.
func TestASiteOfWhichNoAddressIsLeftHasShownNothing(t *testing.T) {
	w := newWorld(t)
	r := w.renewal(Options{})
	r.answered = map[string]bool{"": true} // its name had one address when it was proven
	w.nodes = []string{"2001:db8::1", "2001:db8::2"}
	if shown, _, asked := r.shown(t.Context(), &w.tenant); asked || len(shown) > 0 {
		t.Errorf("%d certificates, asked: %v", len(shown), asked)
	}
}

// A cache that is emptied by a hook may be separate on each web server: the last check asks for as
// many answers as the proof.
func TestTheLastLookAtACacheOfEachWebServerIsAProof(t *testing.T) {
	w := newWorld(t)
	w.addPeer("https://a.example", fakePeer{})
	told, old := 0, w.tenant.Pair.Certificate
	w.at("prove https://a.example", 1, func() { told, w.pages = w.asked, map[string]string{"": old} })
	w.answer = func(_ string, n int) *Failure {
		if told > 0 && n == told+2 { // one of two has gone back
			return &Failure{Reason: "fault_7025"}
		}
		return nil
	}
	r := w.renewal(Options{Answers: 5})
	cache := &countedHook{world: w}
	r.Cache = cache
	if r.Run(t.Context()); len(cache.runs) < 2 {
		t.Errorf("the hook was run %d times", len(cache.runs))
	}
}

// A change during the push undoes the proof.
func TestTheLastLookSeesWhatHasChanged(t *testing.T) {
	for name, c := range map[string]struct {
		then func(*world)
		exit int
	}{
		"MNet is switched off":               {func(w *world) { w.tenant.DispatcherMode = "off" }, ExitPeers},
		"the own row says that it is over":   {func(w *world) { w.tenant.Own.Expires = clock.Unix() }, ExitPeers},
		"its clock is ahead":                 {func(w *world) { w.clockAhead = true }, ExitPeers},
		"it does not know its own wwwroot":   {func(w *world) { w.answer = always("unknown_to_peer") }, ExitPeers},
		"the database cannot be read":        {func(w *world) { w.readErr = errLost }, ExitPeers},
		"it does not answer":                 {func(w *world) { w.unreachable = true }, ExitPeers},
		"it prints something before its XML": {func(w *world) { w.answer = always("stray_output") }, ExitPeers},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.addPeer("https://a.example", fakePeer{})
			w.at("prove https://a.example", 1, func() { c.then(w) })
			if report := w.renewal(Options{}).Run(t.Context()); report.Exit != c.exit {
				t.Errorf("exit %d, %s: %v", report.Exit, report.SelfCheck, report.Err)
			}
		})
	}
}

// If a peer's web servers use different keys, no key is stored by chance.
func TestTheRowOfAPeerWithSeveralCachesIsLeft(t *testing.T) {
	w := newWorld(t)
	p := w.addPeer("https://a.example", fakePeer{refuses: "several_caches"})
	p.verified = testPair(t, "https://a.example", clock).Certificate
	held := w.tenant.Peers[0].Certificate
	report := w.renewal(Options{}).Run(t.Context())
	if report.Peers[0].Reason != "several_caches" || w.tenant.Peers[0].Certificate != held {
		t.Errorf("%+v", report.Peers[0])
	}
}

// The pair that a push has put aside was never in use: no rollback returns to it.
func TestARollBackDoesNotTakeUpWhatAPushHasPutAside(t *testing.T) {
	w, old, unused := halfway(t)
	if report := w.renewal(Options{}).Distribute(t.Context()); report.Outcome != Undone || w.tenant.Pair != old {
		t.Fatal(report.Err)
	}
	w.sticky = false
	if report := w.renewal(Options{}).RollBack(t.Context()); !errors.Is(report.Err, ErrOnlyUndone) || w.tenant.Pair == unused {
		t.Errorf("%s: %v", report.Outcome, report.Err)
	}
}

// Two web servers take turns: one opens the call, the other shows the page.
func TestWebServersThatTakeTurnsAreNotCalledWithoutRC4(t *testing.T) {
	w := newWorld(t)
	w.answer = func(_ string, n int) *Failure {
		if n%2 == 1 {
			return &Failure{Reason: "fault_7023"}
		}
		return nil
	}
	r := w.renewal(Options{Answers: 5})
	if check, f := r.ask(t.Context(), &w.tenant, *w.tenant.identity(), 5); check != SelfFailed || f.Reason != "several_caches" {
		t.Errorf("%s %v", check, f)
	}
}
