package rotate

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// underWay is a world in which another run has stored a key that the web server does not use yet. It
// ends after that many seconds.
func underWay(t *testing.T, seconds int) (*world, *Renewal) {
	w := newWorld(t)
	w.addPeer("https://a.example", fakePeer{})
	w.cached, w.sticky, w.lockErr = w.otherPair(), true, ErrLocked
	r := w.renewal(Options{})
	r.Sleep = func(ctx context.Context, _ time.Duration) error {
		if seconds--; seconds == 0 {
			w.cached, w.lockErr = nil, nil
		}
		return ctx.Err()
	}
	return w, r
}

func TestAVerificationWaitsForARunThatIsChangingTheKey(t *testing.T) {
	for name, c := range map[string]struct {
		seconds int
		exit    int
		err     error
	}{
		"the run ends soon":         {3, ExitOK, nil},
		"the run goes on for hours": {3600, ExitPeers, ErrUnderWay},
	} {
		t.Run(name, func(t *testing.T) {
			w, r := underWay(t, c.seconds)
			report := r.Verify(t.Context())
			if report.Exit != c.exit || !errors.Is(report.Err, c.err) || report.SelfCheck == SelfFailed {
				t.Errorf("exit %d, %s: %v", report.Exit, report.SelfCheck, report.Err)
			}
			if len(w.happened("store", "drop", "push")) > 0 {
				t.Error(w.events)
			}
			w, r = underWay(t, c.seconds)
			report = r.Diagnose(t.Context())
			if report.Exit == ExitLocalSite || (report.SelfCheck == SelfProven) != (c.err == nil) {
				t.Errorf("doctor: exit %d: %+v", report.Exit, report.Findings)
			}
			if len(w.happened("store", "drop", "push")) > 0 {
				t.Error(w.events)
			}
		})
	}
}

// The run may end between the question and the look at its lock.
func TestADryRunSaysThatAnotherRunIsChangingTheKey(t *testing.T) {
	for name, p := range planning {
		w, r := underWay(t, 3600)
		w.tenant.History = []Retired{{Stored: storedPair(testPair(t, ownURL, clock.AddDate(0, 0, -10)))}}
		if report := p.plan(r, t.Context()); report.Exit != ExitLocked || !errors.Is(report.Err, ErrLocked) {
			t.Errorf("%s: exit %d: %v", name, report.Exit, report.Err)
		}
	}
}

func TestARunThatHasJustEndedIsNoFault(t *testing.T) {
	w, r := underWay(t, 3600)
	w.lockErr = nil
	w.at("lock", 1, func() { w.cached = nil })
	if report := r.Verify(t.Context()); report.Exit != ExitOK || report.SelfCheck != SelfProven {
		t.Errorf("%+v", report)
	}
	if len(w.happened("lock")) != len(w.happened("release")) {
		t.Errorf("the lock is kept: %v", w.events)
	}
}

func TestAStaleWebServerIsAFaultIfNoRunIsUnderWay(t *testing.T) {
	w, r := underWay(t, 3600)
	w.lockErr = nil
	if report := r.Verify(t.Context()); report.Exit != ExitLocalSite || !errors.Is(report.Err, ErrNotFollowed) {
		t.Errorf("%+v", report)
	}
	if len(w.happened("lock")) != len(w.happened("release")) {
		t.Errorf("the lock is kept: %v", w.events)
	}
}

