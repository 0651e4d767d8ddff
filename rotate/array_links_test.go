package rotate

import (
	"cmp"
	"context"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"renew_mnetkeys/envelope"
)

// class is the class of an outcome: proven, pending or refused.
func class(p PeerReport) string {
	if p.Outcome.Proven() {
		return "proven"
	}
	return string(p.Outcome)
}

// linkTo is what a report says of one peer.
func linkTo(r TenantReport, wwwroot string) PeerReport {
	at := slices.IndexFunc(r.Peers, func(p PeerReport) bool { return p.Wwwroot == wwwroot })
	if at < 0 {
		return PeerReport{}
	}
	return r.Peers[at]
}

// verify is the result of verify for this site alone, as with --host: with calls in both
// directions.
func (s *fleetSite) verify(t *testing.T) TenantReport {
	t.Helper()
	r := s.f.array(ArrayOptions{}, 0).Template
	r.Store, r.Starter, r.Cache = wholeStore{s, s}, s, s
	r.Counterpart = func(ctx context.Context, p Peer) (*Counterpart, error) {
		other, err := wholeStore{s.f.byURL[p.Wwwroot], s.f.byURL[p.Wwwroot]}.Read(ctx)
		if err != nil {
			return nil, err
		}
		return CounterpartOf(other, s.tenant.Wwwroot), nil
	}
	return r.Verify(t.Context())
}

// halfRenewed is the state after VMoodle's PHP script: a new pair in the settings, the old
// certificate in the local host row, the old pair in the cache.
func (s *fleetSite) halfRenewed() {
	s.tenant.Pair = storedPair(testPair(s.f.t, s.tenant.Wwwroot, clock.AddDate(0, 0, -1)))
}

// brokenLinks are the ways in which the link from a tenant to the master, which is not selected by
// default, can be broken.
var brokenLinks = []struct {
	name    string
	spoil   func(tenant, master *fleetSite)
	looked  string // what surveys say of the link
	mended  string // what a run says of it
	repairs bool   // the run repairs the tenant's row of the master
}{
	{"nothing is wrong", func(_, _ *fleetSite) {}, "accepted database", "accepted database", false},
	{"the tenant's row has a forgotten certificate of the master", func(s, m *fleetSite) {
		s.rows[m.tenant.Wwwroot].certificate = testPair(s.f.t, m.tenant.Wwwroot, clock.AddDate(-1, 0, 0)).Certificate.PEM
	}, "refused fault_7025", "accepted database", true},
	{"the tenant's row of the master is empty", func(s, m *fleetSite) { s.rows[m.tenant.Wwwroot].certificate = "" }, "refused bad_certificate", "accepted database", true},
	{"and it cannot be read there", func(s, m *fleetSite) { s.rows[m.tenant.Wwwroot].certificate = "garbage" }, "refused bad_certificate", "accepted database", true},
	{"the tenant's row of the master is empty, and the master's row of the tenant has another certificate", func(s, m *fleetSite) {
		s.rows[m.tenant.Wwwroot].certificate = ""
		m.rows[s.tenant.Wwwroot].certificate = testPair(s.f.t, s.tenant.Wwwroot, clock.AddDate(-1, 0, 0)).Certificate.PEM
	}, "refused bad_certificate", "accepted database", true},
	{"the tenant's row has a certificate of the master of a later date", func(s, m *fleetSite) {
		s.rows[m.tenant.Wwwroot].certificate = testPair(s.f.t, m.tenant.Wwwroot, clock).Certificate.PEM
	}, "refused fault_7025", "accepted database", true},
	{"MNet is off at the master", func(_, m *fleetSite) { m.tenant.DispatcherMode = "off" }, "refused mnet_off", "refused mnet_off", false},
	{"MNet is off in the master's database only", func(_, m *fleetSite) { m.tenant.DispatcherMode, m.stillOn = "off", true }, "refused mnet_off", "refused mnet_off", false},
	{"the master's own row says that its key has expired", func(_, m *fleetSite) { m.tenant.Own.Expires = clock.Unix() - 1 }, "pending bad_certificate", "pending bad_certificate", false},
	{"the master's web server is down", func(_, m *fleetSite) { m.webDown = &Failure{Reason: "connect", Detail: "refused", Pending: true} }, "pending connect", "pending connect", false},
	{"something else answers for the master", func(_, m *fleetSite) { m.webDown = &Failure{Reason: "http_403", Detail: "forbidden"} }, "refused http_403", "refused http_403", false},
	{"the master was half renewed by the PHP script", func(_, m *fleetSite) { m.halfRenewed() }, "refused bad_signature", "refused bad_signature", false},
	{"the master's web server keeps its old pair", func(_, m *fleetSite) {
		old := m.tenant.Pair
		m.halfRenewed()
		m.tenant.Own.Certificate, m.cached, m.sticky = m.tenant.Pair.Certificate, &old, true
	}, "refused fault_7023", "refused fault_7023", false},
	{"the master has no key", func(_, m *fleetSite) { m.tenant.Pair = Stored{} }, "refused bad_signature", "refused bad_signature", false},
	{"the master has no row of the tenant", func(s, m *fleetSite) { delete(m.rows, s.tenant.Wwwroot) }, "refused unknown_to_peer", "refused unknown_to_peer", false},
	{"the master's row of the tenant has another certificate", func(s, m *fleetSite) {
		m.rows[s.tenant.Wwwroot].certificate = testPair(s.f.t, s.tenant.Wwwroot, clock.AddDate(-1, 0, 0)).Certificate.PEM
	}, "refused cannot_open", "accepted database", false},
}

