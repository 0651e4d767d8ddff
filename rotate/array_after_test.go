package rotate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// Failures after the key was stored and pushed to members: the tenant stays renewed, and what could
// not be found out is reported.
func TestATenantOfAnArrayThatBreaksAfterMembersWereTold(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*fleetSite)
		err   error
		says  string
	}{
		// Reads: at the check, before the key is stored, before members write, here.
		{"its database cannot be read", func(s *fleetSite) { s.failsAt("read", 4) }, errDown, "read the tenant"},
		{"its peers cannot be listed", func(s *fleetSite) { s.failsAt("list", 1) }, errDown, "read the peers"},
		{"another program has renewed it", func(s *fleetSite) {
			s.f.on = func(e string) {
				if strings.HasPrefix(e, "hold") {
					s.tenant.Pair = storedPair(testPair(s.f.t, s.tenant.Wwwroot, clock))
				}
			}
		}, ErrConflict, "while the key was pushed to the array"},
		{"another program has left it without a readable key", func(s *fleetSite) {
			s.f.on = func(e string) {
				if strings.HasPrefix(e, "hold") {
					s.tenant.Pair = Stored{}
				}
			}
		}, ErrConflict, "while the key was pushed to the array"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFleet(t, 3)
			s := f.sites[0]
			s.outside(outsider)
			c.spoil(s)
			if code := f.array(ArrayOptions{}, 0).Run(t.Context()); code != ExitPeers {
				t.Errorf("exit %d", code)
			}
			r := f.reports[s.tenant.Wwwroot]
			if r.Outcome != Renewed || !errors.Is(r.Err, c.err) || r.Exit != ExitPeers || !strings.Contains(r.Error, c.says) {
				t.Errorf("%+v", r)
			}
			if slices.Contains(f.events, "push "+outsider) {
				t.Error("a key was pushed that is not known to be the tenant's")
			}
			if len(f.locked) > 0 || f.open > 0 {
				t.Errorf("%d locks and %d sessions left", len(f.locked), f.open)
			}
		})
	}
}

// A web request that was under way refills the cache with the old pair during the push: the key is
// pushed again, outside and inside.
func TestAnArraysTenantThatWentBackIsCuredAndItsPeersToldAgain(t *testing.T) {
	f := newFleet(t, 3)
	s := f.sites[0]
	out := s.outside(outsider)
	old := s.tenant.Pair
	pushed := 0
	f.on = func(e string) {
		if e == "push "+outsider {
			if pushed++; pushed == 1 {
				s.cached = &old
			}
		}
	}
	if code := f.array(ArrayOptions{ProveCalls: -1}, 0).Run(t.Context()); code != ExitOK {
		t.Errorf("exit %d: %+v", code, f.reports)
	}
	if pushed != 2 || s.web() != s.tenant.Pair || s.tenant.Pair == old {
		t.Errorf("pushed %d times, web server on the stored pair: %v", pushed, s.web() == s.tenant.Pair)
	}
	if out.rows[s.tenant.Wwwroot].certificate != s.tenant.Pair.Certificate {
		t.Error("the peer outside has another certificate")
	}
	f.proven(f.sites...)
}