// What another run has stored meanwhile is what was proven: its key, and the peers of its time.
func TestAfterAWaitForAnotherRunTheReportIsOfWhatThatRunHasStored(t *testing.T) {
	for command, run := range map[string]func(*Renewal, context.Context) TenantReport{
		"verify": (*Renewal).Verify, "doctor": (*Renewal).Diagnose,
		"status": func(r *Renewal, ctx context.Context) TenantReport { return r.Status(ctx, true) },
	} {
		t.Run(command, func(t *testing.T) {
			w := newWorld(t)
			w.addPeer(peerA, fakePeer{})
			w.cached, w.sticky, w.lockErr = w.otherPair(), true, ErrLocked
			r := w.renewal(Options{})
			r.Sleep = func(ctx context.Context, _ time.Duration) error {
				w.tenant.History = []Retired{{Stored: w.tenant.Pair}}
				w.tenant.Pair = storedPair(testPair(t, ownURL, clock))
				w.tenant.Own = &Peer{ID: 1, Wwwroot: ownURL, Certificate: w.tenant.Pair.Certificate, Expires: mustParse(w.tenant.Pair.Certificate).NotAfter.Unix()}
				w.cached, w.lockErr = nil, nil
				w.peers[peerA].knows = w.tenant.Pair.Certificate
				w.addPeer(peerB, fakePeer{})
				slices.Reverse(w.tenant.Peers)
				return ctx.Err()
			}
			report := run(r, t.Context())
			if now := mustParse(w.tenant.Pair.Certificate).Fingerprint(); report.SelfCheck != SelfProven || report.Certificate.SHA256 != now || report.History != 1 {
				t.Errorf("%s: %+v, want %s", report.SelfCheck, report.Certificate, now)
			}
			if command == "status" && (len(report.Retired) != 1 || len(report.Warnings) > 0) {
				t.Errorf("%+v, %q", report.Retired, report.Warnings)
			}
			if len(report.Peers) != 2 {
				t.Fatalf("%+v", report.Peers)
			}
			for _, p := range report.Peers {
				has := w.peers[p.Wwwroot].own.Certificate.Fingerprint()
				if !p.Outcome.Proven() || command == "status" && p.Certificate.SHA256 != has {
					t.Errorf("%+v", p)
				}
			}
		})
	}
}

func TestAfterAWaitForAnotherRunASurveyIsOfWhatThatRunHasStored(t *testing.T) {
	for _, what := range []Survey{SurveyVerify, SurveyLive, SurveyDoctor} {
		f := newFleet(t, 2)
		s := f.sites[0]
		other := storedPair(testPair(t, s.tenant.Wwwroot, clock.AddDate(0, 0, -1)))
		s.cached, s.lockErr = &other, ErrLocked
		a := f.array(ArrayOptions{}, 0)
		a.Template.Sleep = func(ctx context.Context, _ time.Duration) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			s.renewed()
			s.lockErr = nil
			return ctx.Err()
		}
		a.Survey(t.Context(), what)
		report, now := f.reports[s.tenant.Wwwroot], mustParse(s.tenant.Pair.Certificate).Fingerprint()
		if report.SelfCheck != SelfProven || report.Certificate.SHA256 != now || report.History != 1 {
			t.Errorf("survey %d: %s: %+v, want %s", what, report.SelfCheck, report.Certificate, now)
		}
	}
}

// While another run is between storing a key and pushing it, links are refused: commands that only
// look say that it is at work, and advise to wait.
func TestARefusedLinkSaysThatAnotherRunIsAtWork(t *testing.T) {
	wait := HintOf(ErrUnderWay)
	for name, c := range map[string]struct {
		own, peer bool // whose lock another run has
		says      string
	}{
		"on this site": {own: true, says: "another run is working on this site"},
		"on the peer":  {peer: true, says: "another run is working on the peer"},
		"on neither":   {},
	} {
		for command, run := range map[string]func(*Renewal, context.Context) TenantReport{"verify": (*Renewal).Verify, "doctor": (*Renewal).Diagnose,
			"live": func(r *Renewal, ctx context.Context) TenantReport { return r.Status(ctx, true) }} {
			w := newWorld(t)
			w.addPeer(peerA, fakePeer{refuses: ReasonFault7025})
			w.addPeer("https://b.example", fakePeer{})
			if c.own {
				w.lockErr = ErrLocked
			}
			r := w.renewal(Options{})
			r.Busy = func(_ context.Context, wwwroot string) bool {
				return wwwroot == ownURL && c.own || wwwroot == peerA && c.peer
			}
			report := run(r, t.Context())
			p := linkTo(report, peerA)
			if p.Outcome != Refused || p.Reason != ReasonFault7025 || !strings.HasPrefix(p.Detail, c.says) || (p.Next == wait) != (c.says != "") || report.Exit != ExitPeers {
				t.Errorf("%s, %s: %+v", command, name, p)
			}
			if other := linkTo(report, "https://b.example"); !other.Outcome.Proven() || other.Detail != "" {
				t.Errorf("%s, %s: %+v", command, name, other)
			}
			for _, f := range report.Findings {
				if f.Code == "peer_fault_7025" && (f.Next == wait) != (c.says != "") {
					t.Errorf("%s: %+v", name, f)
				}
			}
		}
	}
}

