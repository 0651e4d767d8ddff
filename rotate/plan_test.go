package rotate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/envelope"
)

// planning are the dry runs, with the runs that they plan.
var planning = map[string]struct {
	plan, run func(*Renewal, context.Context) TenantReport
}{
	"renewal":    {(*Renewal).Plan, (*Renewal).Run},
	"distribute": {(*Renewal).PlanDistribute, (*Renewal).Distribute},
	"roll back":  {(*Renewal).PlanRollBack, (*Renewal).RollBack},
}

// If something stops a run, it stops its dry run for the same reason.
func TestADryRunIsStoppedByWhatStopsTheRun(t *testing.T) {
	every := []string{"distribute", "renewal", "roll back"}
	for _, c := range []struct {
		name    string
		spoil   func(*world)
		options Options
		of      []string
		err     error
	}{
		{"the database cannot be read", func(w *world) { w.readErr = errLost }, Options{}, every, errLost},
		{"the database would refuse the write", func(w *world) { w.rightsErr = errNotAllowed }, Options{}, []string{"renewal", "roll back"}, errNotAllowed},
		{"the cache may not be dropped", func(w *world) { w.checkErr = errNotAllowed }, Options{}, []string{"renewal", "roll back"}, errNotAllowed},
		{"MNet is off", func(w *world) { w.tenant.DispatcherMode = "off" }, Options{}, every, ErrMNetOff},
		{"MNet is switched off by config.php, and is to be started", func(w *world) { w.tenant.DispatcherMode, w.tenant.DispatcherForced = "off", true },
			Options{NewKey: true}, []string{"renewal"}, ErrMNetForcedOff},
		{"MNet is switched off by config.php", func(w *world) { w.tenant.DispatcherMode, w.tenant.DispatcherForced = "", true }, Options{}, every, ErrMNetForcedOff},
		{"it is another site's database", func(w *world) { w.tenant.Own.Wwwroot = "https://other.example" }, Options{}, every, &OtherSiteError{}},
		{"it is another site's database, without a readable key", func(w *world) {
			w.tenant.Own.Wwwroot, w.tenant.Pair.PrivateKey = "https://other.example", ""
		}, Options{}, every, &OtherSiteError{}},
		{"the own site must be proven, and does not answer", func(w *world) { w.unreachable = true }, Options{SelfCheck: SelfCheckRequire}, every, ErrOwnUnreachable},
		{"the own site's clock is ahead", func(w *world) { w.clockAhead = true }, Options{}, every, ErrOwnClock},
		{"nothing is there to go back to", func(w *world) { w.tenant.History = nil }, Options{}, []string{"roll back"}, ErrNothingRetired},
		{"what is there to go back to is over", func(w *world) {
			w.tenant.History[0].Stored = storedPair(testPair(w.t, ownURL, clock.AddDate(0, 0, -40)))
		}, Options{}, []string{"roll back"}, ErrExpired},
		{"the key has expired, and is only to be pushed", func(w *world) { w.tenant.Own.Expires = clock.Unix() }, Options{}, []string{"distribute"}, ErrExpired},
		{"MNet is to be started in another site's database", func(w *world) { w.tenant.DispatcherMode = ""; w.tenant.Own.Wwwroot = "https://other.example" },
			Options{NewKey: true}, []string{"renewal"}, &OtherSiteError{}},
		{"the web server has the only copy of the key that it uses", func(w *world) { w.cached, w.hidden, w.sticky = w.otherPair(), true, true }, Options{}, every, ErrOnlyCopy},
		{"the same without a question to the web server", func(w *world) { w.cachedErr = errLost }, Options{SelfCheck: SelfCheckOff}, every, ErrOnlyCopy},
		{"MNet is to be started, and the cache cannot be read", func(w *world) {
			w.tenant.DispatcherMode, w.cachedErr, w.pages = "off", errLost, map[string]string{"": w.someOther()}
		},
			Options{NewKey: true}, []string{"renewal"}, ErrOnlyCopy},
		{"MNet is to be started at a site that must be proven, and cannot be reached", func(w *world) { w.tenant.DispatcherMode = ""; w.unreachable = true },
			Options{NewKey: true, SelfCheck: SelfCheckRequire}, []string{"renewal"}, ErrOwnUnreachable},
	} {
		for _, what := range c.of {
			t.Run(what+": "+c.name, func(t *testing.T) {
				w := newWorld(t)
				w.addPeer(peerA, fakePeer{})
				w.tenant.History = []Retired{{Stored: storedPair(testPair(t, ownURL, clock.AddDate(0, 0, -10)))}}
				c.spoil(w)
				before := w.tenant
				planned := planning[what].plan(w.renewal(c.options), t.Context())
				if did := w.happened("store", "store-peer", "push", "drop", "start-mnet"); did != nil {
					t.Errorf("the dry run did %v", did)
				}
				ran := planning[what].run(w.renewal(c.options), t.Context())
				if !sameCause(planned.Err, c.err) || !sameCause(ran.Err, c.err) || planned.Exit != ran.Exit {
					t.Errorf("planned: exit %d, %v; ran: exit %d, %v; want %v", planned.Exit, planned.Err, ran.Exit, ran.Err, c.err)
				}
				if planned.Outcome != Failed || w.tenant.Pair != before.Pair || w.tenant.DispatcherMode != before.DispatcherMode || len(w.happened("store", "push")) > 0 {
					t.Errorf("%s; did %v", planned.Outcome, w.events)
				}
			})
		}
	}
}

