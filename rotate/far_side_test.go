package rotate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"renew_mnetkeys/envelope"
)

// A renewal was killed before its push. The peer fetches the key because of this run's call.
func TestALinkThatIsHealedByTheCallIsJudgedByWhatThePeerHasAfterwards(t *testing.T) {
	for name, c := range map[string]struct {
		after   func(*Tenant) error // what becomes of the peer's database after the call
		outcome PeerOutcome
		reason  Reason
	}{
		"its row is right":                 {func(*Tenant) error { return nil }, Accepted, ""},
		"its database is down":             {func(*Tenant) error { return errLost }, Pending, ReasonDatabase},
		"its MNet is switched off":         {func(s *Tenant) error { s.DispatcherMode = "off"; return nil }, Refused, ReasonMNetOff},
		"its row was overwritten at once":  {func(s *Tenant) error { s.Peers[1].Certificate = "garbage"; return nil }, Refused, ReasonFault7023},
		"its row has another site's again": {func(s *Tenant) error { s.Peers[1].Certificate = s.Own.Certificate; return nil }, Refused, ReasonFault7023},
	} {
		for command, run := range map[string]func(*Renewal, context.Context) TenantReport{
			"verify": (*Renewal).Verify, "doctor": (*Renewal).Diagnose,
			"status": func(r *Renewal, ctx context.Context) TenantReport { return r.Status(ctx, true) },
		} {
			t.Run(command+": "+name, func(t *testing.T) {
				w := newWorld(t)
				peer := w.addPeer(peerA, fakePeer{})
				retired := storedPair(testPair(t, ownURL, clock.AddDate(0, 0, -48)))
				w.tenant.History = []Retired{{Stored: retired}}
				peer.knows = retired.Certificate
				r := w.renewal(Options{})
				r.Network = callers{w}
				r.Counterpart = func(context.Context, Peer) (*Counterpart, error) {
					w.mu.Lock()
					defer w.mu.Unlock()
					site := peer.site(peer.knows)
					if peer.knows != retired.Certificate {
						if err := c.after(site); err != nil {
							return nil, err
						}
					}
					return CounterpartOf(site, ownURL), nil
				}
				if p := run(r, t.Context()).Peers[0]; p.Outcome != c.outcome || p.Reason != c.reason {
					t.Errorf("%+v", p)
				} else if command == "status" && p.Outcome.Proven() && p.Holds != "current" {
					t.Errorf("after the call that healed it, it %s", p.Has())
				}
				if peer.knows != w.tenant.Pair.Certificate {
					t.Error("the peer was not healed")
				}
			})
		}
	}
}

func TestAPeerThatRenewsItsKeyDuringAPushIsNotBlamed(t *testing.T) {
	for _, shownAt := range []int{2, 3} { // which read of its database shows the new key
		w := newWorld(t)
		peer := w.addPeer(peerA, fakePeer{})
		before := peer.site(w.tenant.Pair.Certificate)
		r := w.renewal(Options{})
		r.Network = callers{w}
		reads := 0
		r.Counterpart = func(context.Context, Peer) (*Counterpart, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if reads++; reads == 1 {
				peer.own = testPair(t, peerA, clock)
			}
			if reads < shownAt {
				return CounterpartOf(before, ownURL), nil
			}
			return CounterpartOf(peer.site(w.tenant.Pair.Certificate), ownURL), nil
		}
		report := r.Distribute(t.Context())
		if p := report.Peers[0]; report.Exit != ExitOK || !p.Outcome.Proven() {
			t.Errorf("read %d: exit %d, %+v", shownAt, report.Exit, p)
		}
		if pushes := w.happened("push"); len(pushes) != 1 || reads != shownAt {
			t.Errorf("read %d: %d reads, %q", shownAt, reads, pushes)
		}
		if w.tenant.Peers[0].Certificate != peer.own.Certificate.PEM {
			t.Error("the new certificate is not stored")
		}
	}
}

