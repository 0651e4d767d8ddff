package rotate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestARenewalGoesDatabaseCacheProofPushProofLook(t *testing.T) {
	w := newWorld(t)
	old := w.tenant.Pair
	w.addPeer("https://a.example", fakePeer{})
	report := w.renewal(Options{}).Run(t.Context())

	want := []string{"lock", "read", "prove " + ownURL, "store", "drop 0", "prove " + ownURL,
		"push https://a.example", "prove https://a.example", "prove " + ownURL, "read", "release"}
	if !slices.Equal(w.events, want) {
		t.Errorf("order of events\n got %v\nwant %v", w.events, want)
	}
	if report.Outcome != Renewed || report.SelfCheck != SelfProven || report.Exit != ExitOK || report.Err != nil {
		t.Errorf("report %+v", report)
	}
	if w.tenant.Pair == old || len(w.tenant.History) != 1 || w.tenant.History[0].Stored != old {
		t.Error("the old pair is not first in the history")
	}
	if w.peers["https://a.example"].knows != w.tenant.Pair.Certificate {
		t.Error("the peer does not have the new certificate")
	}
	if report.Previous == nil || report.Certificate == nil || report.Previous.SHA256 == report.Certificate.SHA256 {
		t.Errorf("certificates of the report: %+v, previous %+v", report.Certificate, report.Previous)
	}
}

