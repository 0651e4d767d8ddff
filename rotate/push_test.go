package rotate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// keeping are the runs that leave the stored key as it is.
var keeping = map[string]func(*world, context.Context) TenantReport{
	"distribute": func(w *world, ctx context.Context) TenantReport { return w.renewal(Options{}).Distribute(ctx) },
	"not due": func(w *world, ctx context.Context) TenantReport {
		return w.renewal(Options{Due: DuePolicy{OnlyIfDue: true, Before: 24 * time.Hour}}).Run(ctx)
	},
}

func TestASignalWhileTheOwnSiteIsLookedAtIsNoFaultOfTheSite(t *testing.T) {
	signal := errors.New("interrupted")
	for name, run := range keeping {
		for _, mode := range []SelfCheckMode{SelfCheckAuto, SelfCheckRequire} {
			t.Run(name+" "+string(mode), func(t *testing.T) {
				w := newWorld(t)
				w.addPeer("https://peer.example", fakePeer{})
				ctx, cancel := context.WithCancelCause(t.Context())
				w.on = func(e string) {
					if e == "prove "+ownURL {
						cancel(signal)
						w.unreachable = true // as for a call that is cut short
					}
				}
				report := run(w, ctx)
				if report.Exit != ExitNotRenewed || !errors.Is(report.Err, signal) || report.SelfCheck == SelfFailed {
					t.Errorf("%+v", report)
				}
				if events := w.happened("store", "push"); len(events) > 0 {
					t.Error(events)
				}
			})
		}
	}
}

// halfway is a world after a run that was killed between two steps: it had stored a new pair, which
// the web server does not take, and had not yet put the old one back.
func halfway(t *testing.T) (w *world, old, unused Stored) {
	w = newWorld(t)
	w.addPeer("https://peer.example", fakePeer{})
	old, unused = w.tenant.Pair, storedPair(testPair(t, ownURL, clock))
	expires := mustParse(unused.Certificate).NotAfter.Unix()
	w.tenant.History = []Retired{{Stored: old, Expires: w.tenant.expires()}}
	w.tenant.Pair, w.tenant.Own = unused, &Peer{ID: 1, Wwwroot: ownURL, Certificate: unused.Certificate, Expires: expires}
	w.sticky = true
	return w, old, unused
}

// The key history was damaged and emptied, as docs/recovery.md says: the cache still has its keys, which
// peers that are down may need.
func TestAPushKeepsTheRetiredKeysThatOnlyTheCacheHas(t *testing.T) {
	for name, run := range keeping {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.addPeer(peerA, fakePeer{dead: true})
			pair := testPair(t, ownURL, clock.AddDate(0, 0, -25))
			retired := Retired{Stored: storedPair(pair), Expires: pair.Certificate.NotAfter.Unix()}
			used := w.tenant.Pair
			w.cached, w.alsoCached = &used, []Retired{retired}
			for range 2 {
				if report := run(w, t.Context()); report.Err != nil || !slices.Equal(w.tenant.History, []Retired{retired}) || report.History != 1 {
					t.Errorf("%v; the history has %d keys, and the report says %d", report.Err, len(w.tenant.History), report.History)
				}
			}
			if stores := w.happened("store-history"); len(stores) != 1 {
				t.Error(stores)
			}
		})
	}
}

func TestTheUndoingOfAKilledRunIsFinished(t *testing.T) {
	for name, run := range keeping {
		t.Run(name, func(t *testing.T) {
			w, old, unused := halfway(t)
			report := run(w, t.Context())
			if report.Outcome != Undone || report.SelfCheck != SelfProven || report.Exit != ExitNotRenewed || report.Err == nil ||
				report.Certificate.SHA256 != mustParse(old.Certificate).Fingerprint() {
				t.Errorf("%+v", report)
			}
			if hint := HintOf(report.Err); !strings.HasPrefix(hint, hintNoHook) || !strings.HasSuffix(hint, "run: renew_mnetkeys push") {
				t.Error(hint)
			}
			if w.tenant.Pair != old || w.tenant.Own.Certificate != old.Certificate {
				t.Error("the pair that the web server uses was not restored")
			}
			want := []Retired{{Stored: unused, Expires: undone}}
			if !slices.Equal(w.tenant.History, want) {
				t.Errorf("the history has %d pairs, want the unused one alone", len(w.tenant.History))
			}
			if pushes := w.happened("push"); len(pushes) > 0 {
				t.Error(pushes)
			}
			if again := run(w, t.Context()); again.Exit != ExitOK || again.Outcome != Kept {
				t.Errorf("the next run: %+v", again)
			}
		})
	}
}