// The doctor of an array reads all members once at its start. A big array takes minutes.
func TestAMemberThatRenewsItsKeyDuringTheDoctorOfAnArrayIsNotBlamed(t *testing.T) {
	f := newFleet(t, 3)
	s, member := f.sites[0], f.sites[1]
	reads := 0
	s.fails = func(call string) error {
		if call == "read" {
			reads++
		}
		if call == "read" && reads == 2 { // the first one was for the members' sides
			member.renewed()
		}
		return nil
	}
	f.array(ArrayOptions{}, 0).Survey(t.Context(), SurveyDoctor)
	report := f.reports[s.tenant.Wwwroot]
	if p := linkTo(report, member.tenant.Wwwroot); !p.Outcome.Proven() {
		t.Errorf("%+v", p)
	}
	if slices.ContainsFunc(report.Findings, func(f Finding) bool { return f.Code == "peer_several_caches" }) {
		t.Errorf("%+v", report.Findings)
	}
	if f.maxOpen > 3 || s.rows[member.tenant.Wwwroot].certificate != member.tenant.Pair.Certificate {
		t.Errorf("%d sessions", f.maxOpen)
	}
}

// renewed is the state after a complete renewal by another run, which has the fleet's lock.
func (s *fleetSite) renewed() {
	retired := s.tenant.Pair
	s.tenant.Pair = storedPair(testPair(s.f.t, s.tenant.Wwwroot, clock))
	s.tenant.Own = &Peer{ID: 1, Wwwroot: s.tenant.Wwwroot, Certificate: s.tenant.Pair.Certificate, Expires: mustParse(s.tenant.Pair.Certificate).NotAfter.Unix()}
	s.tenant.History = []Retired{{Stored: retired}}
	s.cached = nil
	s.version++
	for _, other := range s.f.sites {
		if row := other.rows[s.tenant.Wwwroot]; row != nil {
			row.certificate = s.tenant.Pair.Certificate
		}
	}
}

// silentPeer answers sealed calls with nothing, as a Moodle without this site's certificate does.
type silentPeer struct{ *world }

func (s silentPeer) Prove(ctx context.Context, own Identity, p Peer, answered *envelope.Certificate, keyswap bool) Proof {
	if p.Wwwroot == peerA && own.Wwwroot == ownURL {
		return Proof{Failure: &Failure{Reason: ReasonCannotOpen, Next: NextIfNoneStored}}
	}
	return callers(s).Prove(ctx, own, p, answered, keyswap)
}

// What a database shows is surer than what an answer lets one guess.
func TestTheRowOfAMemberDecidesWhatHelpsAgainstAnEmptyAnswer(t *testing.T) {
	w := newWorld(t)
	peer := w.addPeer(peerA, fakePeer{})
	r := w.renewal(Options{})
	r.Network = silentPeer{w}
	r.Counterpart = func(context.Context, Peer) (*Counterpart, error) { return CounterpartOf(peer.site(""), ownURL), nil }
	if p := r.Verify(t.Context()).Peers[0]; p.Reason != ReasonCannotOpen || p.Next != nextMemberRow {
		t.Errorf("%+v", p)
	}
}

// The rows of members are compared once for all tenants of an array. A row that has the current
// certificate needs no push.
func TestAPushToTheArrayIsAdvisedOnlyForARowWithAnotherCertificate(t *testing.T) {
	own, pair := Identity{Wwwroot: ownURL, Key: testPair(t, ownURL, clock)}, testPair(t, peerA, clock)
	site := &Tenant{Wwwroot: peerA, Pair: Stored{Certificate: pair.Certificate.PEM, PrivateKey: pair.PEM}}
	for row, next := range map[StoreResult]string{KeyPresent: NextIfNoneStored, KeyOther: nextMemberRow, KeyNewer: nextRestored, NotAsked: NextIfNoneStored} {
		r := newWorld(t).renewal(Options{SelfCheck: SelfCheckOff})
		report := PeerReport{Outcome: Refused, Reason: ReasonCannotOpen, Next: NextIfNoneStored}
		far := farSide{Counterpart: &Counterpart{Site: site, OneWay: true, Row: row, RowOf: own.Key.Certificate}}
		r.verifyFarSide(t.Context(), own, Peer{Wwwroot: peerA}, far, Proof{}, &report)
		if report.Next != next {
			t.Errorf("row %v: the next step is %q", row, report.Next)
		}
	}
}

