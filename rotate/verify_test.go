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

// spoiled are the problems on a tenant's own side, and what verify says of each.
var spoiled = []struct {
	name   string
	spoil  func(*world)
	mode   SelfCheckMode
	err    error
	exit   int
	warns  string // of status
	called bool   // the local site is called
}{
	{"it is in order", func(*world) {}, "", nil, ExitOK, "", true},
	{"MNet is off", func(w *world) { w.tenant.DispatcherMode = "off" }, "", ErrMNetOff, ExitNotRenewed, ErrMNetOff.Error(), false},
	{"it has no row of its own", func(w *world) { w.tenant.Own = nil }, "", ErrNoLocalRow, ExitNotRenewed, ErrNoLocalRow.Error(), false},
	{"it is another site's database", func(w *world) { w.tenant.Own.Wwwroot = "https://other.example" }, "", &OtherSiteError{}, ExitUsage, "", false},
	{"it has no readable key", func(w *world) { w.tenant.Pair.PrivateKey = "garbage" }, "", ErrNoKey, ExitNotRenewed, "no readable key is stored", false},
	{"pair and row differ", func(w *world) { w.tenant.Own.Certificate = "" }, "", ErrIncoherent, ExitLocalSite, "a renewal repairs that", false},
	{"its row says that the key is over", func(w *world) { w.tenant.Own.Expires = clock.Unix() }, "", ErrExpired, ExitNotRenewed, "says that the key expired at 2026-03-01 12:00 UTC", false},
	{"its clock is ahead", func(w *world) { w.clockAhead = true }, "", ErrOwnClock, ExitNotRenewed, "", true},
	{"it uses another key", func(w *world) { w.cached = &Stored{Certificate: w.someOther()} }, "", &LocalSiteError{}, ExitLocalSite, "", true},
	{"it does not answer, whatever the mode", func(w *world) { w.unreachable = true }, SelfCheckRequire, nil, ExitPeers, "", true},
	{"it does not answer", func(w *world) { w.unreachable = true }, "", nil, ExitPeers, "", true},
	{"its database cannot be read", func(w *world) { w.readErr = errLost }, "", errLost, ExitNotRenewed, "", false},
}

// sameCause compares by identity, or by type if the error has fields.
func sameCause(err, want error) bool {
	switch want.(type) {
	case nil:
		return err == nil
	case *OtherSiteError:
		var other *OtherSiteError
		return errors.As(err, &other)
	case *LocalSiteError:
		var own *LocalSiteError
		return errors.As(err, &own)
	}
	return errors.Is(err, want)
}

func TestWhatVerifyAndStatusSayOfTheOwnSide(t *testing.T) {
	for _, c := range spoiled {
		for _, what := range []string{"verify", "status", "status live"} {
			t.Run(what+": "+c.name, func(t *testing.T) {
				w := newWorld(t)
				w.addPeer(peerA, fakePeer{})
				c.spoil(w)
				r := w.renewal(Options{SelfCheck: c.mode})
				run := r.Verify
				if what != "verify" {
					run = func(ctx context.Context) TenantReport { return r.Status(ctx, what == "status live") }
				}
				report := run(t.Context())
				err, exit, called := c.err, c.exit, c.called
				if what == "status" {
					called = false
					if !errors.Is(err, errLost) && !sameCause(err, &OtherSiteError{}) {
						err, exit = nil, ExitOK
					}
				}
				if !sameCause(report.Err, err) || report.Exit != exit {
					t.Errorf("exit %d, want %d: %v", report.Exit, exit, report.Err)
				}
				if got := len(w.happened("prove")) > 0; got != called {
					t.Errorf("called: %v", w.events)
				}
				if wrote := w.happened("store", "store-peer", "drop", "push"); wrote != nil || len(w.happened("lock")) != len(w.happened("release")) {
					t.Errorf("it did %v", w.events)
				}
				if what != "verify" && c.warns != "" && (len(report.Warnings) != 1 || !strings.Contains(report.Warnings[0], c.warns)) {
					t.Errorf("warns %q", report.Warnings)
				}
				if what != "status" && err != nil && slices.ContainsFunc(report.Peers, func(p PeerReport) bool { return p.Outcome.Proven() }) {
					t.Errorf("a peer is proven under a key that is not the site's: %+v", report.Peers)
				}
			})
		}
	}
}

