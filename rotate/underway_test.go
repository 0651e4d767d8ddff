package rotate

import (
	"context"
	"errors"
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