// The results for the key in the database of one member.
func TestWhatAMemberHoldsAfterwards(t *testing.T) {
	for _, c := range []struct {
		name    string
		spoil   func(member, s *fleetSite)
		results []StoreResult // instead of what the member would answer
		links   string
		called  bool // like any other peer, in addition to the one call to itself
		holds   bool // the member has the key, although the link is not proven
	}{
		{name: "it has the key", spoil: func(_, _ *fleetSite) {}, links: "accepted database", called: true},
		{name: "it never had MNet, and has the key", spoil: func(m, _ *fleetSite) { m.off(true) }, links: "refused mnet_off", holds: true},
		{name: "it had one of a later date", spoil: func(m, s *fleetSite) {
			m.rows[s.tenant.Wwwroot].certificate = testPair(s.f.t, s.tenant.Wwwroot, clock.AddDate(0, 0, 1)).Certificate.PEM
		}, links: "accepted database", called: true},
		{name: "it has no row", spoil: func(m, s *fleetSite) { delete(m.rows, s.tenant.Wwwroot) }, links: "refused unknown_to_peer"},
		{name: "its database fails while it is written", spoil: func(m, _ *fleetSite) { m.failsAt("hold", 1) }, links: "pending database"},
		{name: "its database leaves the row open", spoil: func(_, _ *fleetSite) {}, results: []StoreResult{NotAsked}, links: "pending database"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFleet(t, 2)
			s, member := f.sites[0], f.sites[1]
			c.spoil(member, s)
			before := ""
			if row := member.rows[s.tenant.Wwwroot]; row != nil {
				before = row.certificate
			}
			a := f.array(ArrayOptions{ProveCalls: -1}, 0)
			if c.results != nil {
				a.Members[1].Open = func(ctx context.Context) (*Session, error) {
					session, err := member.openSession(ctx)
					session.PeerRows = heldRows{session.PeerRows, c.results}
					return session, err
				}
			}
			a.Run(t.Context())
			r := f.reports[s.tenant.Wwwroot]
			if got := links(r); got != c.links || r.Outcome != Renewed || r.Err != nil {
				t.Errorf("%s, want %s: %+v", got, c.links, r)
			}
			if row := member.rows[s.tenant.Wwwroot]; row != nil && (row.certificate == s.tenant.Pair.Certificate) != (c.called || c.holds) {
				t.Errorf("the row was changed: %v", row.certificate != before)
			}
			calls := f.count("prove " + member.tenant.Wwwroot)
			if want := map[bool]int{true: 2, false: 1}[c.called]; calls != want && !c.holds {
				t.Errorf("called %d times", calls)
			}
		})
	}
}

// heldRows answers something different from what it has.
type heldRows struct {
	PeerRows
	results []StoreResult
}

func (h heldRows) StorePeerKeys(context.Context, []HostKey) ([]StoreResult, error) {
	return h.results, nil
}

// Without randomness no member can be drawn; which keys their rows have is known all the same.
func TestASampleThatCannotBeDrawnIsSaid(t *testing.T) {
	f := newFleet(t, 4)
	a := f.array(ArrayOptions{PushOnly: true, ProveCalls: 1}, 0)
	a.Template.Random = iotest.ErrReader(errDown)
	if code := a.Run(t.Context()); code != ExitPeers {
		t.Errorf("exit %d", code)
	}
	r := f.reports[f.sites[0].tenant.Wwwroot]
	if !errors.Is(r.Err, errDown) || links(r) != "accepted database" || len(r.Peers) != 3 {
		t.Errorf("%+v", r)
	}
	for _, member := range f.sites[1:] {
		if calls := f.count("prove " + member.tenant.Wwwroot); calls != 1 { // each calls itself
			t.Errorf("%d calls to %s", calls, member.tenant.Wwwroot)
		}
	}
}

// As of a single tenant, whoever would have been proven is not known.
func TestAnInterruptedArrayGivesUpNoPeer(t *testing.T) {
	f := newFleet(t, 3)
	s := f.sites[0]
	for i := range 8 {
		s.tenant.History = append(s.tenant.History, Retired{Stored: storedPair(testPair(t, s.tenant.Wwwroot, clock.AddDate(0, 0, -30-i)))})
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	f.on = func(e string) {
		if e == "store "+s.tenant.Wwwroot {
			cancel(stop{errors.New("interrupted by SIGINT")})
		}
	}
	a := f.array(ArrayOptions{}, 0)
	a.Template.AbandonPending = true
	code := a.Run(ctx)
	r := f.reports[s.tenant.Wwwroot]
	if len(s.tenant.History) != 9 || code != ExitPeers {
		t.Errorf("exit %d, %d retired keys: %v %q %s", code, len(s.tenant.History), r.Err, r.Warnings, links(r))
	}
}