// A link is proven in both directions if the other side's database is available.
func TestALinkIsVerifiedFromBothSides(t *testing.T) {
	for _, c := range []struct {
		name    string
		other   func(*world, *fakePeer) (*Counterpart, error)
		outcome PeerOutcome
		reason  Reason
		detail  string
		holds   string // of status
	}{
		{"its database is not at hand", func(*world, *fakePeer) (*Counterpart, error) { return nil, nil }, Accepted, "", "", ""},
		{"its database is down: its own call is not known", func(*world, *fakePeer) (*Counterpart, error) { return nil, errLost }, Pending, ReasonDatabase,
			"its database: connection lost", ""},
		{"it has no key to call with", func(w *world, _ *fakePeer) (*Counterpart, error) {
			return CounterpartOf(&Tenant{Wwwroot: peerA, DispatcherMode: "strict", Own: &Peer{Wwwroot: peerA}, Peers: []Peer{{Wwwroot: ownURL, Certificate: w.tenant.Pair.Certificate}}}, ownURL), nil
		}, Refused, "bad_signature", "no readable key", "current"},
		{"its MNet is off, although its web server still answers", func(w *world, p *fakePeer) (*Counterpart, error) {
			off := p.site(w.tenant.Pair.Certificate)
			off.DispatcherMode = "off"
			return CounterpartOf(off, ownURL), nil
		}, Refused, "mnet_off", "MNet is off at the peer", "current"},
		{"its own row says that its key has expired", func(w *world, p *fakePeer) (*Counterpart, error) {
			expired := p.site(w.tenant.Pair.Certificate)
			expired.Own.Expires = clock.Unix() - 1
			return CounterpartOf(expired, ownURL), nil
		}, Pending, "bad_certificate", "the peer's key has expired", "current"},
		{"its web server does not use the key of its database, and so its call is not believed here", func(w *world, p *fakePeer) (*Counterpart, error) {
			site := p.site("garbage")
			site.Pair = storedPair(testPair(w.t, peerA, clock))
			site.Own.Certificate = site.Pair.Certificate
			return CounterpartOf(site, ownURL), nil
		}, Refused, "cannot_open", "the peer's web server does not use its stored key; sealed with another key", "other"},
		{"its database and its web server use another key than this site has of it", func(w *world, p *fakePeer) (*Counterpart, error) {
			p.own = testPair(w.t, peerA, clock)
			return CounterpartOf(p.site(w.tenant.Pair.Certificate), ownURL), nil
		}, Refused, "fault_7025", "this site has another certificate of the peer than the peer uses", "current"},
		{"it has the current certificate", func(w *world, p *fakePeer) (*Counterpart, error) {
			return CounterpartOf(p.site(w.tenant.Pair.Certificate), ownURL), nil
		}, Accepted, "", "both ways", "current"},
		{"it has a retired one", func(w *world, p *fakePeer) (*Counterpart, error) {
			return CounterpartOf(p.site(w.tenant.History[0].Certificate), ownURL), nil
		}, Refused, "fault_7023", "its call to this site fails", "archived"},
		{"it has another site's", func(w *world, p *fakePeer) (*Counterpart, error) {
			return CounterpartOf(p.site(w.someOther()), ownURL), nil
		}, Refused, "fault_7023", "its call to this site fails", "other"},
		{"it has garbage", func(_ *world, p *fakePeer) (*Counterpart, error) {
			return CounterpartOf(p.site("garbage"), ownURL), nil
		},
			Refused, "fault_7023", "its call to this site fails", "other"},
		{"it has none", func(_ *world, p *fakePeer) (*Counterpart, error) { return CounterpartOf(p.site(""), ownURL), nil },
			Refused, "fault_7023", "its call to this site fails", "none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			peer := w.addPeer(peerA, fakePeer{})
			retired := testPair(t, ownURL, clock.AddDate(0, 0, -48))
			w.tenant.History = []Retired{{Stored: storedPair(retired)}}
			r := w.renewal(Options{})
			r.Network = callers{w}
			r.Counterpart = func(_ context.Context, p Peer) (*Counterpart, error) {
				if p.Wwwroot != peerA {
					t.Errorf("asked for %s", p.Wwwroot)
				}
				return c.other(w, peer)
			}
			report := r.Verify(t.Context())
			if p := report.Peers[0]; p.Outcome != c.outcome || p.Reason != c.reason || !strings.Contains(p.Detail, c.detail) || c.detail == "" && p.Detail != "" {
				t.Errorf("%+v", p)
			}
			if called := len(w.happened("prove")) > answersWanted; c.reason == "bad_certificate" && called {
				t.Errorf("it was called, which makes it renew by itself: %q", w.events)
			}
			if proven := report.Exit == ExitOK; proven != c.outcome.Proven() || report.Err != nil {
				t.Errorf("exit %d, %v", report.Exit, report.Err)
			}
			status := r.Status(t.Context(), false).Peers[0]
			if status.Holds != c.holds || status.Outcome != Skipped || status.Certificate == nil {
				t.Errorf("status: %+v", status)
			}
			if down := strings.Contains(status.Detail, errLost.Error()); down != strings.Contains(c.detail, errLost.Error()) {
				t.Errorf("status: %+v", status)
			}
			if live := r.Status(t.Context(), true).Peers[0]; live.Holds != c.holds || live.Outcome != c.outcome || live.Certificate == nil {
				t.Errorf("status, live: %+v", live)
			}
		})
	}
}

