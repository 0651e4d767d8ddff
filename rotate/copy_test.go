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

// A copy of a site has keys with the name of the original. If that is a site of the array, however it
// is written and whether its database answers or not, the copy has not moved from there.
func TestACopyOfASiteOfTheArrayHasNotMoved(t *testing.T) {
	a := newFleet(t, 2).array(ArrayOptions{})
	a.start()
	for name, c := range map[string]struct {
		from   string
		isSite func(string) bool
		want   string
	}{
		"a site of the array in other letters": {"https://T00.example", a.Template.isMember, ""},
		"no site of the array":                 {"https://old.example", a.Template.isMember, "https://old.example"},
		"a site whose database is down": {"https://master.example", func(of string) bool {
			r := newWorld(t).renewal(Options{})
			r.Counterpart = func(context.Context, Peer) (*Counterpart, error) { return nil, errors.New("it is down") }
			return r.isSite(t.Context(), of)
		}, ""},
		"the register cannot be read": {"https://master.example", func(of string) bool {
			r := newWorld(t).renewal(Options{})
			r.Counterpart = func(context.Context, Peer) (*Counterpart, error) { return nil, ErrNoRegister }
			return r.isSite(t.Context(), of)
		}, "https://master.example"},
	} {
		report := TenantReport{movedFrom: c.from, Peers: []PeerReport{{Reason: ReasonUnknownToPeer}}}
		if report.isCopy(c.isSite); report.movedFrom != c.want {
			t.Errorf("%s: it has moved from %q", name, report.movedFrom)
		}
	}
}

// A second row beside the one to which users refer would take their links from them. One tenant and
// the array say the same.
func TestASiteOfTheArrayWithoutARowIsConnectedUnlessItHasAnOldOne(t *testing.T) {
	w := newWorld(t)
	peer := w.addPeer(peerA, fakePeer{refuses: ReasonUnknownToPeer})
	old := testPair(t, "https://old.own.example", clock.AddDate(0, 0, -90))
	r := w.renewal(Options{})
	r.Network = callers{w}
	r.Counterpart = func(_ context.Context, p Peer) (*Counterpart, error) {
		if p.Wwwroot != peerA {
			return nil, nil
		}
		site := peer.site(old.Certificate.PEM)
		for i := range site.Peers {
			if site.Peers[i].Wwwroot == ownURL {
				site.Peers[i].Wwwroot = "https://old.own.example"
			}
		}
		return CounterpartOf(site, ownURL), nil
	}
	alone := r.Verify(t.Context())

	f := newFleet(t, 3)
	delete(f.sites[2].rows, f.sites[0].tenant.Wwwroot)
	f.array(ArrayOptions{}, 0).Survey(t.Context(), SurveyVerify)
	ofAll := f.reports[f.sites[0].tenant.Wwwroot]
	for name, next := range map[string]string{
		"alone":  alone.NextStep(alone.Peers[0], false),
		"of all": ofAll.NextStep(linkTo(ofAll, f.sites[2].tenant.Wwwroot), false),
	} {
		if !strings.Contains(next, "If it has a row of this site with an old wwwroot") || !strings.Contains(next, ". Run: renew_mnetkeys --bindhost=https://") {
			t.Errorf("%s: %s", name, next)
		}
	}
}

// Of a member that may not be written, only the links suffer for which a run would write there.
func TestADryRunAsksForTheRightsThatARunNeeds(t *testing.T) {
	f := newFleet(t, 4)
	due, kept, member := f.sites[0], f.sites[1], f.sites[3]
	delete(member.rows, due.tenant.Wwwroot)
	delete(due.rows, member.tenant.Wwwroot)
	member.rightsErr = errNotAllowed
	young := testPair(t, kept.tenant.Wwwroot, clock.Add(-time.Hour))
	kept.tenant.Pair = storedPair(young)
	kept.tenant.Own.Certificate, kept.tenant.Own.Expires = young.Certificate.PEM, young.Certificate.NotAfter.Unix()
	for _, s := range f.sites {
		if row := s.rows[kept.tenant.Wwwroot]; row != nil {
			row.certificate = young.Certificate.PEM
		}
	}
	array := f.array(ArrayOptions{}, 0, 1)
	array.Template.Due = DuePolicy{OnlyIfDue: true, Before: 10 * 24 * time.Hour}
	array.Plan(t.Context())
	if p := linkTo(f.reports[kept.tenant.Wwwroot], member.tenant.Wwwroot); p.Outcome != Skipped {
		t.Errorf("%s %s: %s", p.Outcome, p.Reason, p.Detail)
	}
}