// Each case breaks the world in one way and says how the run must end: what is reported, what the
// database has, and whether the key was pushed to the peer.
func TestHowARenewalEnds(t *testing.T) {
	for _, c := range []struct {
		name    string
		breakIt func(*world)
		options Options

		outcome Outcome
		check   SelfCheck
		exit    int
		cause   error // must be in Err, if set
		stored  bool  // a new pair is current afterwards
		pushed  bool  // the peer was pushed to
	}{
		{name: "all is well",
			breakIt: func(*world) {}, outcome: Renewed, check: SelfProven, exit: ExitOK, stored: true, pushed: true},
		{name: "another run has the lock",
			breakIt: func(w *world) { w.lockErr = ErrLocked },
			outcome: Failed, check: SelfSkipped, exit: ExitLocked, cause: ErrLocked},
		{name: "MNet is off",
			breakIt: func(w *world) { w.tenant.DispatcherMode = "off" },
			outcome: Failed, check: SelfSkipped, exit: ExitNotRenewed, cause: ErrMNetOff},
		{name: "MNet was never heard of",
			breakIt: func(w *world) { w.tenant.DispatcherMode = "" },
			outcome: Failed, check: SelfSkipped, exit: ExitNotRenewed, cause: ErrMNetOff},
		{name: "MNet is off and --newkey starts it",
			breakIt: func(w *world) {
				w.tenant.DispatcherMode, w.tenant.Own, w.tenant.Pair, w.cached = "", nil, Stored{}, nil
			},
			options: Options{NewKey: true}, outcome: Renewed, check: SelfProven, exit: ExitOK, stored: true, pushed: true},
		{name: "no own host row",
			breakIt: func(w *world) { w.tenant.Own = nil },
			outcome: Failed, check: SelfSkipped, exit: ExitNotRenewed, cause: ErrNoLocalRow},
		{name: "the database is another site's",
			breakIt: func(w *world) { w.tenant.Own.Wwwroot = "https://other.example" },
			outcome: Failed, check: SelfSkipped, exit: ExitUsage},
		{name: "the local host row has a trailing slash, which makes no other site",
			breakIt: func(w *world) { w.tenant.Own.Wwwroot = "https://OWN.example/" },
			outcome: Renewed, check: SelfProven, exit: ExitOK, stored: true, pushed: true},
		{name: "MNet is to be started on a site that cannot be asked, which was required",
			breakIt: func(w *world) { w.tenant.DispatcherMode = "off"; w.unreachable = true },
			options: Options{NewKey: true, SelfCheck: SelfCheckRequire},
			outcome: Failed, check: SelfSkipped, exit: ExitNotRenewed, cause: ErrOwnUnreachable},
		{name: "this user may not drop the cache",
			breakIt: func(w *world) { w.checkErr = errNotAllowed },
			outcome: Failed, check: SelfSkipped, exit: ExitNotRenewed, cause: errNotAllowed},
		{name: "the database would refuse the write",
			breakIt: func(w *world) { w.rightsErr = errNotAllowed },
			outcome: Failed, check: SelfSkipped, exit: ExitNotRenewed, cause: errNotAllowed},
		{name: "the database refuses the write",
			breakIt: func(w *world) { w.storeErr = errNotAllowed },
			outcome: Failed, check: SelfProven, exit: ExitNotRenewed, cause: errNotAllowed},
		{name: "the database does not say whether it wrote: act now",
			breakIt: func(w *world) { w.storeErr = ErrUncertain },
			outcome: Failed, check: SelfFailed, exit: ExitLocalSite, cause: ErrUncertain},
		{name: "the local site keeps the old key although it was coherent: undone",
			breakIt: func(w *world) { w.sticky = true },
			outcome: Undone, check: SelfProven, exit: ExitNotRenewed},
		{name: "the local site keeps another key as it did before: act now",
			breakIt: func(w *world) { w.sticky = true; w.cached = &Stored{Certificate: w.someOther()} },
			outcome: Failed, check: SelfFailed, exit: ExitLocalSite, cause: ErrNotFollowed},
		{name: "the local site uses another key from a stale cache, and follows: renewed",
			breakIt: func(w *world) { w.cached = w.otherPair() },
			outcome: Renewed, check: SelfProven, exit: ExitOK, stored: true, pushed: true},
		{name: "the local site cannot be asked: nothing is stored",
			breakIt: func(w *world) { w.unreachable = true },
			outcome: Failed, check: SelfUnreachable, exit: ExitNotRenewed, cause: ErrOwnUnreachable},
		{name: "what answers says nothing of keys: nothing is stored",
			breakIt: func(w *world) { w.answer = always("http_403") },
			outcome: Failed, check: SelfUnreachable, exit: ExitNotRenewed, cause: ErrOwnUnreachable},
		{name: "a plain fault that says nothing of keys: nothing is stored",
			breakIt: func(w *world) { w.answer = always("fault_17") },
			outcome: Failed, check: SelfUnreachable, exit: ExitNotRenewed, cause: ErrOwnUnreachable},
		{name: "there is text before the XML: nothing is stored",
			breakIt: func(w *world) { w.answer = always("stray_output") },
			outcome: Failed, check: SelfUnreachable, exit: ExitNotRenewed, cause: ErrOwnUnreachable},
		{name: "the local site uses another name for itself: nothing is stored",
			breakIt: func(w *world) {
				w.answer = func(string, int) *Failure {
					return &Failure{Reason: "bad_signature", Other: "https://own.example/Path"}
				}
			},
			outcome: Failed, check: SelfFailed, exit: ExitUsage},
		{name: "the local site does not know its wwwroot: nothing is stored",
			breakIt: func(w *world) { w.answer = always("unknown_to_peer") },
			outcome: Failed, check: SelfFailed, exit: ExitUsage},
		{name: "the web server says that MNet is off, and a purge does not help: nothing is stored",
			breakIt: func(w *world) { w.answer = always("mnet_off") },
			outcome: Failed, check: SelfUnreachable, exit: ExitNotRenewed, cause: ErrOwnUnreachable},
		{name: "the local site cannot be asked, which was required",
			breakIt: func(w *world) { w.unreachable = true }, options: Options{SelfCheck: SelfCheckRequire},
			outcome: Failed, check: SelfUnreachable, exit: ExitNotRenewed, cause: ErrOwnUnreachable},
		{name: "the local site must not be asked",
			breakIt: func(w *world) { w.sticky = true }, options: Options{SelfCheck: SelfCheckOff},
			outcome: Renewed, check: SelfSkipped, exit: ExitPeers, stored: true, pushed: true},
		{name: "the local site must not be asked and the cache can only be cleared manually: a failure would not be noticed",
			breakIt: func(w *world) { w.checkErr, w.dropErr = ErrCacheManual, ErrCacheManual }, options: Options{SelfCheck: SelfCheckOff},
			outcome: Failed, check: SelfSkipped, exit: ExitNotRenewed, cause: ErrCacheManual},
		{name: "the cache is for hands only: nothing is stored that the web server would not follow",
			breakIt: func(w *world) { w.checkErr, w.dropErr, w.sticky = ErrCacheManual, ErrCacheManual, true },
			outcome: Failed, check: SelfProven, exit: ExitNotRenewed, cause: ErrCacheManual},
		{name: "the cache is for hands only and another key in it: act now",
			breakIt: func(w *world) {
				w.checkErr, w.dropErr, w.sticky, w.cached = ErrCacheManual, ErrCacheManual, true, w.otherPair()
			},
			outcome: Failed, check: SelfFailed, exit: ExitLocalSite, cause: ErrCacheManual},
		{name: "the cache is for hands only, and the web server was seen to follow: renewed",
			breakIt: func(w *world) {
				w.checkErr, w.cached = ErrCacheManual, w.otherPair()
			},
			outcome: Renewed, check: SelfProven, exit: ExitOK, stored: true, pushed: true},
		{name: "MNet is to be started, and the cache is for hands only: it is not started",
			breakIt: func(w *world) { w.tenant.DispatcherMode = "off"; w.checkErr = ErrCacheManual }, options: Options{NewKey: true},
			outcome: Failed, check: SelfSkipped, exit: ExitNotRenewed, cause: ErrCacheManual},
		{name: "the local site's clock is ahead",
			breakIt: func(w *world) { w.clockAhead = true },
			outcome: Failed, check: SelfFailed, exit: ExitNotRenewed, cause: ErrOwnClock},
		{name: "the local site answered before, and is down when it must prove the key: undone",
			breakIt: func(w *world) {
				w.on = func(e string) {
					if e == "store" {
						w.unreachable = w.version == 0
					}
				}
			},
			outcome: Undone, check: SelfProven, exit: ExitNotRenewed},
		{name: "MNet is to be started, and the cache may not be dropped: it is not started",
			breakIt: func(w *world) { w.tenant.DispatcherMode = "off"; w.checkErr = errNotAllowed }, options: Options{NewKey: true},
			outcome: Failed, check: SelfSkipped, exit: ExitNotRenewed, cause: errNotAllowed},
		{name: "the local site must not be asked and the cache must not be dropped",
			breakIt: func(w *world) { w.dropErr = errNotAllowed }, options: Options{SelfCheck: SelfCheckOff},
			outcome: Failed, check: SelfFailed, exit: ExitLocalSite, cause: errNotAllowed},
		{name: "the local site has no RC4: pushed, but nothing proven",
			breakIt: func(w *world) { w.rc4less = true },
			outcome: Renewed, check: SelfNoRC4, exit: ExitPeers, stored: true, pushed: true},
		{name: "the local site has no RC4 and keeps the old key",
			breakIt: func(w *world) { w.rc4less = true; w.sticky = true },
			outcome: Undone, check: SelfNoRC4, exit: ExitNotRenewed},
		{name: "the PHP script left pair and host row apart",
			breakIt: func(w *world) { w.tenant.Pair = storedPair(testPair(w.t, ownURL, clock)) },
			outcome: Renewed, check: SelfProven, exit: ExitOK, stored: true, pushed: true},
		{name: "the stored pair is unreadable",
			breakIt: func(w *world) { w.tenant.Pair = Stored{Certificate: "broken", PrivateKey: "broken"} },
			outcome: Renewed, check: SelfProven, exit: ExitOK, stored: true, pushed: true},
		{name: "Moodle renewed between our read and our write",
			breakIt: func(w *world) {
				w.on = func(e string) {
					if e == "store" {
						w.version++
					}
				}
			},
			outcome: Failed, check: SelfProven, exit: ExitNotRenewed, cause: ErrConflict},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.addPeer("https://a.example", fakePeer{})
			c.breakIt(w)
			old := w.tenant.Pair
			report := w.renewal(c.options).Run(t.Context())
			if report.Outcome != c.outcome || report.SelfCheck != c.check || report.Exit != c.exit {
				t.Errorf("got %s, local site %s, exit %d (%v); want %s, %s, %d",
					report.Outcome, report.SelfCheck, report.Exit, report.Err, c.outcome, c.check, c.exit)
			}
			if c.cause != nil && !errors.Is(report.Err, c.cause) {
				t.Errorf("error %v does not carry %v", report.Err, c.cause)
			}
			if stored := w.tenant.Pair != old; stored != c.stored {
				t.Errorf("new pair stored: %v, want %v", stored, c.stored)
			}
			if told := len(w.happened("push")) > 0; told != c.pushed {
				t.Errorf("pushed to the peer: %v, want %v", told, c.pushed)
			}
			if w.tenant.Own != nil && c.outcome != Failed && w.tenant.Own.Certificate != w.tenant.Pair.Certificate {
				t.Error("own host row and pair differ afterwards")
			}
			w.nothingLost(old)
			if c.cause != nil && c.exit == ExitNotRenewed && len(w.happened("start-mnet")) > 0 {
				t.Error("MNet was started although nothing should have changed")
			}
		})
	}
}

