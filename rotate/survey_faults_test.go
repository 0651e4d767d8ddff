package rotate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

// wrote reports whether anything was written or pushed.
func (f *fleet) wrote() bool {
	return slices.ContainsFunc(f.events, func(e string) bool { return !strings.HasPrefix(e, "prove") && !strings.HasPrefix(e, "look") })
}

// What cannot be examined at one tenant is reported for it, and for no other.
func TestWhatASurveyCannotLookAt(t *testing.T) {
	const tenant, peers = "read the tenant", "read the peers"
	for _, c := range []struct {
		name  string
		what  []Survey
		spoil func(*fleetSite)
		err   error
		says  string
	}{
		{"its database is lost at once", []Survey{SurveyStatus, SurveyVerify, SurveyLive}, func(s *fleetSite) { s.failsAt("read", 1) }, errDown, tenant},
		{"its database is lost after members were read", []Survey{SurveyDoctor}, func(s *fleetSite) { s.failsAt("read", 2) }, errDown, tenant},
		// Reads: the tenant, itself as a member if it was not proven, the tenant with its peers.
		{"its database is lost while members are looked at", []Survey{SurveyStatus, SurveyVerify, SurveyLive}, func(s *fleetSite) { s.failsAt("read", 2) }, errDown, tenant},
		{"its database is lost after members were looked at", []Survey{SurveyStatus}, func(s *fleetSite) { s.failsAt("read", 3) }, errDown, tenant},
		{"its peers cannot be listed", []Survey{SurveyStatus, SurveyVerify, SurveyLive}, func(s *fleetSite) { s.failsAt("list", 1) }, errDown, peers},
		{"their certificates cannot be read", []Survey{SurveyStatus, SurveyVerify, SurveyLive}, func(s *fleetSite) { s.failsAt("load", 1) }, errDown, peers},
		{"its peers, without whom there is no diagnosis, cannot be listed", []Survey{SurveyDoctor}, func(s *fleetSite) { s.failsAt("list", 1) }, errDown, tenant},
		{"their certificates, without which there is none, cannot be read", []Survey{SurveyDoctor}, func(s *fleetSite) { s.failsAt("load", 1) }, errDown, tenant},
		{"it is renewed while members are looked at", []Survey{SurveyStatus, SurveyVerify, SurveyLive}, func(s *fleetSite) {
			s.f.on = func(e string) {
				if strings.HasPrefix(e, "look") {
					s.tenant.Pair = storedPair(testPair(s.f.t, s.tenant.Wwwroot, clock))
				}
			}
		}, ErrConflict, "peers not looked at"},
		{"its web server uses another key", []Survey{SurveyVerify, SurveyLive}, func(s *fleetSite) {
			other := storedPair(testPair(s.f.t, s.tenant.Wwwroot, clock))
			s.cached = &other
		}, &LocalSiteError{}, ErrNotFollowed.Error()},
	} {
		for _, what := range c.what {
			t.Run(map[Survey]string{SurveyStatus: "status", SurveyVerify: "verify", SurveyLive: "live", SurveyDoctor: "doctor"}[what]+": "+c.name, func(t *testing.T) {
				f := newFleet(t, 3)
				s := f.sites[0]
				s.outside(outsider)
				c.spoil(s)
				a := f.array(ArrayOptions{}, 0, 1)
				code := a.Survey(t.Context(), what)
				broken, well := f.reports[s.tenant.Wwwroot], f.reports[f.sites[1].tenant.Wwwroot]
				if len(f.reports) != 2 || broken.Err == nil || !sameCause(broken.Err, c.err) || !strings.Contains(broken.Error, c.says) || broken.Wwwroot != s.tenant.Wwwroot {
					t.Errorf("%+v", broken)
				}
				if broken.Exit == ExitOK {
					t.Error("its own exit code says that all is well")
				}
				for _, finding := range broken.Findings {
					if finding.Subject != s.tenant.Wwwroot {
						t.Errorf("a finding about no site: %+v", finding)
					}
				}
				if well.Err != nil || what != SurveyDoctor && len(well.Peers) != 2 {
					t.Errorf("the other tenant: %+v", well)
				}
				if code == ExitOK || f.wrote() || f.open > 0 || len(f.locked) > 0 {
					t.Errorf("exit %d, did %v", code, f.events)
				}
				if slices.ContainsFunc(broken.Peers, func(p PeerReport) bool { return p.Outcome.Proven() }) {
					t.Errorf("links of a tenant that could not be looked at are proven: %+v", broken.Peers)
				}
			})
		}
	}
}