// A database that the register names for two sites is that of a live one: to give its row the other name
// would cut that site off.
func TestADatabaseOfAnotherSiteOfTheArrayIsNotRenamed(t *testing.T) {
	const row = "https://t0.example"
	w := newWorld(t)
	w.tenant.Own.Wwwroot = row
	r := w.renewal(Options{})
	r.Counterpart = func(_ context.Context, p Peer) (*Counterpart, error) {
		if p.Wwwroot != row {
			return nil, nil
		}
		return &Counterpart{Site: &Tenant{Wwwroot: row}}, nil
	}
	hints := map[string]string{"renew": HintOf(r.Run(t.Context()).Err), "push": HintOf(r.Distribute(t.Context()).Err), "verify": HintOf(r.Verify(t.Context()).Err)}
	for _, f := range r.Diagnose(t.Context()).Findings {
		if f.Code == "own_row_other_site" {
			hints["doctor"] = f.Next
		}
	}
	f := newFleet(t, 3)
	f.sites[1].tenant.Own.Wwwroot = f.sites[2].tenant.Wwwroot
	f.array(ArrayOptions{}, 0, 1).Survey(t.Context(), SurveyVerify)
	hints["verify --all"] = HintOf(f.reports[f.sites[1].tenant.Wwwroot].Err)
	if len(hints) != 5 {
		t.Error("doctor has not found it")
	}
	for command, hint := range hints {
		if hint != nextOtherMember {
			t.Errorf("%s: %q", command, hint)
		}
	}
	w.tenant.Own.Wwwroot = "https://old.example"
	if hint := HintOf(r.Verify(t.Context()).Err); !strings.Contains(hint, "renew_mnetkeys move --from=https://old.example") {
		t.Errorf("a site that may have moved: %q", hint)
	}
}

// names is a network that reads the name in the page with the key, as package peers does.
type names struct{ *world }

func (n names) PublicKey(ctx context.Context, p Peer) (*envelope.Certificate, *Failure) {
	c, f := n.world.PublicKey(ctx, p)
	if f == nil && !envelope.SameWwwroot(c.SubjectAltName, p.Wwwroot) {
		return nil, &Failure{Reason: ReasonBadCertificate, Other: c.SubjectAltName, Shown: c}
	}
	return c, f
}

// The settings of another site were copied into this one's database: its web server shows the key of
// the other, and a renewal is what all commands advise.
func TestASiteWithTheCopiedKeyOfAnotherIsRenewed(t *testing.T) {
	w := newWorld(t)
	w.tenant.Pair = storedPair(testPair(t, "https://original.example", clock.AddDate(0, 0, -5)))
	r := w.renewal(Options{})
	r.Network = names{w}
	report := r.Run(t.Context())
	if report.Outcome != Renewed || report.SelfCheck != SelfProven {
		t.Errorf("%s, %s, %v", report.Outcome, report.SelfCheck, report.Err)
	}
	if verified := r.Verify(t.Context()); verified.SelfCheck != SelfProven {
		t.Errorf("afterwards: %s, %v", verified.SelfCheck, verified.Err)
	}
	if !slices.ContainsFunc(report.Warnings, func(w string) bool { return strings.Contains(w, "https://original.example") }) {
		t.Errorf("nothing says that the other site has this key too: %q", report.Warnings)
	}

	// Another site answers there, whose key this one does not have.
	w = newWorld(t)
	w.tenant.Pair = storedPair(testPair(t, "https://original.example", clock.AddDate(0, 0, -5)))
	w.pages = map[string]string{"": testPair(t, "https://third.example", clock).Certificate.PEM}
	r = w.renewal(Options{})
	r.Network = names{w}
	if report := r.Run(t.Context()); report.Outcome != Failed || w.tenant.Pair.Certificate == "" {
		t.Errorf("another site: %s, %v", report.Outcome, report.Err)
	}
}

// In an array each database has a row of every site, so that another row with the site's wwwroot says
// little: only the stored key shows whose database it is.
func TestAWrongLocalhostIDIsNamedIfTheKeyIsTheSites(t *testing.T) {
	const row = "https://other.example"
	w := newWorld(t)
	w.tenant.Own.Wwwroot, w.tenant.Namesakes = row, []int64{8}
	r := w.renewal(Options{})
	r.Counterpart = func(_ context.Context, p Peer) (*Counterpart, error) {
		return &Counterpart{Site: &Tenant{Wwwroot: p.Wwwroot}}, nil
	}
	hints := map[string]string{"renew": HintOf(r.Run(t.Context()).Err), "verify": HintOf(r.Verify(t.Context()).Err)}
	for _, f := range r.Diagnose(t.Context()).Findings {
		if f.Code == "own_row_other_site" {
			hints["doctor"] = f.Next
		}
	}
	for command, hint := range hints {
		if !strings.Contains(hint, "row 8 of mnet_host has this wwwroot") || !strings.Contains(hint, "mnet_localhost_id") || strings.Contains(hint, "run: ") {
			t.Errorf("%s: %s", command, hint)
		}
	}
	if next := nextOfDatabase(r.Run(t.Context()).Err); strings.Contains(next, "--host=") || !strings.Contains(next, "mnet_localhost_id") {
		t.Errorf("at a member: %s", next)
	}
	pair := testPair(t, row, clock)
	w.tenant.Pair = Stored{Certificate: pair.Certificate.PEM}
	if hint := HintOf(r.Run(t.Context()).Err); hint != nextOtherMember {
		t.Errorf("the key is another site's: %s", hint)
	}
	if len(hints) != 3 {
		t.Errorf("%d hints", len(hints))
	}
}