var errNotAllowed = errors.New("not allowed")

// someOther is a certificate of no known site.
func (w *world) someOther() string {
	return testPair(w.t, ownURL, clock.AddDate(0, 0, -40)).Certificate.PEM
}

// otherPair is a pair that only the cache has.
func (w *world) otherPair() *Stored {
	other := storedPair(testPair(w.t, ownURL, clock.AddDate(0, 0, -3)))
	return &other
}

// nothingLost is true after every run: the pair that was current is current, or in the history.
func (w *world) nothingLost(old Stored) {
	w.t.Helper()
	kept := w.tenant.Pair == old || !old.Present()
	for _, h := range w.tenant.History {
		kept = kept || h.Stored == old
	}
	if !kept {
		w.t.Error("the old pair is gone")
	}
}

func TestAnUndoneKeyGoesToTheEndOfTheHistory(t *testing.T) {
	w := newWorld(t)
	w.sticky = true
	earlier := Retired{Stored: storedPair(testPair(t, ownURL, clock.AddDate(0, 0, -50)))}
	w.tenant.History = []Retired{earlier, earlier, earlier}
	w.tenant.History[1].Stored = storedPair(testPair(t, ownURL, clock.AddDate(0, 0, -80)))
	w.tenant.History[2].Stored = storedPair(testPair(t, ownURL, clock.AddDate(0, 0, -110)))
	before := slices.Clone(w.tenant.History)
	if report := w.renewal(Options{}).Run(t.Context()); report.Outcome != Undone {
		t.Fatalf("outcome %s: %v", report.Outcome, report.Err)
	}
	if len(w.tenant.History) != 4 || !slices.Equal(w.tenant.History[:3], before) {
		t.Fatalf("the history of before is not in front: %d entries", len(w.tenant.History))
	}
	if got := w.tenant.History[3].Stored; !got.Present() || got == w.tenant.Pair {
		t.Error("the undone pair is not at the end")
	}
}