// A site of the array whose database cannot be read is judged by that, whatever its web server says.
// If it is not known whether the peer is one, the call decides.
func TestADatabaseThatCannotBeReadDecidesForMembersAlone(t *testing.T) {
	for name, run := range map[string]func(*Renewal, context.Context) TenantReport{
		"push": (*Renewal).Distribute, "verify": (*Renewal).Verify, "renew": (*Renewal).Run, "doctor": (*Renewal).Diagnose} {
		for _, c := range []struct {
			err  error
			fake fakePeer
			want Reason
		}{
			{errDown, fakePeer{refuses: ReasonFault6004}, ReasonDatabase},
			{errDown, fakePeer{dead: true}, ReasonDatabase},
			{errDown, fakePeer{}, ReasonDatabase},
			{fmt.Errorf("%w: %w", ErrNoRegister, errDown), fakePeer{refuses: ReasonFault6004}, ReasonFault6004},
			{fmt.Errorf("%w: %w", ErrNoRegister, errDown), fakePeer{}, ReasonDatabase},
		} {
			w := newWorld(t)
			w.addPeer(peerA, c.fake)
			r := w.renewal(Options{})
			r.Counterpart = func(context.Context, Peer) (*Counterpart, error) { return nil, c.err }
			if p := run(r, t.Context()).Peers[0]; p.Reason != c.want || (p.Outcome == Pending) != (c.want == ReasonDatabase) {
				t.Errorf("%s, %v: %+v", name, c.err, p)
			}
		}
	}
}

// A call does not show why the peer does not know this site.
func TestTheDiagnosisOfAnArrayNamesADeletedRow(t *testing.T) {
	f := newFleet(t, 2)
	own, member := f.sites[0].tenant.Wwwroot, f.sites[1]
	member.rows[own].deleted, member.proveFail = true, ReasonUnknownToPeer
	f.array(ArrayOptions{}, 0).Survey(t.Context(), SurveyDoctor)
	if p := linkTo(f.reports[own], member.tenant.Wwwroot); p.Reason != ReasonUnknownToPeer || p.Next != (HostKey{}).deletedRow().Next {
		t.Errorf("%+v", p)
	}
}

// Which of two rows Moodle finds is chance, whatever one call shows: each survey of an array says so.
func TestEachSurveyOfAnArrayNamesARowBesideADeletedOne(t *testing.T) {
	for _, survey := range []Survey{SurveyVerify, SurveyDoctor} {
		f := newFleet(t, 2)
		a := f.array(ArrayOptions{}, 0)
		a.Members[1].wrap(func(s *Session) { s.PeerRows = twoRowsOfEach{s.PeerRows} })
		a.Survey(t.Context(), survey)
		if p := linkTo(f.reports[f.sites[0].tenant.Wwwroot], f.sites[1].tenant.Wwwroot); p.Outcome != Refused || p.Reason != ReasonTwoRows {
			t.Errorf("%v: %+v", survey, p)
		}
	}
}

// twoRowsOfEach are rows of which each has a deleted one with its wwwroot beside it.
type twoRowsOfEach struct{ PeerRows }

func (twoRowsOfEach) ComparePeerKeys(_ context.Context, keys []HostKey) ([]StoreResult, error) {
	return slices.Repeat([]StoreResult{RowTwice}, len(keys)), nil
}

// A row that the peer's Moodle does not find, as it is spelt otherwise, changes nothing.
func TestOfRowsInTwoSpellingsTheOneThatTheSiteWritesCounts(t *testing.T) {
	for _, first := range []bool{true, false} {
		w := newWorld(t)
		peer := w.addPeer(peerA, fakePeer{})
		r := w.beside(peer, func(site *Tenant) {
			other := Peer{ID: 99, Wwwroot: strings.ToUpper(ownURL), Certificate: peer.own.Certificate.PEM}
			if site.Peers = append(site.Peers, other); first {
				slices.Reverse(site.Peers)
			}
		})
		if p := r.Verify(t.Context()).Peers[0]; !p.Outcome.Proven() {
			t.Errorf("%+v", p)
		}
	}
}