func TestADryRunSaysWhatWouldBecomeOfTheTenant(t *testing.T) {
	const known = peerA
	for _, c := range []struct {
		name    string
		spoil   func(*world)
		options Options
		what    string
		says    []string // of the warnings
		peers   []string // outcomes
		asked   bool     // the local site is asked
	}{
		{"the key goes back", func(*world) {}, Options{}, "roll back", []string{"would go back to "}, []string{known + " skipped"}, true},
		{"MNet is started, and no site is asked", func(w *world) { w.tenant.DispatcherMode, w.tenant.Own = "", nil }, Options{NewKey: true}, "renewal",
			[]string{"it would be started first"}, []string{known + " skipped"}, false},
		{"the key history is full", func(w *world) { w.retire(MaxHistory - len(w.tenant.History)) }, Options{}, "renewal", []string{"the key history is full (12 keys)"}, []string{known + " skipped"}, true},
		{"the row is missing while MNet is on", func(w *world) { w.tenant.Own = nil }, Options{NewKey: true}, "renewal",
			[]string{"the site has no mnet_host row of its own; it would get one first"}, []string{known + " skipped"}, false},
		{"hosts are connected, those that are none yet are tried", func(w *world) {
			w.addPeer(peerB, fakePeer{dead: true})
			w.tenant.Peers = w.tenant.Peers[:1]
		}, Options{Bind: []Link{{Wwwroot: known}, {Wwwroot: peerB}}}, "renewal",
			[]string{"would bind the services of " + known + ", which is a peer already", "would connect " + peerB}, []string{known + " skipped", peerB + " pending"}, true},
		{"the key is distributed", func(*world) {}, Options{}, "distribute", nil, []string{known + " skipped"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.addPeer(known, fakePeer{})
			w.tenant.History = []Retired{{Stored: storedPair(testPair(t, ownURL, clock.AddDate(0, 0, -10)))}}
			c.spoil(w)
			report := planning[c.what].plan(w.renewal(c.options), t.Context())
			foretold := ExitOK
			if slices.ContainsFunc(c.peers, func(p string) bool { return strings.HasSuffix(p, " pending") }) {
				foretold = ExitPeers
			}
			if report.Outcome != Kept || report.Exit != foretold || report.Err != nil {
				t.Errorf("%+v", report)
			}
			says := func(part string) func(string) bool { return func(s string) bool { return strings.Contains(s, part) } }
			for _, part := range c.says {
				if !slices.ContainsFunc(report.Warnings, says(part)) {
					t.Errorf("does not say %q: %q", part, report.Warnings)
				}
			}
			if len(report.Warnings) != len(c.says) {
				t.Errorf("says %q", report.Warnings)
			}
			for _, p := range report.Peers {
				if p.Outcome == Pending && p.Next != nextConnect { // it has no row that could be corrected
					t.Errorf("%s: next %q", p.Wwwroot, p.Next)
				}
			}
			var peers []string
			for _, p := range report.Peers {
				peers = append(peers, p.Wwwroot+" "+string(p.Outcome))
			}
			if !slices.Equal(peers, c.peers) {
				t.Errorf("peers %q", peers)
			}
			if did := w.happened("lock", "store", "store-peer", "push", "drop", "start-mnet"); did != nil || (len(w.happened("prove")) > 0) != c.asked {
				t.Errorf("the dry run did %v", w.events)
			}
			if w.tenant.DispatcherMode == "" && w.tenant.MNetOn() {
				t.Error("MNet was started")
			}
		})
	}
}

