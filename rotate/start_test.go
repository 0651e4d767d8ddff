package rotate

import (
	"context"
	"errors"
	"slices"
	"testing"
)

// Each case fails after --newkey has started MNet: the mode must be what it was, or the exit code
// must say that it is not.
func TestARunThatStartedMNetAndFailsSwitchesItOffAgain(t *testing.T) {
	for _, c := range []struct {
		name    string
		breakIt func(*world)
		exit    int
		mode    string
		newPair bool // a new pair is stored, which a peer may have fetched
		unread  bool // the keys in the cache were not rescued: it must not be purged
	}{
		{"the web server still says that MNet is off", func(w *world) { w.answer = always(ReasonMNetOff) }, ExitNotRenewed, "off", false, false},
		{"the same for a site that never had a key", func(w *world) {
			w.tenant.Own, w.tenant.Pair, w.cached = nil, Stored{}, nil
			w.answer = always(ReasonMNetOff)
		}, ExitNotRenewed, "off", true, false},
		{"the web server uses another key, and no purge helps", func(w *world) { w.sticky, w.cached = true, w.otherPair() }, ExitNotRenewed, "off", false, false},
		{"the tenant cannot be read again", func(w *world) { w.at("start-mnet", 1, func() { w.readErr = errLost }) }, ExitNotRenewed, "off", false, true},
		{"the same, and the cache alone has a key", func(w *world) {
			w.cached = w.otherPair()
			w.at("start-mnet", 1, func() { w.readErr = errLost })
		}, ExitNotRenewed, "off", false, true},
		{"the key cannot be stored", func(w *world) { w.storeErr = errLost }, ExitNotRenewed, "off", false, false},
		{"it is not known whether the key was stored", func(w *world) { w.storeErr = ErrUncertain }, ExitLocalSite, "off", false, false},
		{"MNet cannot be switched off either", func(w *world) { w.answer, w.stopErr = always(ReasonMNetOff), errLost }, ExitLocalSite, "strict", false, false},
		{"another program has set the mode", func(w *world) { w.answer, w.stopErr = always(ReasonMNetOff), ErrConflict }, ExitLocalSite, "strict", false, false},
		{"a web server goes on with a cache of its own", func(w *world) {
			w.answer, w.pages = always(ReasonMNetOff), map[string]string{"": w.tenant.Pair.Certificate}
		}, ExitLocalSite, "off", false, false},
		{"one of two behind a load balancer goes on with a cache of its own", func(w *world) {
			w.answer = always(ReasonMNetOff)
			w.at("stop-mnet", 1, func() {
				w.at("page "+ownURL, 2, func() { w.pages = map[string]string{"": w.tenant.Pair.Certificate} })
			})
		}, ExitLocalSite, "off", false, false},
		{"the cache cannot be purged again", func(w *world) {
			w.answer = always(ReasonMNetOff)
			w.at("stop-mnet", 1, func() { w.dropErr = errLost })
		}, ExitLocalSite, "off", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.addPeer("https://a.example", fakePeer{})
			w.tenant.DispatcherMode = "off"
			before := w.tenant.Pair
			c.breakIt(w)
			had := w.tenant.Pair
			report := w.renewal(Options{NewKey: true}).Run(t.Context())
			if report.Exit != c.exit || w.tenant.DispatcherMode != c.mode {
				t.Errorf("exit %d, mode %q: %v", report.Exit, w.tenant.DispatcherMode, report.Err)
			}
			if stored := w.tenant.Pair != had && w.tenant.Pair.Present(); stored != c.newPair || len(w.happened("push")) > 0 {
				t.Errorf("a new pair is stored: %v; had one: %v; %v", stored, before.Present(), w.events)
			}
			if c.exit == ExitLocalSite && HintOf(report.Err) == "" {
				t.Error("no hint")
			}
			stop, release := slices.Index(w.events, "stop-mnet"), slices.Index(w.events, "release")
			if stop < 0 || release < stop {
				t.Errorf("MNet is not switched off under the lock: %v", w.events)
			}
			if c.exit != ExitNotRenewed {
				return
			}
			purged := len(w.happened("drop")) > 0
			if after := w.events[stop+1] == "drop 1"; after != purged || purged == c.unread {
				t.Errorf("the cache was purged after MNet was switched off: %v, before: %v: %v", after, purged, w.events)
			}
			// The same command works once the cause is gone.
			w.answer, w.storeErr, w.readErr, w.sticky = nil, nil, nil, false
			if report = w.renewal(Options{NewKey: true}).Run(t.Context()); report.Exit != ExitOK || !w.tenant.MNetOn() || !slices.Contains(report.Warnings, "MNet was off; it was started") {
				t.Errorf("again: %+v", report)
			}
		})
	}
}

func TestASignalAfterTheStartOfMNetSwitchesItOffAgain(t *testing.T) {
	w := newWorld(t)
	w.tenant.DispatcherMode = ""
	ctx, cancel := context.WithCancelCause(t.Context())
	w.at("start-mnet", 1, func() { cancel(errLost) })
	report := w.renewal(Options{NewKey: true}).Run(ctx)
	if !errors.Is(report.Err, errLost) || w.tenant.MNetOn() || len(w.happened("store")) > 0 {
		t.Errorf("mode %q: %+v", w.tenant.DispatcherMode, report)
	}
}

func TestARowThatWasMissingIsMade(t *testing.T) {
	w := newWorld(t)
	w.tenant.Own = nil
	report := w.renewal(Options{NewKey: true}).Run(t.Context())
	if report.Exit != ExitOK || !slices.Equal(report.Warnings, []string{"the site had no mnet_host row of its own; it has one now"}) {
		t.Errorf("exit %d, %v, it says %q", report.Exit, report.Err, report.Warnings)
	}
}

func TestMNetThatWasOnStaysOnAfterAFailure(t *testing.T) {
	w := newWorld(t)
	w.tenant.DispatcherMode, w.answer = "dangerous", always(ReasonMNetOff)
	if report := w.renewal(Options{NewKey: true}).Run(t.Context()); report.Exit != ExitNotRenewed || w.tenant.DispatcherMode != "dangerous" {
		t.Errorf("mode %q: %+v", w.tenant.DispatcherMode, report)
	}
}

func TestATenantOfAnArrayThatFailsAfterTheStartOfMNetHasItSwitchedOffAgain(t *testing.T) {
	f := newFleet(t, 3)
	f.sites[1].off(false)
	a := f.array(ArrayOptions{})
	a.Template.NewKey = true
	f.on = func(e string) {
		if e == "start "+f.sites[1].tenant.Wwwroot {
			f.sites[1].own = &Failure{Reason: ReasonMNetOff}
		}
	}
	a.Run(t.Context())
	if r := f.reports[f.sites[1].tenant.Wwwroot]; r.Exit != ExitNotRenewed || f.sites[1].tenant.MNetOn() {
		t.Errorf("%+v", r)
	}
	if r := f.reports[f.sites[0].tenant.Wwwroot]; r.Outcome != Renewed || !f.sites[0].tenant.MNetOn() {
		t.Errorf("%+v", r)
	}
}