func TestWhatCannotBeUndoneCallsForAnOperator(t *testing.T) {
	for name, spoil := range map[string]func(*world){
		"the web side shows no pair that is known": func(w *world) {
			other := storedPair(testPair(w.t, ownURL, clock.AddDate(0, 0, -40)))
			w.cached = &other
		},
		"nothing is retired": func(w *world) { w.tenant.History, w.hidden = nil, true },
		"the retired pair is over": func(w *world) {
			over := storedPair(testPair(w.t, ownURL, clock.AddDate(0, 0, -40)))
			w.cached, w.tenant.History = &over, []Retired{{Stored: over}}
		},
		"the database does not take it": func(w *world) { w.storeErr = errors.New("read-only") },
	} {
		t.Run(name, func(t *testing.T) {
			w, _, unused := halfway(t)
			spoil(w)
			report := w.renewal(Options{}).Distribute(t.Context())
			if report.Exit != ExitLocalSite || report.SelfCheck != SelfFailed || report.Outcome != Failed {
				t.Errorf("%+v", report)
			}
			if w.tenant.Pair != unused {
				t.Error("the pair was changed")
			}
		})
	}
}

// If the local site is not asked, it is not known which pair it uses.
func TestASiteThatIsNotToBeAskedIsNotTakenBack(t *testing.T) {
	w, _, unused := halfway(t)
	w.dropErr = errors.New("permission denied")
	report := w.renewal(Options{SelfCheck: SelfCheckOff}).Distribute(t.Context())
	if report.Exit != ExitNotRenewed || report.Outcome != Failed || w.tenant.Pair != unused {
		t.Errorf("%+v", report)
	}
	if asked := w.happened("prove", "push"); len(asked) > 0 {
		t.Error(asked)
	}
}

func TestAClockThatIsAheadIsNoFaultOfTheKey(t *testing.T) {
	w := newWorld(t)
	w.addPeer("https://peer.example", fakePeer{})
	w.clockAhead = true
	report := w.renewal(Options{}).Distribute(t.Context())
	if !errors.Is(report.Err, ErrOwnClock) || report.Exit != ExitNotRenewed {
		t.Errorf("exit %d, %v", report.Exit, report.Err)
	}
	if did := w.happened("drop", "push"); len(did) > 0 {
		t.Error(did)
	}
}

func TestNobodyIsToldWhereTheLocalSiteCannotBeAsked(t *testing.T) {
	for name, run := range keeping {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.addPeer("https://peer.example", fakePeer{})
			w.unreachable = true
			report := run(w, t.Context())
			if !errors.Is(report.Err, ErrOwnUnreachable) || report.Exit != ExitNotRenewed {
				t.Errorf("exit %d: %v", report.Exit, report.Err)
			}
			if did := w.happened("drop", "push", "store"); did != nil {
				t.Error(did)
			}
		})
	}
}

func TestADistributionThatCannotBegin(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*world)
		err   error
		exit  int
	}{
		{"another run has the lock", func(w *world) { w.lockErr = ErrLocked }, ErrLocked, ExitLocked},
		{"the database cannot be read", func(w *world) { w.readErr = errLost }, errLost, ExitNotRenewed},
		{"MNet is off", func(w *world) { w.tenant.DispatcherMode = "off" }, ErrMNetOff, ExitNotRenewed},
		{"it has no row of its own", func(w *world) { w.tenant.Own = nil }, ErrNoLocalRow, ExitNotRenewed},
		{"it is another site's database", func(w *world) { w.tenant.Own.Wwwroot = "https://other.example" }, &OtherSiteError{}, ExitUsage},
		{"it has no readable key", func(w *world) { w.tenant.Pair.PrivateKey = "" }, ErrNoKey, ExitNotRenewed},
		{"pair and row differ", func(w *world) { w.tenant.Own.Certificate = "" }, ErrIncoherent, ExitNotRenewed},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.addPeer(peerA, fakePeer{})
			c.spoil(w)
			report := w.renewal(Options{}).Distribute(t.Context())
			if !sameCause(report.Err, c.err) || report.Exit != c.exit || report.Outcome != Failed {
				t.Errorf("%+v", report)
			}
			if did := w.happened("push", "prove", "drop", "store"); did != nil {
				t.Errorf("it did %v", did)
			}
			if locked, left := len(w.happened("lock")) > 0 && w.lockErr == nil, len(w.happened("release")) == 0; locked && left {
				t.Error("the lock is kept")
			}
		})
	}
}