// A link is proven if both rows have what both web servers use, and only then. All commands judge
// it the same, except for the reason.
func TestEveryCommandJudgesALinkOfAnArrayByTheSameRule(t *testing.T) {
	for _, c := range brokenLinks {
		foretold := strings.Replace(c.mended, "accepted database", "skipped ", 1)
		for name, run := range map[string]struct {
			do   func(*Array) int
			o    ArrayOptions
			want string
		}{
			"dry run of renew": {do: func(a *Array) int { return a.Plan(t.Context()) }, want: foretold},
			"dry run of push":  {do: func(a *Array) int { return a.Plan(t.Context()) }, o: ArrayOptions{PushOnly: true}, want: foretold},
			"verify":           {do: func(a *Array) int { return a.Survey(t.Context(), SurveyVerify) }, want: c.looked},
			"live":             {do: func(a *Array) int { return a.Survey(t.Context(), SurveyLive) }, want: c.looked},
			"renew":            {do: func(a *Array) int { return a.Run(t.Context()) }, want: c.mended},
			"push":             {do: func(a *Array) int { return a.Run(t.Context()) }, o: ArrayOptions{PushOnly: true}, want: c.mended},
		} {
			t.Run(name+": "+c.name, func(t *testing.T) {
				f := newFleet(t, 3)
				master, s := f.sites[0], f.sites[1]
				c.spoil(s, master)
				was := s.rows[master.tenant.Wwwroot].certificate
				var alone PeerReport
				if name == "verify" {
					if alone = linkTo(s.verify(t), master.tenant.Wwwroot); class(alone) != strings.Replace(strings.Fields(c.looked)[0], "accepted", "proven", 1) {
						t.Errorf("verify of the tenant alone says %+v", alone)
					}
				}
				f.events = nil
				code := run.do(f.array(run.o, 1, 2))
				for _, r := range f.reports {
					if r.Err != nil {
						t.Errorf("%+v", r)
					}
				}
				p := linkTo(f.reports[s.tenant.Wwwroot], master.tenant.Wwwroot)
				if got := string(p.Outcome) + " " + string(p.Reason); got != run.want {
					t.Errorf("%s, want %s: %s", got, run.want, p.Detail)
				}
				unproven := slices.Contains([]string{"refused mnet_off", "pending bad_certificate", "refused bad_certificate", "refused bad_signature"}, c.looked)
				if name == "verify" && (unproven || strings.Contains(p.Detail, "stored key")) && (alone.Reason != p.Reason || alone.Detail != p.Detail || alone.Next != p.Next) {
					t.Errorf("the tenant alone: %+v; the array: %+v", alone, p)
				}
				if (code == ExitOK) != (run.want == "accepted database" || run.want == "skipped ") {
					t.Errorf("exit %d", code)
				}
				row := s.rows[master.tenant.Wwwroot].certificate
				if repairs := c.repairs && (name == "renew" || name == "push"); repairs != (row != was) || repairs && row != master.web().Certificate {
					t.Errorf("the tenant's row of the master was changed: %v", row != was)
				}
				if n := f.count("prove " + master.tenant.Wwwroot); n > 2 {
					t.Errorf("the master was called %d times", n)
				}
				if name != "renew" && name != "push" && f.wrote() {
					t.Errorf("something was written: %q", f.events)
				}
			})
		}
	}
}