// A rollback finds in the cache what is newer than the history, and its dry run does, too.
func TestADryRunOfARollBackNamesTheKeyThatTheCacheHas(t *testing.T) {
	w := newWorld(t)
	w.renewed(t)
	w.web()
	w.alsoCached = []Retired{{Stored: *w.otherPair()}}
	planned := w.renewal(Options{}).PlanRollBack(t.Context())
	ran := w.renewal(Options{}).RollBack(t.Context())
	if ran.Certificate == nil || !strings.Contains(strings.Join(planned.Warnings, "\n"), ran.Certificate.SHA256) {
		t.Errorf("planned: %q; the run went back to %v: %v", planned.Warnings, ran.Certificate, ran.Err)
	}
}

// A run that keeps the key purges no cache of a web server that uses the key, and stores none.
func TestADryRunOfARunThatKeepsTheKeyDoesNotMindWhatItDoesNotDo(t *testing.T) {
	notDue := Options{Due: DuePolicy{OnlyIfDue: true, Before: time.Hour}}
	for what, options := range map[string]Options{"distribute": {}, "renewal": notDue} {
		for name, spoil := range map[string]func(*world){
			"a store can only be cleared manually": func(w *world) { w.checkErr = ErrCacheManual },
			"the cache may not be dropped":         func(w *world) { w.checkErr = errNotAllowed },
			"the database would refuse a key":      func(w *world) { w.rightsErr = errNotAllowed },
		} {
			w := newWorld(t)
			w.addPeer(peerA, fakePeer{})
			spoil(w)
			planned := planning[what].plan(w.renewal(options), t.Context())
			ran := planning[what].run(w.renewal(options), t.Context())
			if planned.Exit != ExitOK || ran.Exit != ExitOK {
				t.Errorf("%s, %s: planned: exit %d, %v; ran: exit %d, %v", what, name, planned.Exit, planned.Err, ran.Exit, ran.Err)
			}
		}
	}
}

// A run that keeps the key saves what only the cache has before it tries to purge, and gives the web
// server's key back if it cannot.
func TestADryRunForetellsWhatBecomesOfAWebServerWhoseCacheCannotBePurged(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*world)
		exit  int
		err   error // nil: any
	}{
		"it says that MNet is off":                 {func(w *world) { w.answer = always(ReasonMNetOff) }, ExitNotRenewed, nil},
		"its key is in the cache":                  {func(w *world) { w.cached = w.otherPair() }, ExitNotRenewed, nil},
		"its key was found nowhere":                {func(w *world) { w.cached, w.hidden = w.otherPair(), true }, ExitLocalSite, ErrOnlyCopy},
		"its key may be in a cache that is unread": {func(w *world) { w.cached, w.cachedErr = w.otherPair(), errLost }, ExitLocalSite, ErrOnlyCopy},
	} {
		w := newWorld(t)
		w.addPeer(peerA, fakePeer{})
		c.spoil(w)
		w.checkErr, w.dropErr = errNotAllowed, errNotAllowed
		planned := w.renewal(Options{}).PlanDistribute(t.Context())
		ran := w.renewal(Options{}).Distribute(t.Context())
		if planned.Exit != c.exit || ran.Exit != c.exit {
			t.Errorf("%s: planned: exit %d, %v; ran: exit %d, %v", name, planned.Exit, planned.Err, ran.Exit, ran.Err)
		}
		if c.err != nil && (!errors.Is(planned.Err, c.err) || !errors.Is(ran.Err, c.err)) {
			t.Errorf("%s: planned: %v; ran: %v", name, planned.Err, ran.Err)
		}
	}
}

// own gives the tenant another pair, coherent and in use.
func (w *world) own(p *envelope.KeyPair) {
	w.tenant.Pair = storedPair(p)
	w.tenant.Own.Certificate, w.tenant.Own.Expires = p.Certificate.PEM, p.Certificate.NotAfter.Unix()
	pair := w.tenant.Pair
	w.cached = &pair
	for _, peer := range w.peers {
		peer.knows = p.Certificate.PEM
	}
}