// If a member's database fails, its links are not proven.
func TestASurveyWithAMemberThatCannotBeAsked(t *testing.T) {
	f := newFleet(t, 3)
	f.sites[2].failsAt("look", 1)
	if code := f.array(ArrayOptions{}, 0).Survey(t.Context(), SurveyVerify); code != ExitPeers {
		t.Errorf("exit %d", code)
	}
	r := f.reports[f.sites[0].tenant.Wwwroot]
	if links(r) != "accepted database, pending database" || r.Err != nil || !strings.Contains(r.Peers[1].Detail, errDown.Error()) {
		t.Errorf("%+v", r)
	}
}

// If a member cannot be listed in a dry run, the others are unchanged.
func TestADryRunOfAnArrayWithATenantWhosePeersCannotBeListed(t *testing.T) {
	f := newFleet(t, 2)
	f.sites[0].failsAt("list", 1)
	if code := f.array(ArrayOptions{}).Plan(t.Context()); code != ExitPeers {
		t.Errorf("exit %d", code)
	}
	broken, well := f.reports[f.sites[0].tenant.Wwwroot], f.reports[f.sites[1].tenant.Wwwroot]
	if broken.Outcome != Failed || broken.Exit != ExitNotRenewed || !errors.Is(broken.Err, errDown) || well.Outcome != Kept || well.Err != nil {
		t.Errorf("%+v; %+v", broken, well)
	}
	if f.wrote() {
		t.Error(f.events)
	}
}

// A member that was available at the check is gone when the key is pushed.
func TestAMemberThatCannotBeReadIsNotTold(t *testing.T) {
	f := newFleet(t, 2)
	s, member := f.sites[0], f.sites[1]
	member.failsAt("read", 1)
	before := member.rows[s.tenant.Wwwroot].certificate
	if code := f.array(ArrayOptions{}, 0).Run(t.Context()); code != ExitPeers {
		t.Errorf("exit %d", code)
	}
	if r := f.reports[s.tenant.Wwwroot]; links(r) != "pending database" || r.Outcome != Renewed || r.Err != nil {
		t.Errorf("%+v", r)
	}
	if member.rows[s.tenant.Wwwroot].certificate != before || slices.Contains(f.events, "hold "+member.tenant.Wwwroot) {
		t.Error("a database that could not be read was written to")
	}
}

// The web server of a site may answer although its database is not the one that the register names:
// nobody has then seen its side of the links. Every survey counts the same links.
func TestEverySurveyCountsTheLinksToASiteThatCannotBeRead(t *testing.T) {
	for _, what := range []Survey{SurveyStatus, SurveyVerify, SurveyLive, SurveyDoctor} {
		f := newFleet(t, 3)
		unread := f.sites[2]
		unread.readErr = errDown
		f.array(ArrayOptions{}, 0, 1, 2).Survey(t.Context(), what)
		proven, all := 0, 0
		for _, r := range f.reports {
			for _, p := range r.Peers {
				all++
				if p.Outcome.Proven() {
					proven++
				}
				if what.details() && !p.Member {
					t.Errorf("%s is no member for %s", p.Wwwroot, r.Wwwroot)
				}
				if p.Wwwroot == unread.tenant.Wwwroot && what != SurveyStatus && (p.Outcome != Pending || p.Reason != ReasonDatabase) {
					t.Errorf("survey %d: %+v", what, p)
				}
			}
		}
		if len(f.reports) != 3 || all != 4 || what != SurveyStatus && proven != 2 {
			t.Errorf("survey %d: %d of %d links of %d tenants", what, proven, all, len(f.reports))
		}
	}
}

// vanishing are rows of which the first is deleted between list and load.
type vanishing struct{ PeerRows }

func (v vanishing) LoadPeers(ctx context.Context, peers []Peer) ([]Peer, error) {
	return v.PeerRows.LoadPeers(ctx, peers[1:])
}

// It is no peer any more, and nothing is said of it.
func TestAPeerThatIsDeletedDuringASurveyIsLeftOut(t *testing.T) {
	f := newFleet(t, 3)
	a := f.array(ArrayOptions{}, 0)
	a.Members = a.Members[:1] // the others are outside
	a.Members[0].wrap(func(s *Session) { s.PeerRows = vanishing{s.PeerRows} })
	a.Survey(t.Context(), SurveyVerify)
	got := f.reports[f.sites[0].tenant.Wwwroot].Peers
	if len(got) != 1 || got[0].Wwwroot != f.sites[2].tenant.Wwwroot || got[0].Outcome == "" {
		t.Errorf("%+v", got)
	}
}