// Two rows of one peer are one link, whatever they have: Moodle finds either of them.
func TestTwoActiveRowsOfAPeerAreOneLinkThatIsNotProven(t *testing.T) {
	old := testPair(t, peerA, clock.AddDate(-1, 0, 0)).Certificate.PEM
	for name, run := range map[string]func(*Renewal, context.Context) TenantReport{
		"renew": (*Renewal).Run, "push": (*Renewal).Distribute, "verify": (*Renewal).Verify, "doctor": (*Renewal).Diagnose, "dry run": (*Renewal).Plan,
		"live":   func(r *Renewal, ctx context.Context) TenantReport { return r.Status(ctx, true) },
		"status": func(r *Renewal, ctx context.Context) TenantReport { return r.Status(ctx, false) }} {
		for at := range 3 { // the row with the old certificate, if any
			w := newWorld(t)
			w.addPeer(peerA, fakePeer{})
			w.addPeer(peerB, fakePeer{})
			second := w.tenant.Peers[0]
			second.ID = 99
			w.tenant.Peers, w.tenant.Hidden = slices.Insert(w.tenant.Peers, 1, second), []string{peerA, peerA}
			if at < 2 {
				w.tenant.Peers[at].Certificate = old
			}
			report := run(w.renewal(Options{}), t.Context())
			p := report.Peers[0]
			if len(report.Peers) != 2 || report.Peers[1].Wwwroot != peerB || name != "status" && (p.Outcome != Refused || p.Reason != ReasonTwoRows || p.Next != twoRowsHere().Next || report.Exit != ExitPeers) ||
				name == "status" && (p.Outcome != Skipped || p.Detail != twoRowsHere().Detail) {
				t.Errorf("%s, %d: exit %d, %+v", name, at, report.Exit, report.Peers)
			}
			if name == "doctor" {
				continue
			}
			for _, row := range w.tenant.Peers[:2] {
				if wrote := name == "renew" || name == "push"; wrote && row.Certificate == old {
					t.Errorf("%s: row %d was left behind", name, row.ID)
				}
			}
		}
	}
}

// The link is in use if users refer to one of its rows.
func TestJoinedRowsAreUsedIfOneOfThemIs(t *testing.T) {
	used, unused := int64(3), int64(0)
	for _, users := range [][2]*int64{{&used, &unused}, {&unused, &used}} {
		for _, reasons := range [][2]Reason{{ReasonTwoRows, ReasonTwoRows}, {ReasonTwoRows, ReasonTimeout}, {ReasonTimeout, ReasonTwoRows}} {
			r := TenantReport{hidden: []string{peerA, "https://A.example"}, Peers: []PeerReport{
				{Wwwroot: "https://A.example", Reason: reasons[0], Use: &LinkUse{Users: users[0]}}, {Wwwroot: peerB}, {Wwwroot: peerA, Reason: reasons[1], Use: &LinkUse{Users: users[1]}}}}
			r.joinRows()
			if len(r.Peers) != 2 || r.Peers[0].Reason != ReasonTwoRows || !r.Peers[0].Use.InUse() || r.Peers[1].Wwwroot != peerB {
				t.Errorf("%+v", r.Peers)
			}
		}
	}
}

// A row that is newer than the database of the site that it names is evidence of a restored backup:
// a push would replace it.
func TestADatabaseThatIsOlderThanARowOfItIsNamed(t *testing.T) {
	newer := testPair(t, peerA, clock.AddDate(0, 0, 1)).Certificate.PEM
	for name, run := range map[string]func(*Renewal, context.Context) TenantReport{"verify": (*Renewal).Verify, "doctor": (*Renewal).Diagnose} {
		w := newWorld(t)
		peer := w.addPeer(peerA, fakePeer{})
		w.tenant.Peers[0].Certificate = newer
		r := w.renewal(Options{})
		r.Network = callers{w}
		r.Counterpart = func(context.Context, Peer) (*Counterpart, error) {
			return CounterpartOf(peer.site(w.tenant.Pair.Certificate), ownURL), nil
		}
		if p := run(r, t.Context()).Peers[0]; p.Next != newerHere().Next {
			t.Errorf("%s: %+v", name, p)
		}
	}
	f := newFleet(t, 2)
	own, member := f.sites[0], f.sites[1].tenant.Wwwroot
	own.rows[member].certificate = testPair(t, member, clock.AddDate(0, 0, 1)).Certificate.PEM
	f.array(ArrayOptions{}, 0).Survey(t.Context(), SurveyVerify)
	if p := linkTo(f.reports[own.tenant.Wwwroot], member); p.Next != newerHere().Next {
		t.Errorf("array: %+v", p)
	}
}

// The diagnosis names the move that explains why a peer does not know this site, as other commands do.
func TestTheDiagnosisNamesTheMove(t *testing.T) {
	w := newWorld(t)
	w.addPeer(peerA, fakePeer{refuses: ReasonUnknownToPeer})
	w.tenant.History = []Retired{{Stored: storedPair(testPair(t, "https://former.example", clock))}}
	p := w.renewal(Options{}).Diagnose(t.Context())
	if p.Peers[0].Next != nextMoved("https://former.example") || !slices.ContainsFunc(p.Findings, func(f Finding) bool { return f.Code == "peer_unknown_to_peer" && f.Next == p.Peers[0].Next }) {
		t.Errorf("%+v, %+v", p.Peers[0], p.Findings)
	}
}