func TestAnExpiredSiteIsNotAskedBeforehand(t *testing.T) {
	w := newWorld(t)
	w.tenant.Own.Expires = clock.Unix() - 1
	w.on = func(e string) {
		if e == "prove "+ownURL && w.version == 0 {
			t.Error("a sealed call to the expired site makes Moodle renew behind our back")
		}
	}
	if report := w.renewal(Options{}).Run(t.Context()); report.Exit != ExitOK || report.SelfCheck != SelfProven {
		t.Errorf("report %+v", report)
	}
}

func TestACacheRefilledByARequestUnderWayIsDroppedAgain(t *testing.T) {
	w := newWorld(t)
	old := w.tenant.Pair
	times := 2
	w.refill = func() {
		if times--; times >= 0 {
			w.cached = &old
		}
	}
	if report := w.renewal(Options{}).Run(t.Context()); report.Exit != ExitOK {
		t.Fatalf("report %+v", report)
	}
	if drops := w.happened("drop"); !slices.Equal(drops, []string{"drop 0", "drop 0", "drop 0"}) {
		t.Errorf("drops %v", drops)
	}
}

func TestAWebSideThatWentBackIsCuredAndPeersAreToldAgain(t *testing.T) {
	w := newWorld(t)
	old := w.tenant.Pair
	w.addPeer("https://a.example", fakePeer{})
	once := true
	w.on = func(e string) {
		if e == "prove https://a.example" && once {
			once = false
			w.cached = &old // a late request refills the cache with what it had read
		}
	}
	report := w.renewal(Options{}).Run(t.Context())
	if report.Exit != ExitOK || len(w.happened("push")) != 2 || w.web() != w.tenant.Pair {
		t.Errorf("exit %d, pushes %v, web server on the stored pair: %v", report.Exit, w.happened("push"), w.web() == w.tenant.Pair)
	}
}

