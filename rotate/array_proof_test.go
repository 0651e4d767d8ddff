package rotate

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// links are the outcomes and reasons of a tenant's peers, without duplicates, sorted.
func links(r TenantReport) string {
	var all []string
	for _, p := range r.Peers {
		all = append(all, string(p.Outcome)+" "+string(p.Reason))
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ", ")
}

// A row with the certificate proves nothing about a site that uses another key.
func TestLinksAreProvenByRowsOnlyTogetherWithTheOwnSite(t *testing.T) {
	without := &Failure{Reason: "fault_7023"} // without RC4
	for _, c := range []struct {
		name  string
		own   *Failure
		mode  SelfCheckMode
		o     ArrayOptions
		links string
		code  int
	}{
		{"proven", nil, SelfCheckAuto, ArrayOptions{}, "accepted database", ExitOK},
		{"not asked", nil, SelfCheckOff, ArrayOptions{}, "pending own_site", ExitPeers},
		{"without RC4", without, SelfCheckAuto, ArrayOptions{}, "pending own_site", ExitPeers},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFleet(t, 4)
			f.sites[0].own = c.own
			a := f.array(c.o, 0)
			a.Template.SelfCheck = c.mode
			if code := a.Run(t.Context()); code != c.code {
				t.Errorf("exit %d, want %d", code, c.code)
			}
			r := f.reports[f.sites[0].tenant.Wwwroot]
			if got := links(r); got != c.links || r.Exit != c.code || r.Err != nil {
				t.Errorf("%s, want %s: %+v", got, c.links, r)
			}
			f.proven(f.sites...)
		})
	}
}