// A deleted row is found by its wwwroot like any other. No call of this site shows which one was.
func TestAMemberWithADeletedRowBesideTheActiveOneProvesNoLink(t *testing.T) {
	for name, run := range map[string]func(*Renewal, context.Context) TenantReport{
		"push": (*Renewal).Distribute, "verify": (*Renewal).Verify, "doctor": (*Renewal).Diagnose, "dry run": (*Renewal).Plan} {
		for hidden, proven := range map[string]bool{ownURL: false, peerA: true} {
			w := newWorld(t)
			peer := w.addPeer(peerA, fakePeer{})
			r := w.beside(peer, func(site *Tenant) {
				site.Hidden = []string{hidden}
			})
			p := run(r, t.Context()).Peers[0]
			if (p.Outcome == Refused) == proven || !proven && p.Reason != ReasonTwoRows {
				t.Errorf("%s, %s: %+v", name, hidden, p)
			}
		}
	}
}

// If the call fails because of such rows, the peer's database says why.
func TestARefusalIsExplainedByTheDeletedRowOfTheMember(t *testing.T) {
	for name, run := range map[string]func(*Renewal, context.Context) TenantReport{"verify": (*Renewal).Verify, "doctor": (*Renewal).Diagnose} {
		for _, c := range []struct {
			refuses Reason
			active  bool
			want    *Failure
		}{
			{ReasonUnknownToPeer, true, twoRows()}, {ReasonFault710, true, twoRows()}, {ReasonCannotOpen, true, twoRows()}, {ReasonFault7023, true, nil},
			{ReasonUnknownToPeer, false, HostKey{}.deletedRow()},
		} {
			w := newWorld(t)
			peer := w.addPeer(peerA, fakePeer{refuses: c.refuses})
			r := w.beside(peer, func(site *Tenant) {
				site.Deleted, site.Hidden = []string{ownURL}, []string{ownURL}
				if !c.active {
					site.Peers = site.Peers[:1]
				}
			})
			p := run(r, t.Context()).Peers[0]
			if c.want == nil && p.Reason != c.refuses || c.want != nil && (p.Reason != c.want.Reason || p.Detail != c.want.Detail || p.Next != c.want.Next) {
				t.Errorf("%s, %s: %+v", name, c.refuses, p)
			}
		}
	}
}

// The peer's own calls may find the deleted row, which no call of this site shows.
func TestADeletedRowOfThePeerInTheLocalTableProvesNoLink(t *testing.T) {
	for name, run := range map[string]func(*Renewal, context.Context) TenantReport{
		"renew": (*Renewal).Run, "push": (*Renewal).Distribute, "verify": (*Renewal).Verify, "doctor": (*Renewal).Diagnose, "dry run": (*Renewal).Plan} {
		for refuses, reason := range map[Reason]Reason{"": ReasonTwoRows, ReasonFault710: ReasonTwoRows, ReasonUnknownToPeer: ReasonUnknownToPeer} {
			if name == "dry run" { // it makes no call
				reason = ReasonTwoRows
			}
			w := newWorld(t)
			w.addPeer(peerA, fakePeer{refuses: refuses})
			w.tenant.Hidden = []string{peerA}
			report := run(w.renewal(Options{}), t.Context())
			if p := report.Peers[0]; p.Outcome != Refused || p.Reason != reason || reason == ReasonTwoRows && p.Next != twoRowsHere().Next || report.Exit != ExitPeers {
				t.Errorf("%s, %q: exit %d, %+v", name, refuses, report.Exit, p)
			}
			if at := slices.IndexFunc(report.Findings, func(f Finding) bool { return f.Code == "peer_fault_710" }); at >= 0 {
				t.Errorf("%s: %+v", name, report.Findings[at])
			}
		}
	}
	for _, survey := range []Survey{SurveyVerify, SurveyDoctor} {
		f := newFleet(t, 3)
		own, member := f.sites[0], f.sites[1].tenant.Wwwroot
		own.tenant.Hidden = []string{member}
		f.array(ArrayOptions{}, 0).Survey(t.Context(), survey)
		if p := linkTo(f.reports[own.tenant.Wwwroot], member); p.Outcome != Refused || p.Reason != ReasonTwoRows {
			t.Errorf("%v: %+v", survey, p)
		}
	}
}

