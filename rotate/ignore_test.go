package rotate

import (
	"testing"
	"time"
)

// withRetired gives the tenant n retired pairs, all readable.
func (w *world) withRetired(n int) {
	for i := range n {
		w.tenant.History = append(w.tenant.History, Retired{Stored: storedPair(testPair(w.t, ownURL, clock.AddDate(0, 0, -30-i)))})
	}
}

// A peer that is known to be gone is tried like any other. If it is not proven, it does not count:
// not for the exit code, and not for the key history.
func TestAPeerThatIsIgnored(t *testing.T) {
	const gone = "https://gone.example/moodle"
	commands := map[string]func(*Renewal) TenantReport{
		"renew":         func(r *Renewal) TenantReport { return r.Run(t.Context()) },
		"push":          func(r *Renewal) TenantReport { return r.Distribute(t.Context()) },
		"verify":        func(r *Renewal) TenantReport { return r.Verify(t.Context()) },
		"status --live": func(r *Renewal) TenantReport { return r.Status(t.Context(), true) },
		"dry run":       func(r *Renewal) TenantReport { return r.Plan(t.Context()) },
		"doctor":        func(r *Renewal) TenantReport { return r.Diagnose(t.Context()) },
	}
	for _, c := range []struct {
		name    string
		globs   []string
		peer    fakePeer
		other   fakePeer
		outcome PeerOutcome
		reason  Reason
		exit    int
		history int // after a renewal, of 5 before
		dry     PeerOutcome
		dryExit int
	}{
		{"one that is down is ignored", []string{"https://gone.*"}, fakePeer{dead: true, refuses: "connect"}, fakePeer{},
			Ignored, "connect", ExitOK, 3, Ignored, ExitOK},
		{"one that answers otherwise is ignored", []string{"no match", gone}, fakePeer{refuses: "fault_6999"}, fakePeer{},
			Ignored, "fault_6999", ExitOK, 3, Skipped, ExitOK},
		{"one that is back is proven", []string{"*gone*"}, fakePeer{}, fakePeer{}, Accepted, "", ExitOK, 3, Skipped, ExitOK},
		{"a part of the wwwroot is no match", []string{"gone.example"}, fakePeer{dead: true, refuses: "connect"}, fakePeer{},
			Refused, "connect", ExitPeers, 6, Pending, ExitPeers},
		{"another peer still counts", []string{"https://gone.*"}, fakePeer{dead: true, refuses: "connect"}, fakePeer{dead: true, refuses: "connect"},
			Ignored, "connect", ExitPeers, 6, Ignored, ExitPeers},
	} {
		for command, run := range commands {
			t.Run(command+": "+c.name, func(t *testing.T) {
				w := newWorld(t)
				w.addPeer(gone, c.peer)
				w.addPeer("https://other.example", c.other)
				w.withRetired(5)
				report := run(w.renewal(Options{IgnorePeers: c.globs}))
				got, outcome, exit := report.Peers[0], c.outcome, c.exit
				if command == "dry run" {
					outcome, exit = c.dry, c.dryExit
				}
				if outcome == Refused && c.peer.dead && (command == "renew" || command == "push") {
					outcome = Pending
				}
				if got.Outcome != outcome || report.Exit != exit && command != "doctor" {
					t.Errorf("%+v, exit %d; want %s, %d", got, report.Exit, outcome, exit)
				}
				if outcome == Ignored && (got.Reason == "" || got.Next != "") || command != "dry run" && got.Reason != c.reason {
					t.Errorf("reason %q, next step %q", got.Reason, got.Next)
				}
				if command == "renew" && len(w.tenant.History) != c.history {
					t.Errorf("the history has %d pairs, want %d", len(w.tenant.History), c.history)
				}
				for _, f := range report.Findings {
					if f.Subject == gone && f.Severity != SeverityInfo && outcome == Ignored {
						t.Errorf("%+v", f)
					}
				}
			})
		}
	}
}

// An operator who asks for a host to be connected must learn that it was not.
func TestAHostThatIsToBeConnectedIsNotIgnored(t *testing.T) {
	w := newWorld(t)
	w.addPeer(peerA, fakePeer{dead: true})
	w.tenant.Peers = nil
	report := w.renewal(Options{Bind: []Link{{Wwwroot: peerA}}, IgnorePeers: Globs{"*"}}).Run(t.Context())
	if report.Peers[0].Outcome != Pending || report.Exit != ExitPeers {
		t.Errorf("exit %d, %+v", report.Exit, report.Peers)
	}
}

// A local site that is not proven remains a failure if all peers are ignored.
func TestIgnoringAllPeersDoesNotHideTheLocalSite(t *testing.T) {
	w := newWorld(t)
	w.addPeer(peerA, fakePeer{})
	w.withRetired(5)
	report := w.renewal(Options{SelfCheck: SelfCheckOff, IgnorePeers: Globs{"*"}}).Run(t.Context())
	if report.Exit != ExitPeers || len(w.tenant.History) != 6 {
		t.Errorf("exit %d, %d pairs in the history", report.Exit, len(w.tenant.History))
	}
}

// Members of an array are ignored like peers outside of it.
func TestAMemberThatIsIgnored(t *testing.T) {
	runs := map[string]func(*Array) int{
		"renew":   func(a *Array) int { return a.Run(t.Context()) },
		"verify":  func(a *Array) int { return a.Survey(t.Context(), SurveyVerify) },
		"dry run": func(a *Array) int { return a.Plan(t.Context()) },
	}
	for name, run := range runs {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, 4)
			gone, outside := f.sites[3], "https://outside.example"
			gone.down = true
			for _, s := range f.sites[:3] {
				s.rows[outside] = &fleetRow{certificate: s.tenant.Pair.Certificate}
				s.order = append(s.order, outside)
			}
			s := &fleetSite{f: f, rows: map[string]*fleetRow{}, cached: &f.sites[0].tenant.Pair,
				own: &Failure{Reason: "connect", Pending: true}, webDown: &Failure{Reason: "connect", Pending: true}}
			f.byURL[outside] = s
			a := f.array(ArrayOptions{Fresh: time.Hour}, 0, 1, 2)
			if code := run(a); code != ExitPeers {
				t.Errorf("exit code %d without the option", code)
			}
			a = f.array(ArrayOptions{Fresh: time.Hour}, 0, 1, 2)
			a.Template.IgnorePeers = Globs{gone.tenant.Wwwroot, "*outside*"}
			if code := run(a); code != ExitOK {
				t.Errorf("exit code %d", code)
			}
			for _, r := range f.reports {
				for p, reason := range map[string]Reason{gone.tenant.Wwwroot: ReasonDatabase, outside: ReasonConnect} {
					if got := linkTo(r, p); got.Outcome != Ignored || got.Reason != reason {
						t.Errorf("%s: %+v", r.Wwwroot, got)
					}
				}
			}
		})
	}
}
