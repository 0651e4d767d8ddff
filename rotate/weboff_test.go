package rotate

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// The database says that MNet is on, and the web server that it is off: every command gives it one
// name, one code, and a next step.
func TestAWebServerThatSaysThatMNetIsOffIsTheSameForEveryCommand(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(*Renewal, context.Context) TenantReport
		next string
	}{
		"renew":  {(*Renewal).Run, "do not purge any cache yet"},
		"push":   {(*Renewal).Distribute, "do not purge any cache yet"},
		"verify": {(*Renewal).Verify, "renew_mnetkeys push"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.addPeer("https://a.example", fakePeer{})
			w.answer = always(ReasonMNetOff)
			before := w.tenant.Pair
			report := c.do(w.renewal(Options{}), t.Context())
			var off *UnreachableError
			if report.Exit != ExitNotRenewed || report.SelfCheck != SelfUnreachable || !errors.As(report.Err, &off) || !off.Off {
				t.Errorf("%+v", report)
			}
			if !strings.Contains(HintOf(report.Err), c.next) {
				t.Error(HintOf(report.Err))
			}
			if w.tenant.Pair != before || len(w.happened("push", "prove https://a.example")) > 0 {
				t.Error(w.events)
			}
		})
	}
	w := newWorld(t)
	w.answer = always(ReasonMNetOff)
	report := w.renewal(Options{}).Diagnose(t.Context())
	if report.Exit != ExitNotRenewed || report.SelfCheck != SelfUnreachable || report.Findings[0].Code != "own_mnet_off" || !strings.Contains(report.Findings[0].Next, "renew_mnetkeys push") {
		t.Errorf("doctor: %+v", report)
	}
}

// The setting comes from a cache like the key, so that each scope is tried.
func TestAWebServerThatHasMNetOffInItsCacheIsCured(t *testing.T) {
	w := newWorld(t)
	w.addPeer("https://a.example", fakePeer{})
	off := true
	w.answer = func(string, int) *Failure {
		if off {
			return &Failure{Reason: ReasonMNetOff}
		}
		return nil
	}
	w.on = func(e string) {
		if e == "drop 1" {
			off = false
		}
	}
	if report := w.renewal(Options{}).Run(t.Context()); report.Outcome != Renewed || report.Exit != ExitOK {
		t.Errorf("%+v", report)
	}
}

// After the push, too: no web server was seen to go back to another key.
func TestAWebServerThatSaysAfterThePushThatMNetIsOffIsNotSaidToUseAnotherKey(t *testing.T) {
	for name, cured := range map[string]bool{"for good": false, "until its cache is purged": true} {
		w := newWorld(t)
		w.addPeer("https://a.example", fakePeer{})
		pushed, dropped := false, false
		w.on = func(e string) {
			pushed = pushed || e == "push https://a.example"
			dropped = dropped || pushed && e == "drop 0"
		}
		w.answer = func(string, int) *Failure {
			if pushed && !(cured && dropped) {
				return &Failure{Reason: ReasonMNetOff}
			}
			return nil
		}
		report := w.renewal(Options{}).Run(t.Context())
		check, exit := SelfUnreachable, ExitPeers
		if cured {
			check, exit = SelfProven, ExitOK
		}
		if report.SelfCheck != check || report.Exit != exit || report.Outcome != Renewed || report.Err != nil || (len(report.Warnings) > 0) == cured {
			t.Errorf("%s: exit %d, %s, %s: %v, %q", name, report.Exit, report.Outcome, report.SelfCheck, report.Err, report.Warnings)
		}
	}
}