// The peer's name has no slash at its end: its calls find the row without one, if there is one.
func TestARowWithASlashProvesNoLinkUnlessAnotherIsFound(t *testing.T) {
	for name, run := range map[string]func(*Renewal, context.Context) TenantReport{"push": (*Renewal).Distribute, "verify": (*Renewal).Verify, "dry run": (*Renewal).PlanDistribute} {
		for reason, change := range map[Reason]func(*Tenant){
			ReasonUnknownToPeer: func(*Tenant) {},
			ReasonTwoRows:       func(s *Tenant) { s.Deleted = []string{peerA} },
			"":                  func(s *Tenant) { s.Peers = append(s.Peers, s.Peers[0]); s.Peers[1].Wwwroot, s.Peers[1].ID = peerA, 99 },
		} {
			w := newWorld(t)
			w.addPeer(peerA, fakePeer{})
			w.peers[peerA+"/"], w.tenant.Peers[0].Wwwroot = w.peers[peerA], peerA+"/"
			change(&w.tenant)
			report := run(w.renewal(Options{}), t.Context())
			if p := report.Peers[0]; p.Reason != reason || (p.Outcome == Refused) != (reason != "") || (report.Exit == ExitPeers) != (reason != "") {
				t.Errorf("%s, %q: exit %d, %+v", name, reason, report.Exit, p)
			}
		}
	}
}

