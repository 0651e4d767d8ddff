package rotate

import (
	"crypto/rsa"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// failsAt makes the site's database fail at the n-th call of that name, and at all later ones.
func (s *fleetSite) failsAt(call string, n int) {
	s.fails = func(c string) error {
		if c == call {
			n--
		}
		if n <= 0 {
			return errDown
		}
		return nil
	}
}

// full fills the history, so that a renewal drops a key.
func (s *fleetSite) full(t *testing.T) {
	for i := range s.tenant.Generations {
		pair := testPair(t, s.tenant.Wwwroot, clock.AddDate(0, 0, -50-30*i))
		s.tenant.History = append(s.tenant.History, Retired{Stored: storedPair(pair), Expires: pair.Certificate.NotAfter.Unix()})
	}
	fresh := testPair(t, s.tenant.Wwwroot, clock.AddDate(0, 0, -1)) // it expires in the far future
	s.tenant.Pair, s.cached = storedPair(fresh), nil
	s.tenant.Own.Certificate, s.tenant.Own.Expires = fresh.Certificate.PEM, fresh.Certificate.NotAfter.Unix()
	for _, other := range s.f.sites {
		if row := other.rows[s.tenant.Wwwroot]; row != nil {
			row.certificate = fresh.Certificate.PEM
		}
	}
}

// outside gives the site a peer that is not a member of the array.
func (s *fleetSite) outside(wwwroot string) *fleetSite {
	peer := &fleetSite{f: s.f, tenant: Tenant{Wwwroot: wwwroot, Pair: storedPair(testPair(s.f.t, wwwroot, clock))},
		rows: map[string]*fleetRow{s.tenant.Wwwroot: {certificate: s.tenant.Pair.Certificate}}}
	s.f.byURL[wwwroot] = peer
	s.rows[wwwroot] = &fleetRow{certificate: peer.tenant.Pair.Certificate}
	s.order = append(s.order, wwwroot)
	return peer
}

const outsider = "https://outside.example"

// Before a renewal no peer need be asked whether it would be locked out: the history grows as long
// as a peer may need it.
func TestAFullHistoryStopsNoRenewalOfAnArray(t *testing.T) {
	for _, o := range []ArrayOptions{{}, {ByKeyswap: true}} {
		f := newFleet(t, 2)
		s := f.sites[0]
		s.full(t)
		s.outside(outsider).proveFail = "fault_710"
		old := s.tenant.Pair
		if code := f.array(o, 0).Run(t.Context()); code != ExitPeers {
			t.Errorf("exit %d", code)
		}
		r := f.reports[s.tenant.Wwwroot]
		if r.Outcome != Renewed || r.Err != nil || s.tenant.Pair == old || s.tenant.History[0].Stored != old {
			t.Errorf("%+v", r)
		}
		stored := slices.Index(f.events, "store "+s.tenant.Wwwroot)
		if called := slices.Index(f.events, "prove "+outsider); called < stored {
			t.Errorf("peers were called before the key was stored: %q", f.events)
		}
	}
}

// Failures between the check of all tenants and the renewal of one of them.
func TestATenantOfAnArrayThatBreaksBeforeItsKeyIsStored(t *testing.T) {
	for _, c := range []struct {
		name  string
		o     ArrayOptions
		spoil func(*fleetSite, *Array)
		err   error
	}{
		{"its database is lost", ArrayOptions{}, func(s *fleetSite, _ *Array) { s.failsAt("read", 2) }, errDown},
		{"no key can be made", ArrayOptions{}, func(_ *fleetSite, a *Array) {
			a.Template.GenerateKey = func(int) (*rsa.PrivateKey, error) { return nil, errDown }
		}, errDown},
		{"no certificate can be made", ArrayOptions{}, func(_ *fleetSite, a *Array) { a.Template.Random = iotest.ErrReader(errDown) }, errDown},
		{"nothing is there to go back to", ArrayOptions{RollBack: true}, func(*fleetSite, *Array) {}, ErrNothingRetired},
		{"what was there to go back to is gone meanwhile", ArrayOptions{RollBack: true}, func(s *fleetSite, _ *Array) {
			s.full(s.f.t)
			s.tenant.History[0] = Retired{Stored: storedPair(testPair(s.f.t, s.tenant.Wwwroot, clock.AddDate(0, 0, -5)))}
			reads := 0
			s.fails = func(call string) error {
				if call == "read" {
					if reads++; reads == 2 {
						s.tenant.History = nil
					}
				}
				return nil
			}
		}, ErrNothingRetired},
		{"MNet, which was started, answers with a clock that is ahead", ArrayOptions{}, func(s *fleetSite, a *Array) {
			s.off(false)
			a.Template.NewKey = true
			s.f.on = func(e string) {
				if strings.HasPrefix(e, "start") {
					s.own = &Failure{Reason: "clock"}
				}
			}
		}, ErrOwnClock},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFleet(t, 2)
			s := f.sites[0]
			a := f.array(c.o, 0)
			c.spoil(s, a)
			old := s.tenant.Pair
			if code := a.Run(t.Context()); code != ExitNotRenewed {
				t.Errorf("exit %d", code)
			}
			if r := f.reports[s.tenant.Wwwroot]; r.Outcome != Failed || !errors.Is(r.Err, c.err) || s.tenant.Pair != old {
				t.Errorf("%+v", r)
			}
			for _, e := range f.events {
				if !strings.HasPrefix(e, "prove "+s.tenant.Wwwroot) && !strings.HasPrefix(e, "start") && !strings.HasPrefix(e, "stop") {
					t.Error(e)
				}
			}
			if started := slices.ContainsFunc(f.events, func(e string) bool { return strings.HasPrefix(e, "start") }); started == s.tenant.MNetOn() {
				t.Errorf("MNet was started: %v, and is on: %v", started, s.tenant.MNetOn())
			}
			if len(f.locked) > 0 || f.open > 0 {
				t.Errorf("%d locks and %d sessions left", len(f.locked), f.open)
			}
		})
	}
}
