package rotate

import (
	"context"
	"slices"
	"strings"
	"testing"

	"renew_mnetkeys/envelope"
)

const oldName = "https://old.example"

// renamed is a network on which a peer answers under another wwwroot.
type renamed struct{ Network }

func (n renamed) Prove(ctx context.Context, own Identity, p Peer, answered *envelope.Certificate, mayKeyswap bool) Proof {
	if p.Wwwroot == peerA || p.Wwwroot == "https://t01.example" {
		return Proof{Failure: &Failure{Reason: ReasonBadSignature, Detail: "its answer says it is from " + oldName, Other: oldName}}
	}
	return n.Network.Prove(ctx, own, p, answered, mayKeyswap)
}

// Its key fits its certificate: a renewal at the peer ends with an error.
func TestAPeerWithAnotherNameIsNotToldToRenew(t *testing.T) {
	for name, run := range map[string]func(*Renewal, context.Context) TenantReport{
		"push": (*Renewal).Distribute, "verify": (*Renewal).Verify, "renew": (*Renewal).Run, "doctor": (*Renewal).Diagnose} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.addPeer(peerA, fakePeer{})
			r := w.renewal(Options{})
			r.Network = renamed{w}
			report := run(r, t.Context())
			next := report.Peers[0].Next
			if report.Peers[0].Reason != ReasonBadSignature || !strings.Contains(next, "calls itself "+oldName) || !strings.Contains(next, "docs/move.md") || strings.Contains(next, "renew its key") {
				t.Errorf("%+v", report.Peers[0])
			}
			if name == "doctor" && !slices.ContainsFunc(report.Findings, func(f Finding) bool { return f.Code == "peer_bad_signature" && f.Next == next }) {
				t.Errorf("%+v", report.Findings)
			}
		})
	}
}

// Its database is at hand: the cure is a command of this array.
func TestASiteOfTheArrayWithAnotherNameIsMoved(t *testing.T) {
	f := newFleet(t, 3)
	s, member := f.sites[0], f.sites[1]
	member.tenant.Own.Wwwroot = oldName
	const next = "run: renew_mnetkeys move --from=" + oldName + " --host=https://t01.example"
	a := f.array(ArrayOptions{}, 0)
	a.Survey(t.Context(), SurveyVerify)
	ofArray := linkTo(f.reports[s.tenant.Wwwroot], member.tenant.Wwwroot)
	r := a.Template
	r.Network, r.Store, r.Starter, r.Cache = renamed{r.Network}, wholeStore{s, s}, s, s
	r.Counterpart = func(_ context.Context, p Peer) (*Counterpart, error) {
		if !envelope.SameWwwroot(p.Wwwroot, member.tenant.Wwwroot) {
			return nil, nil
		}
		return CounterpartOf(&member.tenant, s.tenant.Wwwroot), nil
	}
	alone := linkTo(r.Verify(t.Context()), member.tenant.Wwwroot)
	diagnosed := linkTo(r.Diagnose(t.Context()), member.tenant.Wwwroot)
	for _, p := range []PeerReport{ofArray, alone, diagnosed} {
		if p.Outcome != Pending || p.Reason != ReasonDatabase {
			t.Errorf("%+v", p)
		}
		if !strings.HasSuffix(p.Next, next) || !strings.Contains(p.Next, "must not be moved") {
			t.Errorf("%+v", p)
		}
	}
}

// The register names the database of another live site, whose local host row must stay as it is.
func TestTheRowOfALiveSiteIsLeftAlone(t *testing.T) {
	f := newFleet(t, 3)
	s, member, live := f.sites[0], f.sites[1], f.sites[2]
	member.tenant.Own.Wwwroot = live.tenant.Wwwroot
	r := f.array(ArrayOptions{}, 0).Template
	r.members = nil // a command on one site
	r.Network, r.Store, r.Starter, r.Cache = renamed{r.Network}, wholeStore{s, s}, s, s
	r.Counterpart = func(_ context.Context, p Peer) (*Counterpart, error) {
		for _, site := range f.sites[1:] {
			if p.Wwwroot == site.tenant.Wwwroot {
				return CounterpartOf(&site.tenant, s.tenant.Wwwroot), nil
			}
		}
		return nil, nil
	}
	for name, report := range map[string]TenantReport{"verify": r.Verify(t.Context()), "doctor": r.Diagnose(t.Context()), "status": r.Status(t.Context(), false)} {
		p := linkTo(report, member.tenant.Wwwroot)
		if name != "status" && (p.Reason != ReasonDatabase || !strings.HasPrefix(p.Next, nextOtherMember)) || !strings.Contains(p.Detail, "belongs to "+live.tenant.Wwwroot) || p.Holds != "" {
			t.Errorf("%s: %+v", name, p)
		}
	}
}