// Whether the other site is selected too makes no difference: it only proves its key more often.
func TestASelectedTenantIsJudgedAsAMemberThatIsNot(t *testing.T) {
	for _, c := range brokenLinks {
		for _, what := range []Survey{SurveyVerify, SurveyLive} {
			f := newFleet(t, 3)
			master, s := f.sites[0], f.sites[1]
			c.spoil(s, master)
			f.array(ArrayOptions{}, 0, 1, 2).Survey(t.Context(), what)
			p := linkTo(f.reports[s.tenant.Wwwroot], master.tenant.Wwwroot)
			if got := string(p.Outcome) + " " + string(p.Reason); got != c.looked {
				t.Errorf("%s, survey %d: %s, want %s: %s", c.name, what, got, c.looked, p.Detail)
			}
			if master.webDown != nil && !strings.Contains(p.Detail, master.webDown.Detail) {
				t.Errorf("%s: the detail does not say what the web server answered: %q", c.name, p.Detail)
			}
		}
	}
}

// A run purges the cache first, so its dry run does not foretell that the links fail. Nothing is known
// to help a web server that is down.
func TestADryRunForetellsTheLinksToASelectedTenant(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*fleetSite)
		push  bool
		want  string
	}{
		"its cache has an old key": {func(s *fleetSite) {
			old := s.tenant.Pair
			s.halfRenewed()
			s.tenant.Own.Certificate, s.cached = s.tenant.Pair.Certificate, &old
		}, true, "skipped "},
		"its database cannot be written": {func(s *fleetSite) { s.rightsErr = errNotAllowed }, false, "pending database"},
		"and nothing would be written":   {func(s *fleetSite) { s.rightsErr = errNotAllowed }, true, "skipped "},
		"its web server is down":         {func(s *fleetSite) { s.webDown = &Failure{Reason: "connect", Detail: "refused", Pending: true} }, true, "pending connect"},
		"its OpenSSL cannot do RC4":      {func(s *fleetSite) { s.own = &Failure{Reason: "fault_7023"} }, true, "refused no_rc4"},
	} {
		f := newFleet(t, 3)
		c.spoil(f.sites[2])
		f.array(ArrayOptions{PushOnly: c.push}, 0, 1, 2).Plan(t.Context())
		p := linkTo(f.reports[f.sites[0].tenant.Wwwroot], f.sites[2].tenant.Wwwroot)
		if got := string(p.Outcome) + " " + string(p.Reason); got != c.want {
			t.Errorf("%s: %s, want %s: %s", name, got, c.want, p.Detail)
		}
	}
}

// The same is true between two selected tenants, and the failure of each is the failure of the
// other's link.
func TestLinksToATenantThatFailsAreNotProven(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*fleetSite)
		links string // of the other tenants to it
	}{
		{"its web server goes on with the old key, which is put back", func(s *fleetSite) { s.sticky = true }, "accepted database"},
		{"another run has its lock", func(s *fleetSite) { s.lockErr = ErrLocked }, "accepted database"},
		{"another run has its lock, and has stored a key", func(s *fleetSite) {
			old := s.tenant.Pair
			s.halfRenewed()
			s.tenant.Own.Certificate, s.cached, s.sticky, s.lockErr = s.tenant.Pair.Certificate, &old, true, ErrLocked
		}, "pending fault_7023"},
		{"its web server is down", func(s *fleetSite) { s.webDown = &Failure{Reason: "http_503", Pending: true} }, "pending http_503"},
		{"MNet is off", func(s *fleetSite) { s.tenant.DispatcherMode = "off" }, "refused mnet_off"},
		{"it cannot do RC4", func(s *fleetSite) { s.own = &Failure{Reason: "fault_7023"} }, "refused no_rc4"},
		{"its key has expired, and is only pushed", func(s *fleetSite) { s.tenant.Own.Expires = clock.Unix() }, "pending bad_certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFleet(t, 3)
			broken := f.sites[2]
			c.spoil(broken)
			a := f.array(ArrayOptions{PushOnly: strings.Contains(c.name, "pushed")})
			a.Run(t.Context())
			for _, s := range f.sites[:2] {
				p := linkTo(f.reports[s.tenant.Wwwroot], broken.tenant.Wwwroot)
				if got := string(p.Outcome) + " " + string(p.Reason); got != c.links {
					t.Errorf("%s, want %s: %s", got, c.links, p.Detail)
				}
			}
			for _, e := range f.events {
				if strings.Contains(c.name, "expired") && e == "prove "+broken.tenant.Wwwroot {
					t.Error("an expired site was called, which makes it renew by itself")
				}
			}
		})
	}
}