func TestARunThatIsStopped(t *testing.T) {
	stop := errors.New("stopped by hand")
	for _, c := range []struct {
		name, at string
		stored   bool
		exit     int
	}{
		{"before the key is stored nothing has changed", "read", false, ExitNotRenewed},
		{"once it is stored the local site is made to use it and peers stay pending", "store", true, ExitPeers},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.addPeer("https://a.example", fakePeer{refuses: "fault_1"})
			old := w.tenant.Pair
			ctx, cancel := context.WithCancelCause(t.Context())
			w.on = func(e string) {
				if e == c.at {
					cancel(stop)
				}
			}
			report := w.renewal(Options{}).Run(ctx)
			if (w.tenant.Pair != old) != c.stored || report.Exit != c.exit {
				t.Errorf("stored %v, exit %d (%v)", w.tenant.Pair != old, report.Exit, report.Err)
			}
			if c.stored && (report.SelfCheck != SelfProven || report.Peers[0].Outcome != Pending) {
				t.Errorf("local site %s, peer %+v", report.SelfCheck, report.Peers[0])
			}
			if !c.stored && !errors.Is(report.Err, stop) {
				t.Errorf("error %v does not say why", report.Err)
			}
		})
	}
}

// Moodle renewed by itself after this run: its newer key is right.
func TestASiteThatRenewedAgainMeanwhileIsNoAlarm(t *testing.T) {
	w := newWorld(t)
	w.addPeer("https://a.example", fakePeer{})
	w.on = func(e string) {
		if e == "prove https://a.example" {
			w.tenant.Pair = storedPair(testPair(w.t, ownURL, clock))
			w.tenant.Own.Certificate, w.cached = w.tenant.Pair.Certificate, nil
		}
	}
	report := w.renewal(Options{}).Run(t.Context())
	if report.Exit != ExitPeers || !errors.Is(report.Err, ErrConflict) || report.SelfCheck != SelfProven {
		t.Errorf("exit %d, local site %s: %v", report.Exit, report.SelfCheck, report.Err)
	}
}

// always answers every sealed call to the local wwwroot with the same reason.
func always(reason Reason) func(string, int) *Failure {
	return func(string, int) *Failure { return &Failure{Reason: reason} }
}

// A web server reloads while the local site is proven: the stale answer before counts, the missing
// one does not.
func TestAnOwnSiteThatIsAwayForAMomentIsWaitedFor(t *testing.T) {
	w := newWorld(t)
	w.addPeer("https://a.example", fakePeer{})
	old := w.tenant.Pair
	drops := 0
	w.refill = func() {
		switch drops++; drops {
		case 1: // still the old key
			w.cached = &old
		case 2: // reloading
			w.cached, w.unreachable = &old, true
		case 3:
			w.unreachable = false
		}
	}
	if report := w.renewal(Options{}).Run(t.Context()); report.Exit != ExitOK || report.SelfCheck != SelfProven || w.web() != w.tenant.Pair {
		t.Errorf("exit %d, local site %s, %v", report.Exit, report.SelfCheck, report.Err)
	}
}

func TestAWebSideThatWentBackAndThenAwayIsNotCalledProven(t *testing.T) {
	w := newWorld(t)
	old := w.tenant.Pair
	w.addPeer("https://a.example", fakePeer{})
	w.on = func(e string) {
		if e == "prove https://a.example" {
			w.cached, w.refill = &old, func() { w.unreachable = true }
		}
	}
	report := w.renewal(Options{}).Run(t.Context())
	if report.Exit != ExitLocalSite || report.SelfCheck != SelfFailed {
		t.Errorf("exit %d, local site %s", report.Exit, report.SelfCheck)
	}
}

func TestUndonePairsPushNoKeyOut(t *testing.T) {
	w := newWorld(t)
	for range 3 { // a full history, of keys that peers may have
		w.renewed(t)
	}
	held := slices.Clone(w.tenant.History)
	w.sticky = true
	for run := range 3 {
		report := w.renewal(Options{}).Run(t.Context())
		if report.Outcome != Undone || !slices.Equal(w.tenant.History[:3], held) || len(w.tenant.History) != 4+run {
			t.Fatalf("%s: %v, %d retired pairs", report.Outcome, report.Err, len(w.tenant.History))
		}
	}
}

