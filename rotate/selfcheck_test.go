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

// Of two web servers, whichever is asked first: a different key is named, and is the exit code, if
// one was seen to use it and no other site answers. No cache is dropped for anything else.
func TestWhatTwoWebServersShowIsDecidedFromBothAnswers(t *testing.T) {
	const first, second = "192.0.2.1", "192.0.2.2"
	other := &Failure{Reason: ReasonBadCertificate, Other: "https://other.example"}
	uses := &Failure{Reason: ReasonFault7025}
	clocks, unknown := &Failure{Reason: ReasonClock}, &Failure{Reason: ReasonUnknownToPeer}
	for name, c := range map[string]struct {
		a, b *Failure
		seen bool
		exit int // of verify
		says string
	}{
		"another key and a wrong clock":       {uses, clocks, true, ExitLocalSite, otherKey},
		"another key and an unknown wwwroot":  {uses, unknown, true, ExitLocalSite, otherKey},
		"another key and the stored one":      {uses, nil, true, ExitLocalSite, otherKey},
		"another key and no answer":           {uses, &Failure{Reason: ReasonConnect, Pending: true}, true, ExitLocalSite, otherKey},
		"another key and another site":        {uses, other, false, ExitUsage, "not proven"},
		"another site and the stored key":     {other, nil, false, ExitUsage, "not proven"},
		"another site and a wrong clock":      {other, clocks, false, ExitUsage, "not proven"},
		"an unknown wwwroot and the key":      {unknown, nil, false, ExitUsage, "does not know this wwwroot"},
		"an unknown wwwroot and a clock":      {unknown, clocks, false, ExitNotRenewed, "clock"},
		"an unknown wwwroot and no answer":    {unknown, &Failure{Reason: ReasonConnect, Pending: true}, false, ExitUsage, "does not know this wwwroot"},
		"a wrong clock and the stored key":    {clocks, nil, false, ExitNotRenewed, "clock"},
		"MNet that is off and no answer":      {&Failure{Reason: ReasonMNetOff}, &Failure{Reason: ReasonConnect, Pending: true}, false, ExitNotRenewed, "no MNet server"},
		"MNet that is off and the stored key": {&Failure{Reason: ReasonMNetOff}, nil, false, ExitNotRenewed, "no MNet server"},
	} {
		for order, nodes := range map[string][]string{"first": {first, second}, "last": {second, first}} {
			for command, run := range map[string]func(*Renewal, context.Context) TenantReport{
				"verify": (*Renewal).Verify, "renew": (*Renewal).Run, "push": (*Renewal).Distribute, "doctor": (*Renewal).Diagnose,
			} {
				w := newWorld(t)
				w.addPeer("https://a.example", fakePeer{})
				w.nodes = nodes
				w.answer = func(node string, _ int) *Failure {
					if node == first {
						return c.a
					}
					return c.b
				}
				r := run(w.renewal(Options{}), t.Context())
				if command == "verify" && r.Exit != c.exit || !c.seen && r.Exit == ExitLocalSite {
					t.Errorf("%s, %s, %s: exit %d: %v", name, order, command, r.Exit, r.Err)
				}
				if dropped := len(w.happened("drop")) > 0; dropped && !c.seen && c.a.Reason != ReasonMNetOff {
					t.Errorf("%s, %s, %s: %v", name, order, command, w.events)
				}
				means, next := r.LocalSite()
				if r.SelfCheck != SelfProven && r.Outcome != Undone && (!strings.Contains(means, c.says) || strings.Contains(next, "push") != c.seen && r.SelfCheck == SelfFailed) {
					t.Errorf("%s, %s, %s: %s; %s", name, order, command, means, next)
				}
			}
		}
	}
}

// Another program overwrites the key during the push, or the database is lost then: one of two web
// servers that uses another key is the worst failure, although the other one has a wrong clock.
func TestAWrongClockDoesNotHideAnotherKeyAfterThePush(t *testing.T) {
	for name, meanwhile := range map[string]func(*world){
		"the key was overwritten":  func(w *world) { w.overwrites(storedPair(testPair(t, ownURL, clock))) },
		"the database is lost too": func(w *world) { w.readErr = errDown },
	} {
		for _, nodes := range [][]string{{"192.0.2.1", "192.0.2.2"}, {"192.0.2.2", "192.0.2.1"}} {
			t.Run(name, func(t *testing.T) {
				w := newWorld(t)
				w.addPeer("https://a.example", fakePeer{})
				w.nodes = nodes
				pushed := false
				w.at("push https://a.example", 1, func() { pushed = true; meanwhile(w) })
				w.answer = func(node string, _ int) *Failure {
					switch {
					case !pushed:
						return nil
					case node == "192.0.2.1":
						return &Failure{Reason: ReasonClock}
					}
					return &Failure{Reason: ReasonFault7025}
				}
				report := w.renewal(Options{}).Run(t.Context())
				if means, _ := report.LocalSite(); report.Exit != ExitLocalSite || report.SelfCheck != SelfFailed || !strings.Contains(means, otherKey) {
					t.Errorf("exit %d, %s, %s: %v", report.Exit, report.SelfCheck, means, report.Err)
				}
			})
		}
	}
}

// The cache of one web server was the cause and the clock of the other is not: after the first is
// cured, only the clock is named.
func TestAfterTheCureOfACacheTheRestIsNamed(t *testing.T) {
	for reason, exit := range map[Reason]int{ReasonClock: ExitNotRenewed, ReasonUnknownToPeer: ExitUsage} {
		for command, run := range map[string]func(*Renewal, context.Context) TenantReport{"renew": (*Renewal).Run, "push": (*Renewal).Distribute} {
			w := newWorld(t)
			w.addPeer("https://a.example", fakePeer{})
			w.nodes = []string{"192.0.2.1", "192.0.2.2"}
			w.answer = func(node string, _ int) *Failure {
				switch {
				case node == "192.0.2.1":
					return &Failure{Reason: reason}
				case len(w.happened("drop")) == 0:
					return &Failure{Reason: ReasonFault7025}
				}
				return nil
			}
			before := w.tenant.Pair
			report := run(w.renewal(Options{}), t.Context())
			if report.Exit != exit || errors.Is(report.Err, ErrNotFollowed) || w.tenant.Pair != before || len(w.happened("push")) > 0 {
				t.Errorf("%s, %s: exit %d: %v", command, reason, report.Exit, report.Err)
			}
		}
	}
}

// A report without web servers has seen no key.
func TestAReportWithoutWebServersNamesNoKey(t *testing.T) {
	r := TenantReport{SelfCheck: SelfFailed}
	if means, _ := r.LocalSite(); strings.Contains(means, otherKey) {
		t.Error(means)
	}
}

// A --node that is the web server of another site has shown no key of this one, however many others
// use the stored one.
func TestAnotherSiteAtANodeIsNotSaidToUseAnotherKey(t *testing.T) {
	w := newWorld(t)
	w.addPeer("https://a.example", fakePeer{})
	w.answer = always(ReasonFault7025)
	r := w.renewal(Options{Nodes: []string{"192.0.2.7"}})
	r.Network = foreignNode{w, "https://other.example"}
	report := r.Verify(t.Context())
	means, next := report.LocalSite()
	if said := means + report.Nodes[0].Means(); strings.Contains(said, otherKey) || next != HintOf(report.Err) {
		t.Errorf("%s; %s", said, next)
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
			if p := report.Peers[0]; lost && (p.Outcome.Proven() || !strings.Contains(p.Detail, errNotSeen.Error())) {
				t.Errorf("%+v", p)
			}
		})
	}
}