// A working link is not broken: a certificate that a member's web server was not proven to use is
// stored in no row.
func TestARowIsOnlyRepairedWithWhatAWebServerUses(t *testing.T) {
	f := newFleet(t, 3)
	master, s := f.sites[0], f.sites[1]
	old := master.tenant.Pair
	master.halfRenewed()
	master.tenant.Own.Certificate, master.cached, master.sticky = master.tenant.Pair.Certificate, &old, true
	f.array(ArrayOptions{}, 1, 2).Run(t.Context())
	if s.rows[master.tenant.Wwwroot].certificate != old.Certificate {
		t.Error("the row has a certificate that the web server does not use")
	}
}

// Another run, which has the lock, renews a member while its rows are repaired.
func TestARepairDoesNotUndoWhatAnotherRunHasTold(t *testing.T) {
	for _, c := range []struct {
		name   string
		event  string // of the tenant, at which the member is renewed
		pushed bool   // the member's new key was pushed to this tenant
		link   string
	}{
		{"renewed and pushed before the row is read", "hold", true, "accepted database"},
		{"renewed before the row is written", "look", false, "accepted database"},
		{"renewed and pushed before the row is written", "peer", true, "refused fault_7025"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFleet(t, 2)
			master, s := f.sites[0], f.sites[1]
			s.rows[master.tenant.Wwwroot].certificate = ""
			done := false
			f.on = func(e string) {
				if e != c.event+" "+s.tenant.Wwwroot || done {
					return
				}
				done = true
				pair := testPair(t, master.tenant.Wwwroot, clock)
				master.tenant.Pair, master.cached = storedPair(pair), nil
				master.tenant.Own.Certificate = pair.Certificate.PEM
				if c.pushed {
					s.rows[master.tenant.Wwwroot].certificate = pair.Certificate.PEM
				}
			}
			f.array(ArrayOptions{}, 1).Run(t.Context())
			p := linkTo(f.reports[s.tenant.Wwwroot], master.tenant.Wwwroot)
			if got := string(p.Outcome) + " " + string(p.Reason); got != c.link || !done {
				t.Errorf("%s, want %s: %s", got, c.link, p.Detail)
			}
			if s.rows[master.tenant.Wwwroot].certificate != master.tenant.Pair.Certificate {
				t.Error("the row has what the member used before")
			}
		})
	}
}

func TestARowThatCannotBeRepairedIsNoProvenLink(t *testing.T) {
	for _, call := range []string{"load", "peer"} {
		f := newFleet(t, 3)
		master, s := f.sites[0], f.sites[1]
		s.rows[master.tenant.Wwwroot].certificate = ""
		failed := false
		s.fails = func(c string) error {
			if c == call && !failed {
				failed = true
				return errDown
			}
			return nil
		}
		if code := f.array(ArrayOptions{}, 1, 2).Run(t.Context()); code != ExitPeers {
			t.Errorf("%s: exit %d", call, code)
		}
		if p := linkTo(f.reports[s.tenant.Wwwroot], master.tenant.Wwwroot); p.Outcome != Refused || p.Reason != "not_stored" {
			t.Errorf("%s: %+v", call, p)
		}
	}
}

// One tenant of many: every member is asked once, and none is called by another.
func TestTheMembersThatAreNotSelectedAreAskedOnce(t *testing.T) {
	f := newFleet(t, 9)
	if code := f.array(ArrayOptions{}, 4).Run(t.Context()); code != ExitOK {
		t.Errorf("exit %d", code)
	}
	for i, s := range f.sites {
		if n := f.count("prove " + s.tenant.Wwwroot); i != 4 && n != 1 {
			t.Errorf("%s was called %d times", s.tenant.Wwwroot, n)
		}
	}
	if f.maxOpen > 3 {
		t.Errorf("%d sessions at once", f.maxOpen)
	}
}