// renewed runs a renewal of an undisturbed site, which must succeed.
func (w *world) renewed(t *testing.T) {
	t.Helper()
	if report := w.renewal(Options{AbandonPending: true}).Run(t.Context()); report.Outcome != Renewed {
		t.Fatalf("%s: %v", report.Outcome, report.Err)
	}
}

// pairs names the current pair and the history by letters.
func (w *world) pairs(names map[Stored]string) string {
	all := names[w.tenant.Pair] + "|"
	for _, h := range w.tenant.History {
		all += names[h.Stored]
	}
	return all
}

func TestRollingBackLosesNoPair(t *testing.T) {
	for _, c := range []struct {
		name         string
		pairs, after string // the current one, and the history
		sticky       bool
		renew        bool // instead of rolling back
	}{
		{"one for one", "A|BCD", "B|ACD", false, false},
		{"of a history that is longer than Moodle keeps, with peers given up", "A|BCDE", "B|ACD", false, false},
		{"with one retired pair", "A|B", "B|A", false, false},
		{"that is undone", "A|BCD", "A|BCD", true, false},
		{"and a renewal that is undone keeps what was rolled back from", "B|A", "B|A+", true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			names, pairs := map[Stored]string{}, map[string]Stored{}
			for i, letter := range []string{"A", "B", "C", "D", "E"} {
				pair := storedPair(testPair(t, ownURL, clock.AddDate(0, 0, -i-1)))
				names[pair], pairs[letter] = letter, pair
			}
			current, history, _ := strings.Cut(c.pairs, "|")
			w.tenant.Pair, w.tenant.History = pairs[current], nil
			for _, letter := range history {
				w.tenant.History = append(w.tenant.History, Retired{Stored: pairs[string(letter)], Expires: clock.AddDate(0, 0, 20).Unix()})
			}
			w.tenant.Own.Certificate, w.tenant.Own.Expires = w.tenant.Pair.Certificate, clock.AddDate(0, 0, 20).Unix()
			pair := w.tenant.Pair
			w.cached, w.sticky = &pair, c.sticky
			run := w.renewal(Options{AbandonPending: true}).RollBack
			if c.renew {
				run = w.renewal(Options{AbandonPending: true}).Run
			}
			report := run(t.Context())
			for _, h := range w.tenant.History {
				if names[h.Stored] == "" {
					names[h.Stored] = "+"
				}
			}
			if got := w.pairs(names); got != c.after {
				t.Errorf("%s, want %s (%s: %v)", got, c.after, report.Outcome, report.Err)
			}
		})
	}
}

// A command that only looks has a free lock for a moment. A run that begins then must not end for it.
func TestARunDoesNotEndForACommandThatLooks(t *testing.T) {
	w := newWorld(t)
	r := w.renewal(Options{})
	r.Locker = lockFunc(func(_ context.Context, wait time.Duration) (func(), error) {
		if wait < glance {
			return nil, ErrLocked
		}
		return func() {}, nil
	})
	if report := r.Run(t.Context()); report.Err != nil || report.Outcome != Renewed {
		t.Errorf("%+v", report)
	}
}

// If a run waits for another, that is reported before the wait, and once.
func TestAWaitForTheLockIsSaidBeforeItBegins(t *testing.T) {
	for _, c := range []struct {
		name   string
		locked error
		wait   time.Duration
		said   int
	}{
		{"the lock is free", nil, time.Minute, 0},
		{"another run has it", ErrLocked, time.Minute, 1},
		{"another run has it, and the run does not wait", ErrLocked, 0, 0},
		{"the database is down", errLost, time.Minute, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, f, said := newWorld(t), newFleet(t, 3), 0
			w.lockErr = c.locked
			r := w.renewal(Options{LockWait: c.wait})
			r.Waiting = func(upTo time.Duration) {
				if said++; upTo != c.wait || len(w.happened("lock")) != 1 {
					t.Errorf("up to %s, after %q", upTo, w.events)
				}
			}
			if report := r.Run(t.Context()); !errors.Is(report.Err, c.locked) || said != c.said {
				t.Errorf("said %d times: %v", said, report.Err)
			}
			for _, s := range f.sites {
				s.lockErr = c.locked
			}
			a, said := f.array(ArrayOptions{}), 0
			a.Template.LockWait, a.Template.Waiting = c.wait, func(time.Duration) { said++ }
			if a.Run(t.Context()); said != c.said {
				t.Errorf("an array says it %d times", said)
			}
		})
	}
}