// site is the peer as in its own database, with that certificate of the local site.
func (p *fakePeer) site(ours string) *Tenant {
	own := &Peer{Wwwroot: peerA, Certificate: p.own.Certificate.PEM, Expires: p.own.Certificate.NotAfter.Unix()}
	return &Tenant{Wwwroot: peerA, DispatcherMode: "strict", Own: own, Pair: storedPair(p.own), Peers: []Peer{{Wwwroot: "https://else.example", Certificate: "x"}, {Wwwroot: ownURL, Certificate: ours}}}
}

// callers makes calls of peers possible: a call only succeeds if the peer has what the local web
// server uses.
type callers struct{ *world }

func (c callers) Prove(ctx context.Context, own Identity, p Peer, answered *envelope.Certificate, mayKeyswap bool) Proof {
	if p.Wwwroot == own.Wwwroot && p.Wwwroot == peerA { // to itself
		c.mu.Lock()
		defer c.mu.Unlock()
		c.event("ask %s", p.Wwwroot)
		if uses := c.peers[peerA].own; !uses.Certificate.Equal(own.Key.Certificate) {
			return Proof{Failure: &Failure{Reason: ReasonCannotOpen, Detail: "sealed with another key"}}
		}
		return Proof{Certificate: own.Key.Certificate}
	}
	if own.Wwwroot == ownURL || p.Wwwroot != ownURL {
		return c.world.Prove(ctx, own, p, answered, mayKeyswap)
	}
	if own.Wwwroot != peerA || own.Key == nil {
		c.t.Errorf("a call as %s", own.Wwwroot)
	}
	if p.Certificate != c.web().Certificate {
		return Proof{Failure: &Failure{Reason: "fault_7023", Detail: "it cannot open"}}
	}
	return Proof{Attempts: 1}
}