// Events at a site after its key was pushed to the members.
func TestASiteThatGoesBackProvesNoLink(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*fleetSite)
		exit int
	}{
		{"for good", func(s *fleetSite) {
			old := s.tenant.History[0].Stored
			s.cached, s.sticky = &old, true
		}, ExitLocalSite},
		{"and another program renews it", func(s *fleetSite) {
			s.tenant.Pair = storedPair(testPair(s.f.t, s.tenant.Wwwroot, clock.Add(time.Minute)))
			s.cached = nil
		}, ExitPeers},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFleet(t, 3)
			s := f.sites[0]
			proven := 0
			f.on = func(e string) {
				// Before, during and after its renewal; then the key is pushed to members.
				if e == "prove "+s.tenant.Wwwroot {
					if proven++; proven == 3 {
						c.do(s)
					}
				}
			}
			if code := f.array(ArrayOptions{}, 0).Run(t.Context()); code != c.exit {
				t.Errorf("exit %d, want %d", code, c.exit)
			}
			if r := f.reports[s.tenant.Wwwroot]; links(r) != "pending own_site" || r.Err == nil || r.Exit != c.exit {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestAnExpiredSiteIsNotCalledToDistributeItsKey(t *testing.T) {
	f := newFleet(t, 2)
	f.sites[0].tenant.Own.Expires = clock.Add(-time.Hour).Unix()
	if code := f.array(ArrayOptions{PushOnly: true}, 0).Run(t.Context()); code != ExitNotRenewed {
		t.Errorf("exit %d", code)
	}
	if r := f.reports[f.sites[0].tenant.Wwwroot]; !errors.Is(r.Err, ErrExpired) || r.Outcome != Failed {
		t.Errorf("%+v", r)
	}
	if len(f.events) > 0 { // such a call would make Moodle renew by itself
		t.Error(f.events)
	}
}

func TestAnUnreachableSiteThatMustBeProvenIsNotDistributed(t *testing.T) {
	for _, o := range []ArrayOptions{{}, {PushOnly: true}} {
		f := newFleet(t, 2)
		f.sites[0].own = &Failure{Reason: "timeout", Pending: true}
		a := f.array(o, 0)
		a.Template.SelfCheck = SelfCheckRequire
		if code := a.Run(t.Context()); code != ExitNotRenewed {
			t.Errorf("exit %d", code)
		}
		if r := f.reports[f.sites[0].tenant.Wwwroot]; !errors.Is(r.Err, ErrOwnUnreachable) || r.Outcome != Failed {
			t.Errorf("%+v", r)
		}
		for _, e := range f.events {
			if !strings.HasPrefix(e, "prove "+f.sites[0].tenant.Wwwroot) {
				t.Error(e)
			}
		}
	}
}

func TestASignalWhileAKeptTenantIsLookedAtStopsTheArray(t *testing.T) {
	f := newFleet(t, 2)
	ctx, cancel := context.WithCancel(t.Context())
	f.on = func(string) {
		cancel()
		f.sites[0].own = &Failure{Reason: "timeout", Pending: true}
	}
	if code := f.array(ArrayOptions{PushOnly: true}, 0).Run(ctx); code != ExitNotRenewed {
		t.Errorf("exit %d", code)
	}
	if r := f.reports[f.sites[0].tenant.Wwwroot]; !errors.Is(r.Err, context.Canceled) || r.SelfCheck == SelfFailed {
		t.Errorf("%+v", r)
	}
}

// The register names a database that belongs to another site: nothing is written to it, and nothing
// in it proves a link.
func TestAMemberWhoseDatabaseIsAnothersIsNotTold(t *testing.T) {
	f := newFleet(t, 3)
	other, writes := f.sites[2], 0
	other.tenant.Own.Wwwroot = "https://foreign.example"
	f.on = func(e string) {
		if e == "hold "+other.tenant.Wwwroot || e == "store "+other.tenant.Wwwroot {
			writes++
		}
	}
	if code := f.array(ArrayOptions{}, 0, 1).Run(t.Context()); code != ExitPeers || writes > 0 {
		t.Errorf("exit %d, %d writes", code, writes)
	}
	for _, i := range []int{0, 1} {
		if r := f.reports[f.sites[i].tenant.Wwwroot]; links(r) != "accepted database, pending database" || !strings.Contains(r.Peers[1].Detail, "belongs to https://foreign.example") {
			t.Errorf("%+v", r)
		}
	}
}

func TestRowsThatCannotBeReadLoseNothingThatIsKnownByDatabase(t *testing.T) {
	f := newFleet(t, 3)
	s, outsider := f.sites[0], "https://outside.example"
	s.rows[outsider] = &fleetRow{}
	s.order = append(s.order, outsider)
	s.loadErr = errDown
	if code := f.array(ArrayOptions{ProveCalls: -1}, 0).Run(t.Context()); code != ExitPeers {
		t.Errorf("exit %d", code)
	}
	r := f.reports[s.tenant.Wwwroot]
	if links(r) != "accepted database, pending database" || len(r.Peers) != 3 || r.Outcome != Renewed || !errors.Is(r.Err, errDown) {
		t.Errorf("%+v", r)
	}
}

func TestPeersAreAListWhateverHappens(t *testing.T) {
	for name, spoil := range map[string]func(*fleetSite){
		"rows that cannot be read": func(s *fleetSite) { s.loadErr = errDown },
		"no database":              func(s *fleetSite) { s.down = true },
		"another site's database":  func(s *fleetSite) { s.tenant.Own.Wwwroot = "https://foreign.example" },
		"tables that are missing":  func(s *fleetSite) { s.readErr = errDown },
	} {
		for _, run := range []func(*Array, context.Context) int{(*Array).Run, (*Array).Plan} {
			t.Run(name, func(t *testing.T) {
				f := newFleet(t, 2)
				spoil(f.sites[0])
				a := f.array(ArrayOptions{ProveCalls: -1}, 0)
				a.Emit = func(r TenantReport) {
					if text, err := json.Marshal(r); err != nil || strings.Contains(string(text), `"peers":null`) || r.Wwwroot != f.sites[0].tenant.Wwwroot {
						t.Errorf("%s, %v", text, err)
					}
				}
				run(a, t.Context())
			})
		}
	}
}