// Links on which a signal ended the work are pending, and a push finds them.
func TestLinksThatASignalHasLeftAreInterrupted(t *testing.T) {
	for _, event := range []string{"store", "prove https://t00.example", "hold"} {
		f := newFleet(t, 3)
		ctx, cancel := context.WithCancelCause(t.Context())
		f.on = func(e string) {
			if strings.HasPrefix(e, event) {
				cancel(errors.New("a signal"))
				f.sites[0].webDown = &Failure{Reason: "timeout", Pending: true}
			}
		}
		a := f.array(ArrayOptions{}, 1)
		a.Parallel = 1
		if code := a.Run(ctx); code != ExitPeers {
			t.Errorf("exit %d", code)
		}
		r := f.reports[f.sites[1].tenant.Wwwroot]
		if got := links(r); !strings.Contains(got, "pending interrupted") || strings.Contains(got, "timeout") || strings.Contains(got, "connect") || r.Outcome != Renewed {
			t.Errorf("%s: %s: %+v", event, got, r)
		}
		f.on, f.sites[0].webDown = nil, nil
		if code := f.array(ArrayOptions{PushOnly: true}, 1).Run(t.Context()); code != ExitOK {
			t.Errorf("%s: exit %d of the push afterwards", event, code)
		}
		f.proven(f.sites...)
	}
}

// Whoever writes the register must not get a command of his own pasted.
func TestTheCommandForAMemberIsOneForTheShell(t *testing.T) {
	const wwwroot = "https://m.example/$(id);x' && id"
	command, _ := strings.CutPrefix(nextOfMember(wwwroot), "the key of that site must be proven first. To see what is wrong there, run: renew_mnetkeys ")
	said, err := exec.Command("/bin/sh", "-c", "printf '%s\\0' "+command).Output()
	if want := "doctor\x00--host=" + wwwroot + "\x00"; err != nil || string(said) != want {
		t.Errorf("got %q of %q: %v", said, command, err)
	}
}