// The peer's own call fails as well, and its administrator can do nothing about that.
func TestALocalSiteThatNobodyCanCallIsNoFaultOfItsPeers(t *testing.T) {
	for check, spoil := range map[SelfCheck]func(*world){
		SelfUnreachable: func(w *world) { w.unreachable = true },
		SelfNoRC4:       func(w *world) { w.rc4less = true },
	} {
		t.Run(string(check), func(t *testing.T) {
			w := newWorld(t)
			peer := w.addPeer(peerA, fakePeer{})
			spoil(w)
			r := w.renewal(Options{})
			r.Network = callers{w}
			r.Counterpart = func(context.Context, Peer) (*Counterpart, error) {
				return CounterpartOf(peer.site(w.someOther()), ownURL), nil
			}
			report := r.Verify(t.Context())
			if p := report.Peers[0]; report.SelfCheck != check || p.Outcome != Pending || p.Reason != ReasonLocalSite {
				t.Errorf("%s: %+v", report.SelfCheck, p)
			}
		})
	}
}

func TestAVerificationThatIsInterruptedLeavesPeersPending(t *testing.T) {
	w := newWorld(t)
	w.addPeer(peerA, fakePeer{})
	w.addPeer(peerB, fakePeer{refuses: "timeout"})
	stop := errors.New("stopped by hand")
	ctx, cancel := context.WithCancelCause(t.Context())
	w.on = func(e string) {
		if e == "prove "+peerB {
			cancel(stop)
		}
	}
	report := w.renewal(Options{}).Verify(ctx)
	if p := report.Peers[1]; p.Outcome != Pending || p.Reason != "interrupted" || !strings.Contains(p.Detail, stop.Error()) {
		t.Errorf("%+v", p)
	}
	if report.Exit != ExitPeers || report.SelfCheck != SelfProven {
		t.Errorf("%+v", report)
	}
}

func TestAKeyEndsWhenTheOwnRowSaysSoIfThatIsEarlier(t *testing.T) {
	w := newWorld(t)
	ends := mustParse(w.tenant.Pair.Certificate).NotAfter
	for _, c := range []struct {
		name string
		row  time.Time
		want time.Time
	}{
		{"the row says the same", ends, ends},
		{"the row ends earlier", ends.Add(-time.Hour), ends.Add(-time.Hour)},
		{"the row ends later", ends.Add(time.Hour), ends},
	} {
		w.tenant.Own.Expires = c.row.Unix()
		report := w.renewal(Options{}).Status(t.Context(), false)
		if end, ok := report.Ends(); !ok || !end.Equal(c.want) {
			t.Errorf("%s: until %s, want %s", c.name, end, c.want)
		}
	}
	w.tenant.Pair = Stored{}
	report := w.renewal(Options{}).Status(t.Context(), false)
	if _, ok := report.Ends(); ok {
		t.Error("a key that is not there ends")
	}
}