// A rollback that is stopped, or cannot begin, changes nothing.
func TestARollBackThatDoesNotHappen(t *testing.T) {
	stop := errors.New("stopped by hand")
	for _, c := range []struct {
		name  string
		spoil func(*world, context.CancelCauseFunc)
		err   error
		exit  int
	}{
		{"another run has the lock", func(w *world, _ context.CancelCauseFunc) { w.lockErr = ErrLocked }, ErrLocked, ExitLocked},
		{"it is stopped while the local site is asked", func(w *world, cancel context.CancelCauseFunc) { w.at("prove "+ownURL, 1, func() { cancel(stop) }) }, stop, ExitNotRenewed},
		{"the retired pair cannot be read", func(w *world, _ context.CancelCauseFunc) { w.tenant.History[0].PrivateKey = "garbage" }, envelope.ErrPrivateKey, ExitNotRenewed},
		{"the retired pair carries another name", func(w *world, _ context.CancelCauseFunc) {
			w.tenant.History[0].Stored = storedPair(testPair(w.t, "https://old.example", clock))
		}, nil, ExitNotRenewed},
		{"the database refuses the write", func(w *world, _ context.CancelCauseFunc) { w.storeErr = errNotAllowed }, errNotAllowed, ExitNotRenewed},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.addPeer(peerA, fakePeer{})
			w.tenant.History = []Retired{{Stored: storedPair(testPair(t, ownURL, clock.AddDate(0, 0, -10)))}}
			ctx, cancel := context.WithCancelCause(t.Context())
			c.spoil(w, cancel)
			before, history := w.tenant.Pair, slices.Clone(w.tenant.History)
			report := w.renewal(Options{}).RollBack(ctx)
			var name *envelope.WwwrootError
			if c.err == nil && HintOf(report.Err) != adviseRenewal {
				t.Errorf("hint %q", HintOf(report.Err))
			}
			if c.err != nil && !errors.Is(report.Err, c.err) || c.err == nil && !errors.As(report.Err, &name) {
				t.Errorf("error %v, want %v", report.Err, c.err)
			}
			if report.Exit != c.exit || report.Outcome != Failed {
				t.Errorf("%+v", report)
			}
			if w.tenant.Pair != before || !slices.Equal(w.tenant.History, history) || len(w.happened("push", "drop")) > 0 {
				t.Errorf("something was changed: %v", w.events)
			}
		})
	}
}

// coherent are members whose web servers use their stored keys.
type coherent struct{ *world }

func (c coherent) Prove(ctx context.Context, own Identity, p Peer, answered *envelope.Certificate, keyswap bool) Proof {
	if own.Wwwroot == p.Wwwroot && own.Wwwroot != ownURL {
		return Proof{Certificate: own.Key.Certificate}
	}
	return c.world.Prove(ctx, own, p, answered, keyswap)
}

// A peer that is a site of the same array accepts connections although its MNet is off, and
// whatever its database is like. The dry runs of one tenant and of the array say the same of it.
func TestADryRunSaysWhatTheDatabaseOfAPeerShows(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*fleetSite)
		want  Reason
	}{
		"MNet is off":              {func(s *fleetSite) { s.tenant.DispatcherMode = "off" }, ReasonMNetOff},
		"MNet was never on":        {func(s *fleetSite) { s.tenant.Own, s.tenant.DispatcherMode = nil, "" }, ReasonMNetOff},
		"its own row is lost":      {func(s *fleetSite) { s.tenant.Own = nil }, ReasonBadSignature},
		"it has no readable key":   {func(s *fleetSite) { s.tenant.Pair.PrivateKey = "" }, ReasonBadSignature},
		"its database is down":     {func(s *fleetSite) { s.readErr = errDown }, ReasonDatabase},
		"it has no row of us":      {func(s *fleetSite) { clear(s.rows) }, ReasonUnknownToPeer},
		"everything is as it must": {func(*fleetSite) {}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, 2)
			peer := f.sites[1]
			c.spoil(peer)
			f.array(ArrayOptions{}, 0).Plan(t.Context())
			ofArray := linkTo(f.reports[f.sites[0].tenant.Wwwroot], peer.tenant.Wwwroot)

			w := newWorld(t)
			w.addPeer(peer.tenant.Wwwroot, fakePeer{})
			r := w.renewal(Options{})
			r.Network = coherent{w}
			r.Counterpart = func(context.Context, Peer) (*Counterpart, error) {
				as := peer.tenant
				as.Peers = nil
				for wwwroot, row := range peer.rows {
					as.Peers = append(as.Peers, Peer{Wwwroot: wwwroot, Certificate: row.certificate})
				}
				return CounterpartOf(&as, f.sites[0].tenant.Wwwroot), peer.readErr
			}
			report := r.Plan(t.Context())
			single := report.Peers[0]
			if single.Outcome != ofArray.Outcome || single.Reason != ofArray.Reason || single.Reason != c.want || c.want == ReasonMNetOff && single.Next != ofArray.Next {
				t.Errorf("one tenant: %+v; the array: %+v", single, ofArray)
			}
			if foretold := report.Exit == ExitPeers; foretold != (c.want != "") {
				t.Errorf("exit %d", report.Exit)
			}
			if did := w.happened("lock", "store", "store-peer", "push", "start-mnet"); did != nil {
				t.Errorf("the dry run did %v", did)
			}
		})
	}
}