// A certificate that names the peer itself is no other site's. What the peer's Moodle says of its own
// call then is not the peer's fault either.
func TestOneErrorIsSaidOfARowWithASlash(t *testing.T) {
	for name, run := range map[string]func(*Renewal, context.Context) TenantReport{
		"push": (*Renewal).Distribute, "verify": (*Renewal).Verify, "renew": (*Renewal).Run, "doctor": (*Renewal).Diagnose,
		"status": func(r *Renewal, ctx context.Context) TenantReport { return r.Status(ctx, true) }} {
		for _, refuses := range []Reason{ReasonBadCertificate, ""} {
			w := newWorld(t)
			peer := w.addPeer(peerA, fakePeer{refuses: refuses})
			w.peers[peerA+"/"], w.tenant.Peers[0].Wwwroot = peer, peerA+"/"
			r := w.beside(peer, func(*Tenant) {})
			r.Network = deaf{callers{w}}
			report := run(r, t.Context())
			if p, want := report.Peers[0], notFoundHere(); p.Outcome != Refused || p.Reason != want.Reason || p.Detail != want.Detail || p.Next != want.Next || report.Exit != ExitPeers {
				t.Errorf("%s, %q: exit %d, %+v", name, refuses, report.Exit, p)
			}
			var found []string
			for _, f := range report.Findings {
				if f.Subject == peerA+"/" {
					found = append(found, f.Code)
				}
			}
			if name == "doctor" && !slices.Equal(found, []string{"peer_trailing_slash"}) {
				t.Errorf("%q: %q", refuses, found)
			}
		}
		w := newWorld(t) // another site's
		w.addPeer(peerB, fakePeer{})
		w.addPeer(peerA, fakePeer{refuses: ReasonBadCertificate})
		w.peers[peerA].own, w.peers[peerA+"/"], w.tenant.Peers[1].Wwwroot = w.peers[peerB].own, w.peers[peerA], peerA+"/"
		if p := run(w.renewal(Options{}), t.Context()).Peers[1]; p.Reason != ReasonBadCertificate {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

// deaf is a local site whose Moodle finds no row of the peer that calls.
type deaf struct{ callers }

func (d deaf) Prove(ctx context.Context, own Identity, p Peer, answered *envelope.Certificate, keyswap bool) Proof {
	if own.Wwwroot == peerA && p.Wwwroot == ownURL {
		return Proof{Failure: &Failure{Reason: ReasonUnknownToPeer}}
	}
	return d.callers.Prove(ctx, own, p, answered, keyswap)
}

// A peer that cannot fetch the key may be one whose calls find no row here.
func TestARowThatIsSpeltOtherwiseIsNamedAsTheCause(t *testing.T) {
	for name, run := range map[string]func(*Renewal, context.Context) TenantReport{"push": (*Renewal).Distribute, "verify": (*Renewal).Verify, "doctor": (*Renewal).Diagnose} {
		w := newWorld(t)
		w.addPeer(peerA, fakePeer{refuses: ReasonFault710})
		if p := run(w.renewal(Options{}), t.Context()).Peers[0]; p.Reason != ReasonFault710 || p.Next == NextWwwroot {
			t.Errorf("%s: %+v", name, p)
		}
		spelt := strings.ToUpper(peerA[:8]) + peerA[8:]
		w.peers[spelt], w.tenant.Peers[0].Wwwroot = w.peers[peerA], spelt
		if p := run(w.renewal(Options{}), t.Context()).Peers[0]; p.Reason != ReasonFault710 || p.Next != NextWwwroot {
			t.Errorf("%s, %s: %+v", name, spelt, p)
		}
	}
}

// The peer's Moodle finds no row of this site with a slash at its end, and --bindhost makes no other
// one.
func TestAMembersRowWithASlashIsNamedAsTheCause(t *testing.T) {
	for name, run := range map[string]func(*Renewal, context.Context) TenantReport{
		"push": (*Renewal).Distribute, "verify": (*Renewal).Verify, "doctor": (*Renewal).Diagnose, "renew": (*Renewal).Run, "dry run": (*Renewal).Plan} {
		for _, binds := range []bool{false, true} {
			for _, stock := range []bool{false, true} { // a stock Moodle refuses the sealed call alone
				w := newWorld(t)
				near, far := &oneSide{w: w}, &oneSide{w: w}
				r := w.beside(w.addPeer(peerA, fakePeer{refuses: ReasonUnknownToPeer, stock: stock}), func(s *Tenant) { s.Peers[1].Wwwroot += "/" })
				want := notFoundThere()
				if binds && name != "verify" && name != "doctor" {
					want.Next = correctThere + thenConnect
				}
				if binds {
					r.Bind = []Link{{Wwwroot: peerA, Near: near, Far: far}}
				}
				report := run(r, t.Context())
				p := report.Peers[0]
				if p.Outcome != Refused || p.Reason != want.Reason || p.Next != want.Next || report.Exit != ExitPeers || strings.Count(p.Detail, want.Detail) != 1 {
					t.Errorf("%s, %v: exit %d, %+v", name, binds, report.Exit, p)
				}
				if len(near.got)+len(far.got) > 0 || len(report.Warnings) > 0 {
					t.Errorf("%s: %d rows bound here, %d there, %q", name, len(near.got), len(far.got), report.Warnings)
				}
				if name == "doctor" && !slices.ContainsFunc(report.Findings, func(f Finding) bool { return f.Code == "peer_unknown_to_peer" && f.Next == want.Next }) {
					t.Errorf("%+v", report.Findings)
				}
			}
		}
	}
}

// A host that is not a peer here yet is not made one then.
func TestAHostWhoseRowOfThisSiteHasASlashIsNotConnected(t *testing.T) {
	for name, run := range map[string]func(*Renewal, context.Context) TenantReport{"renew": (*Renewal).Run, "dry run": (*Renewal).Plan} {
		w := newWorld(t)
		near, far := &oneSide{w: w}, &oneSide{w: w}
		r := w.beside(w.addPeer(peerA, fakePeer{}), func(s *Tenant) { s.Peers[1].Wwwroot += "/" })
		w.tenant.Peers = nil
		r.Bind = []Link{{Wwwroot: peerA, Near: near, Far: far}}
		report := run(r, t.Context())
		if p := report.Peers[0]; p.Outcome != Refused || !strings.HasPrefix(p.Detail, notFoundThere().Detail) || !strings.Contains(p.Detail, "not connected") || report.Exit != ExitPeers || len(near.got)+len(far.got) > 0 || len(report.Warnings) > 0 {
			t.Errorf("%s: exit %d, %+v, %q", name, report.Exit, p, report.Warnings)
		}
	}
}

func TestAMembersRowWithASlashIsNamedInARunOnAll(t *testing.T) {
	for name, run := range map[string]func(*Array, context.Context) int{"renew": (*Array).Run, "dry run": (*Array).Plan,
		"verify": func(a *Array, ctx context.Context) int { return a.Survey(ctx, SurveyVerify) },
		"doctor": func(a *Array, ctx context.Context) int { return a.Survey(ctx, SurveyDoctor) },
		"status": func(a *Array, ctx context.Context) int { return a.Survey(ctx, SurveyStatus) },
	} {
		f := newFleet(t, 3)
		tenant, member := f.sites[0].tenant.Wwwroot, f.sites[1]
		member.rows[tenant+"/"] = member.rows[tenant]
		delete(member.rows, tenant)
		run(f.array(ArrayOptions{}, 0), t.Context())
		p, want := linkTo(f.reports[tenant], member.tenant.Wwwroot), notFoundThere()
		if p.Detail != want.Detail || name != "status" && (p.Outcome != Refused || p.Reason != want.Reason || p.Next != want.Next) || name == "status" && p.Holds != "none" {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

// beside is a renewal for which the database of the peer is available, in which one row is not as the
// peer's Moodle would have it.
func (w *world) beside(peer *fakePeer, spoil func(*Tenant)) *Renewal {
	r := w.renewal(Options{})
	r.Network = callers{w}
	r.Counterpart = func(context.Context, Peer) (*Counterpart, error) {
		site := peer.site(w.tenant.Pair.Certificate)
		spoil(site)
		return CounterpartOf(site, ownURL), nil
	}
	return r
}

// staleMember is a site of the array whose web server does not use its stored key.
type staleMember struct {
	callers
	reason Reason // that it gives of itself
}

func (s staleMember) Prove(ctx context.Context, own Identity, p Peer, answered *envelope.Certificate, keyswap bool) Proof {
	if own.Wwwroot == peerA && p.Wwwroot == peerA {
		return Proof{Failure: &Failure{Reason: s.reason}}
	}
	return s.callers.Prove(ctx, own, p, answered, keyswap)
}

func TestADryRunForetellsAMemberWhoseWebServerUsesAnotherKey(t *testing.T) {
	w := newWorld(t)
	peer := w.addPeer(peerA, fakePeer{})
	r := w.renewal(Options{})
	r.Network = staleMember{callers{w}, ReasonFault7025}
	r.Counterpart = func(context.Context, Peer) (*Counterpart, error) {
		return CounterpartOf(peer.site(w.tenant.Pair.Certificate), ownURL), nil
	}
	for name, plan := range map[string]func(*Renewal, context.Context) TenantReport{"push": (*Renewal).PlanDistribute, "renew": (*Renewal).Plan} {
		report := plan(r, t.Context())
		if p := report.Peers[0]; report.Exit != ExitPeers || p.Outcome != Refused || p.Next != nextOfMember(peerA) {
			t.Errorf("%s: exit %d, %+v", name, report.Exit, p)
		}
	}
}

// With capitals in the other row it depends on the database whether it is found: the call has shown that
// it is not.
func TestARowWithCapitalsIsNamedWhereItIsNotFound(t *testing.T) {
	for name, run := range map[string]func(*Renewal, context.Context) TenantReport{"push": (*Renewal).Distribute, "verify": (*Renewal).Verify} {
		w := newWorld(t)
		r := w.beside(w.addPeer(peerA, fakePeer{refuses: ReasonUnknownToPeer}), func(s *Tenant) { s.Peers[1].Wwwroot = strings.ToUpper(ownURL[:8]) + ownURL[8:] })
		if p := run(r, t.Context()).Peers[0]; p.Next != notFoundThere().Next {
			t.Errorf("%s: %+v", name, p)
		}
	}
	m := &linkResults{member: map[string]int{ownURL: 0, peerA: 1}, key: map[string]int{ownURL: 0, peerA: 1}, results: [][]StoreResult{{KeyPresent, RowNotFound}, {KeyPresent, KeyPresent}}}
	report := TenantReport{Wwwroot: ownURL, Peers: []PeerReport{{Wwwroot: strings.ToUpper(peerA[:8]) + peerA[8:], Outcome: Accepted}, {Wwwroot: "https://outside.example", Outcome: Accepted}}}
	m.failUnfound(&report)
	if got := report.Peers; got[0].Outcome != Refused || got[0].Next != notFoundHere().Next || got[1].Outcome != Accepted {
		t.Errorf("%+v", got)
	}
}

// A row with a slash beside the right one has the peer's certificate under the wrong name.
func TestARowWithASlashBesideTheRightOneIsToBeRemoved(t *testing.T) {
	w := newWorld(t)
	report := TenantReport{Wwwroot: ownURL, SelfCheck: SelfProven, Peers: []PeerReport{{Wwwroot: peerA, Outcome: Accepted}, {Wwwroot: peerA + "/", Outcome: Refused, Reason: ReasonBadCertificate, misnamed: true}}}
	w.renewal(Options{}).weighLinks(&report, true, nil)
	if report.Peers[0].Outcome != Accepted || report.Peers[1].Next != twoRowsHere().Next {
		t.Errorf("%+v", report.Peers)
	}
}