// The database of this site was restored from a backup.
func TestAPeerWithANewerCertificateOfThisSiteIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		days  int  // how much later the peer's certificate was made
		knows bool // whether this site has its key
		newer bool
	}{
		"newer, and its key is lost": {1, false, true},
		"newer, before a rollback":   {1, true, false},
		"older, and its key is lost": {-1, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, 3)
			s, member := f.sites[1], f.sites[2]
			made := mustParse(s.tenant.Pair.Certificate).NotBefore
			other := testPair(t, s.tenant.Wwwroot, made.AddDate(0, 0, c.days))
			member.rows[s.tenant.Wwwroot].certificate = other.Certificate.PEM
			if c.knows {
				s.tenant.History = []Retired{{Stored: storedPair(other)}}
			}
			alone := linkTo(s.verify(t), member.tenant.Wwwroot)
			f.array(ArrayOptions{}, 1).Survey(t.Context(), SurveyVerify)
			ofArray := linkTo(f.reports[s.tenant.Wwwroot], member.tenant.Wwwroot)
			f.array(ArrayOptions{}, 1).Survey(t.Context(), SurveyDoctor)
			diagnosed := f.reports[s.tenant.Wwwroot]
			for _, p := range []PeerReport{alone, ofArray, linkTo(diagnosed, member.tenant.Wwwroot)} {
				if p.Outcome != Refused || strings.Contains(p.Detail, newerAtPeer) != c.newer || (p.Next == nextRestored) != c.newer || (p.Next == nextMemberRow) == c.newer {
					t.Errorf("%+v", p)
				}
			}
			at := slices.IndexFunc(diagnosed.Findings, func(f Finding) bool { return f.Code == "peer_fault_710" && f.Subject == member.tenant.Wwwroot })
			if at < 0 || (diagnosed.Findings[at].Next == nextRestored) != c.newer || (diagnosed.Findings[at].Next == nextMemberRow) == c.newer {
				t.Errorf("%+v", diagnosed.Findings)
			}
			if c.newer && slices.ContainsFunc(diagnosed.Findings, func(f Finding) bool { return strings.HasSuffix(f.Next, "renew_mnetkeys push") }) {
				t.Errorf("a push is advised: %+v", diagnosed.Findings)
			}
		})
	}
}

// A diagnosis keeps a next step that is known better.
func TestADiagnosisOfARestoredDatabaseKeepsWhatIsKnownOfAPeer(t *testing.T) {
	for _, next := range []string{NextWwwroot, nextMemberRow, ""} {
		report := &TenantReport{Peers: []PeerReport{
			{Wwwroot: peerA, Outcome: Refused, Reason: ReasonFault710, Next: nextRestored},
			{Wwwroot: peerB, Outcome: Refused, Reason: ReasonFault710, Next: next},
		}}
		d := &diagnosis{Renewal: &Renewal{}, findings: []Finding{{Code: "peer_fault_710", Subject: peerB, Next: next}}}
		d.nextOfLinks(t.Context(), report)
		if got := d.findings[0].Next; got != next && (next != "" || got != nextRestored) {
			t.Errorf("%q became %q", next, got)
		}
	}
}

// The stored key has the name of another site: a push is refused, so no link has it as its next step.
func TestADiagnosisOfAKeyOfAnotherSiteAdvisesNoPush(t *testing.T) {
	c := newClinic(t)
	c.own(testPair(t, "https://other.example", clock.AddDate(0, 0, -2)))
	report := &TenantReport{Peers: []PeerReport{{Wwwroot: peerA, Outcome: Refused, Reason: ReasonCannotOpen, Next: nextMemberRow}}}
	d := &diagnosis{Renewal: c.renewal(Options{}), tenant: &c.tenant, findings: []Finding{{Code: "peer_cannot_open", Subject: peerA, Next: nextMemberRow}}}
	d.nextOfLinks(t.Context(), report)
	if d.findings[0].Next != adviceRenew || report.Peers[0].Next != adviceRenew {
		t.Errorf("%q, %q", d.findings[0].Next, report.Peers[0].Next)
	}
}

// One site has one next step: what gives the members of its array a newer key is right for the peers
// outside, too, of which no row can be read.
func TestAPeerOutsideHasTheNextStepOfARestoredDatabase(t *testing.T) {
	member := PeerReport{Wwwroot: peerA, Outcome: Refused, Reason: ReasonFault710, Next: nextRestored}
	outside := PeerReport{Wwwroot: peerB, Outcome: Refused, Reason: ReasonCannotOpen}
	restored, usual := &TenantReport{Peers: []PeerReport{member, outside}}, &TenantReport{Peers: []PeerReport{outside}}
	if got := restored.NextStep(outside, false); got != nextRestored {
		t.Error(got)
	}
	for _, r := range []*TenantReport{restored, usual} {
		if got := r.NextStep(outside, r == restored); got != ReasonCannotOpen.NextStep(r == restored) {
			t.Errorf("pushed: %v: %s", r == restored, got)
		}
	}
}