// Whoever runs the array administers this peer as well. The commands that
// call the peer say the same.
func TestTheNextStepForAMemberWithoutMNetIsOneOfTheArray(t *testing.T) {
	if f := (&Renewal{}).notToAsk(&Tenant{}); f.Reason != ReasonMNetOff || f.Next != nextMemberOff {
		t.Errorf("%+v", f)
	}
	const wwwroot = "https://t01.example"
	advised := func(findings []Finding) {
		t.Helper()
		at := slices.IndexFunc(findings, func(f Finding) bool { return f.Code == "peer_mnet_off" && f.Subject == wwwroot })
		if at < 0 || findings[at].Next != nextMemberOff {
			t.Errorf("%+v", findings)
		}
	}
	f := newFleet(t, 2)
	if f.sites[1].tenant.Wwwroot != wwwroot {
		t.Fatal(f.sites[1].tenant.Wwwroot)
	}
	f.sites[1].tenant.DispatcherMode = "off"
	f.array(ArrayOptions{}, 0).Survey(t.Context(), SurveyDoctor)
	advised(f.reports[f.sites[0].tenant.Wwwroot].Findings)

	w := newWorld(t)
	w.addPeer(wwwroot, fakePeer{refuses: ReasonMNetOff})
	r := w.renewal(Options{})
	r.Counterpart = func(context.Context, Peer) (*Counterpart, error) { return &Counterpart{Site: &Tenant{}}, nil }
	advised(r.Diagnose(t.Context()).Findings)
	for name, run := range map[string]func(*Renewal, context.Context) TenantReport{"push": (*Renewal).Distribute, "verify": (*Renewal).Verify, "renew": (*Renewal).Run} {
		r := w.renewal(Options{})
		r.Counterpart = func(context.Context, Peer) (*Counterpart, error) { return &Counterpart{Site: &Tenant{}}, nil }
		if got := run(r, t.Context()).Peers; len(got) != 1 || got[0].Reason != ReasonMNetOff || got[0].Next != nextMemberOff {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestAMembersKeyThatMustBeRenewedIsRenewedThere(t *testing.T) {
	w := newWorld(t)
	broken := w.tenant
	broken.Pair = *w.otherPair()
	if f := w.renewal(Options{}).notToAsk(&broken); f == nil || f.Next != "to make a new key for that site, run: renew_mnetkeys --host="+ownURL {
		t.Errorf("%+v", f)
	}
}

// The web server answers on, as with a setting that is still cached.
func TestTheDoctorOfAnArrayProvesNoLinkToASiteThatTheArrayDoesNotProve(t *testing.T) {
	for want, spoil := range map[Reason]func(*fleetSite){
		ReasonMNetOff:        func(s *fleetSite) { s.tenant.DispatcherMode, s.stillOn = "off", true },
		ReasonBadCertificate: func(s *fleetSite) { s.tenant.Own.Expires = clock.Unix() - 1 },
		ReasonFault7023: func(s *fleetSite) {
			old := s.tenant.Pair
			s.halfRenewed()
			s.tenant.Own.Certificate, s.cached, s.sticky = s.tenant.Pair.Certificate, &old, true
		},
	} {
		f := newFleet(t, 3)
		spoil(f.sites[1])
		wwwroot := f.sites[1].tenant.Wwwroot
		f.array(ArrayOptions{}, 0, 1, 2).Survey(t.Context(), SurveyVerify)
		verified := linkTo(f.reports[f.sites[0].tenant.Wwwroot], wwwroot)
		f.array(ArrayOptions{}, 0, 1, 2).Survey(t.Context(), SurveyDoctor)
		for _, at := range []int{0, 2} {
			report := f.reports[f.sites[at].tenant.Wwwroot]
			p := linkTo(report, wwwroot)
			if p.Reason != want || p.Outcome != verified.Outcome || p.Detail != verified.Detail || p.Next != verified.Next || report.Exit != ExitPeers {
				t.Errorf("exit %d: %+v; verify: %+v", report.Exit, p, verified)
			}
			if !slices.ContainsFunc(report.Findings, func(f Finding) bool { return f.Code == "peer_"+string(want) && f.Subject == wwwroot }) {
				t.Errorf("%s is no finding: %+v", want, report.Findings)
			}
		}
	}
}

// A move that was finished long ago is not what a deleted row comes from.
func TestADeletedRowIsNotExplainedByAMove(t *testing.T) {
	const member, tenant = "https://m.example", "https://s.example"
	for name, c := range map[string]struct {
		theirs, ours StoreResult
		was, had     string
		says         string
	}{
		"the member's":                         {RowDeleted, KeyPresent, "", tenant, "Otherwise add this site again"},
		"the tenant's":                         {KeyPresent, NoRow, "", tenant, "Otherwise add the peer again"},
		"the member may have moved":            {NoRow, KeyPresent, "", tenant, "move --from=http://old.example"},
		"the member's, of a tenant that moved": {RowDeleted, KeyPresent, "", "http://old.example", "If it has none, and the link is still needed, add this site again"},
		"the member's, in a move":              {RowDeleted, KeyPresent, "http://old.example", "http://old.example", "set deleted = 0 in this row alone"},
	} {
		m := &linkResults{member: map[string]int{member: 0, tenant: 1}, key: map[string]int{tenant: 0, member: 1},
			keys:  []HostKey{{Wwwroot: tenant, Was: c.was, Had: []*envelope.Certificate{testPair(t, c.had, clock).Certificate}}},
			sides: make([]side, 2), results: [][]StoreResult{{c.theirs}, {NotAsked, c.ours}}}
		p := m.report(t.Context(), Peer{Wwwroot: member}, tenant)
		r := TenantReport{movedFrom: "http://old.example"}
		if next := cmp.Or(p.Next, r.NextStep(p, false)); p.Reason != ReasonUnknownToPeer || !strings.Contains(next, c.says) {
			t.Errorf("%s: %s %s: %s", name, p.Reason, p.Detail, next)
		}
	}
}

// What a row shows is no answer: the report counts no attempt then. What the member's web server
// showed is one.
func TestALinkThatIsJudgedByRowsAloneCountsNoAttempt(t *testing.T) {
	for name, c := range map[string]struct {
		spoil    func(f *fleet)
		attempts int
	}{
		"the row":        {func(f *fleet) { f.sites[1].rows[f.sites[0].tenant.Wwwroot].deleted = true }, 0},
		"MNet is off":    {func(f *fleet) { f.sites[1].tenant.DispatcherMode = "off" }, 0},
		"the web server": {func(f *fleet) { f.sites[1].own = &Failure{Reason: ReasonFault7025} }, 1},
	} {
		f := newFleet(t, 2)
		c.spoil(f)
		f.array(ArrayOptions{}, 0).Survey(t.Context(), SurveyVerify)
		if p := linkTo(f.reports[f.sites[0].tenant.Wwwroot], f.sites[1].tenant.Wwwroot); p.Outcome != Refused || p.Attempts != c.attempts {
			t.Errorf("%s: %+v", name, p)
		}
	}
}
