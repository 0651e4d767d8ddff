package rotate

import (
	"context"
	"errors"
	"strings"
	"testing"
)

const otherKey = "different key"

// A web server whose clock is wrong, or that does not know its wwwroot, has not shown a key. So no
// command says that it uses another one.
func TestNoCommandNamesADifferentKeyThatWasNotSeen(t *testing.T) {
	commands := map[string]func(*Renewal, context.Context) TenantReport{
		"renew": (*Renewal).Run, "push": (*Renewal).Distribute, "verify": (*Renewal).Verify, "doctor": (*Renewal).Diagnose, "plan": (*Renewal).Plan,
		"live": func(r *Renewal, ctx context.Context) TenantReport { return r.Status(ctx, true) },
	}
	for reason, seen := range map[Reason]bool{ReasonClock: false, ReasonUnknownToPeer: false, ReasonFault7025: true} {
		for name, run := range commands {
			w := newWorld(t)
			w.renewed(t) // so that there is a key to go back to
			w.addPeer("https://a.example", fakePeer{})
			w.answer = func(string, int) *Failure { return &Failure{Reason: reason} }
			r := run(w.renewal(Options{}), t.Context())
			means, next := r.LocalSite()
			said := means + " " + next + " " + r.Error
			for _, n := range r.Nodes {
				said += " " + n.Means()
			}
			for _, p := range r.Peers {
				said += " " + p.Detail
			}
			if r.SelfCheck != SelfFailed && !(seen && r.Outcome == Undone) || len(r.Nodes) != 1 {
				t.Errorf("%s, %s: %s %+v", name, reason, r.SelfCheck, r.Nodes)
			}
			if strings.Contains(said, otherKey) != seen || !seen && (strings.Contains(said, "does not use") || r.Exit == ExitLocalSite || strings.Contains(next, "push")) {
				t.Errorf("%s, %s: exit %d, %s", name, reason, r.Exit, said)
			}
		}
	}
}

// A web server that failed for the clock does not hide one that was seen to use another key.
func TestADifferentKeyOfOneWebServerIsNamed(t *testing.T) {
	clock, other := NodeReport{SelfCheck: SelfFailed, Reason: ReasonClock}, NodeReport{SelfCheck: SelfFailed, Reason: ReasonFault7025}
	for name, nodes := range map[string][]NodeReport{"first": {other, clock}, "last": {{SelfCheck: SelfProven}, clock, other}} {
		r := TenantReport{SelfCheck: SelfFailed, Nodes: nodes}
		if means, next := r.LocalSite(); !strings.Contains(means, otherKey) || next != SelfFailed.NextStep() {
			t.Errorf("%s: %s, %s", name, means, next)
		}
	}
	r := TenantReport{SelfCheck: SelfFailed}
	if means, _ := r.LocalSite(); strings.Contains(means, otherKey) {
		t.Error(means)
	}
}

// After the push a clock that went wrong meanwhile is no reason to say that the web server went back
// to another key, even if the database cannot be read then.
func TestAClockThatGoesWrongDuringTheRunIsNotTakenForAnotherKey(t *testing.T) {
	for name, lost := range map[string]bool{"the database answers": false, "the database is lost": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.addPeer("https://a.example", fakePeer{})
			pushed := false
			w.on = func(event string) {
				if strings.HasPrefix(event, "push ") {
					if pushed = true; lost {
						w.readErr = errDown
					}
				}
			}
			w.answer = func(string, int) *Failure {
				if pushed {
					return &Failure{Reason: ReasonClock}
				}
				return nil
			}
			report := w.renewal(Options{}).Run(t.Context())
			if report.Exit != ExitPeers || report.Outcome != Renewed || lost != errors.Is(report.Err, errNotSeen) {
				t.Errorf("exit %d, %s, %s: %v", report.Exit, report.Outcome, report.SelfCheck, report.Err)
			}
		})
	}
}