// In an array, where the lock of a member is looked at once for all its links.
func TestInAnArrayARefusedLinkSaysThatAnotherRunIsAtWork(t *testing.T) {
	f := newFleet(t, 4)
	busy := f.sites[1]
	for _, s := range f.sites {
		if row := s.rows[busy.tenant.Wwwroot]; row != nil {
			row.certificate = testPair(t, busy.tenant.Wwwroot, clock.AddDate(0, 0, -40)).Certificate.PEM
		}
	}
	a := f.array(ArrayOptions{}, 0, 2, 3)
	looks := 0
	a.Members[1].Lock = func(context.Context, time.Duration) (func(), error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		looks++
		return nil, ErrLocked
	}
	a.Survey(t.Context(), SurveyVerify)
	for _, at := range []int{0, 2, 3} {
		if p := linkTo(f.reports[f.sites[at].tenant.Wwwroot], busy.tenant.Wwwroot); p.Outcome != Refused || !strings.HasPrefix(p.Detail, "another run is working on the peer") || p.Next != HintOf(ErrUnderWay) {
			t.Errorf("%+v", p)
		}
	}
	if looks != 1 {
		t.Errorf("%d looks at the lock", looks)
	}
}

// The locks that the command has itself, while it looks, are no other run's.
func TestALookAtAnArrayIsNoOtherRun(t *testing.T) {
	for _, survey := range []Survey{SurveyVerify, SurveyDoctor} {
		f := newFleet(t, 6)
		for _, s := range f.sites {
			s.proveFail = ReasonFault6010
			for _, row := range s.rows {
				row.certificate = testPair(t, "https://other.example", clock).Certificate.PEM
			}
		}
		a := f.array(ArrayOptions{})
		for i := range a.Members {
			lock := a.Members[i].Lock
			a.Members[i].Lock = func(ctx context.Context, wait time.Duration) (func(), error) {
				release, err := lock(ctx, wait)
				time.Sleep(time.Duration(i) * 10 * time.Millisecond) // so that they overlap
				return release, err
			}
		}
		a.Survey(t.Context(), survey)
		for _, s := range f.sites {
			for _, p := range f.reports[s.tenant.Wwwroot].Peers {
				if p.Outcome != Refused || strings.Contains(p.Detail, "another run") {
					t.Fatalf("%+v", p)
				}
			}
		}
	}
}

// A member whose database does not answer says nothing of the locks of others: without an answer, a
// site between two steps of another run would look as if it did not use its key.
func TestALockThatIsNotAnsweredIsNoOtherMembersLock(t *testing.T) {
	t.Parallel() // it waits as long as a look may take
	f := newFleet(t, 3)
	for _, s := range f.sites[:2] {
		other := storedPair(testPair(t, s.tenant.Wwwroot, clock.AddDate(0, 0, -1)))
		s.cached, s.sticky = &other, true
	}
	a := f.array(ArrayOptions{}, 0, 1)
	a.Members[0].Lock = func(ctx context.Context, _ time.Duration) (func(), error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	a.Members[1].Lock = func(ctx context.Context, _ time.Duration) (func(), error) {
		return nil, cmpErr(ctx.Err(), ErrLocked)
	}
	a.Survey(t.Context(), SurveyVerify)
	if r := f.reports[f.sites[1].tenant.Wwwroot]; r.Exit == ExitLocalSite || !errors.Is(r.Err, ErrUnderWay) {
		t.Errorf("exit %d, %s: %v", r.Exit, r.SelfCheck, r.Err)
	}
}

// A command that only looks may have the lock of any tenant for a moment, however late a run on many
// comes to it.
func TestARunOnAnArrayDoesNotEndForACommandThatLooks(t *testing.T) {
	f := newFleet(t, 4)
	a := f.array(ArrayOptions{})
	a.Parallel = 1
	now := clock
	a.Template.Now = func() time.Time { return now }
	for i := range a.Members {
		lock := a.Members[i].Lock
		a.Members[i].Lock = func(ctx context.Context, wait time.Duration) (func(), error) {
			now = now.Add(time.Second)
			if i == 3 && wait < glance {
				return nil, ErrLocked
			}
			return lock(ctx, wait)
		}
	}
	a.Run(t.Context())
	if r := f.reports[f.sites[3].tenant.Wwwroot]; r.Outcome != Renewed {
		t.Errorf("%s: %v", r.Outcome, r.Err)
	}
}

// Two commands that look at the same moment are no run at work.
func TestALookThatMeetsAnotherLooksAgain(t *testing.T) {
	lock := lockFunc(func(_ context.Context, wait time.Duration) (func(), error) {
		if wait == 0 {
			return nil, ErrLocked
		}
		return func() {}, nil
	})
	if AnotherRuns(t.Context(), lock) {
		t.Error("another run is said to be at work")
	}
}

// A run on an array has the locks for minutes: what no run causes keeps its own next step.
func TestWhatNoRunCausesIsNotLaidToOne(t *testing.T) {
	for _, reason := range []Reason{ReasonMNetOff, "http_404", ReasonNoRC4, ReasonUnknownToPeer} {
		w := newWorld(t)
		w.addPeer(peerA, fakePeer{refuses: reason})
		w.lockErr = ErrLocked
		if p := linkTo(w.renewal(Options{}).Verify(t.Context()), peerA); p.Reason != reason || p.Next == HintOf(ErrUnderWay) {
			t.Errorf("%+v", p)
		}
	}
}

// Two cron jobs of the same moment: one gets all locks, and the other none. Before, each had some and
// waited for the rest until both gave up.
func TestOfTwoRunsAtOnceOneGetsAllLocks(t *testing.T) {
	f := newFleet(t, 12)
	var mu sync.Mutex
	holder := map[int]int{} // of each site's lock: which run has it
	lock := func(run, site int) func(context.Context, time.Duration) (func(), error) {
		return func(_ context.Context, wait time.Duration) (func(), error) {
			time.Sleep(time.Millisecond) // both are at work at the same time
			mu.Lock()
			free := holder[site] == 0
			if free {
				holder[site] = run
			}
			mu.Unlock()
			if !free {
				time.Sleep(wait) // the other run is not at its end by then
				return nil, ErrLocked
			}
			return func() {}, nil
		}
	}
	var runs sync.WaitGroup
	for run := 1; run <= 2; run++ {
		a := f.array(ArrayOptions{})
		tenants := a.start()
		for i, t := range tenants {
			t.member.Lock = lock(run, i)
		}
		rand.Shuffle(len(tenants), func(i, j int) { tenants[i], tenants[j] = tenants[j], tenants[i] })
		runs.Go(func() { a.lockAll(t.Context(), tenants) })
	}
	runs.Wait()
	for site, run := range holder {
		if run != holder[0] {
			t.Errorf("the lock of site %d has run %d, that of the first site run %d", site, run, holder[0])
		}
	}
}
