package rotate

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// off switches MNet off at a site, which once had it or never had it.
func (s *fleetSite) off(never bool) {
	s.tenant.DispatcherMode = "off"
	if never {
		s.tenant.Own, s.tenant.Pair, s.cached = nil, Stored{}, nil
	}
}

func TestMNetIsStartedInPhaseTwo(t *testing.T) {
	f := newFleet(t, 6)
	f.sites[1].off(false)
	f.sites[2].off(true)
	a := f.array(ArrayOptions{})
	a.Template.NewKey = true
	checked := 0
	a.Phase = func(phase string, p Progress) {
		if phase == "check" {
			checked = p.Done
		}
	}
	f.on = func(e string) {
		if strings.HasPrefix(e, "start") && checked < 6 {
			t.Errorf("%s while tenants are still checked", e)
		}
	}
	if code := a.Run(t.Context()); code != ExitOK {
		t.Errorf("exit %d", code)
	}
	for i, s := range f.sites {
		if r := f.reports[s.tenant.Wwwroot]; r.Outcome != Renewed || r.SelfCheck != SelfProven || !s.tenant.MNetOn() {
			t.Errorf("%+v", r)
		}
		if started := slices.Contains(f.events, "start "+s.tenant.Wwwroot); started != (i == 1 || i == 2) {
			t.Errorf("%s started: %v", s.tenant.Wwwroot, started)
		}
	}
	f.proven(f.sites...)
}

func TestMNetIsNotStartedWhereNothingIsRenewed(t *testing.T) {
	for _, c := range []struct {
		name string
		o    ArrayOptions
		mode SelfCheckMode
		do   func(*fleet)
		want func(TenantReport) bool
	}{
		{"keys are only distributed", ArrayOptions{PushOnly: true}, SelfCheckAuto, func(*fleet) {},
			func(r TenantReport) bool { return errors.Is(r.Err, ErrMNetOff) }},
		{"another tenant fails", ArrayOptions{FullStop: true}, SelfCheckAuto, func(f *fleet) { f.sites[1].down = true },
			func(r TenantReport) bool { return r.Outcome == Kept && r.Err != nil }},
		{"the database is another site's", ArrayOptions{}, SelfCheckAuto, func(f *fleet) { f.sites[0].tenant.Own.Wwwroot = "https://foreign.example" },
			func(r TenantReport) bool { return r.Exit == ExitUsage }},
		{"the local site must be proven, and does not answer", ArrayOptions{}, SelfCheckRequire, func(f *fleet) { f.sites[0].own = &Failure{Reason: "connect", Pending: true} },
			func(r TenantReport) bool { return errors.Is(r.Err, ErrOwnUnreachable) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFleet(t, 2)
			f.sites[0].off(false)
			c.do(f)
			a := f.array(c.o)
			a.Template.NewKey, a.Template.SelfCheck = true, c.mode
			a.Run(t.Context())
			if r := f.reports[f.sites[0].tenant.Wwwroot]; !c.want(r) || f.sites[0].tenant.MNetOn() {
				t.Errorf("%+v", r)
			}
		})
	}
}

// If there are few places at the database, all cores must still make keys.
func TestKeysAreMadeWithoutAPlaceAtTheDatabase(t *testing.T) {
	const tenants = 4
	cores := min(tenants, runtime.GOMAXPROCS(0))
	f := newFleet(t, tenants)
	a := f.array(ArrayOptions{})
	a.Parallel = tenants
	place := make(chan struct{}, 1)
	for i, s := range f.sites {
		a.Members[i].Open = func(ctx context.Context) (*Session, error) {
			place <- struct{}{}
			session, err := s.openSession(ctx)
			leave := session.Close
			session.Close = func() { leave(); <-place }
			return session, err
		}
	}
	var begun atomic.Int32
	all := make(chan struct{})
	a.Template.GenerateKey = func(int) (*rsa.PrivateKey, error) {
		if begun.Add(1) == int32(cores) {
			close(all)
		}
		select {
		case <-all:
		case <-time.After(5 * time.Second):
			t.Error("others have not begun to make theirs")
		}
		return rsa.GenerateKey(rand.Reader, 1024)
	}
	if code := a.Run(t.Context()); code != ExitOK {
		t.Errorf("exit %d: %+v", code, f.reports)
	}
}

func TestAKeyOfTheFutureIsRenewed(t *testing.T) {
	f := newFleet(t, 2)
	s := f.sites[0]
	pair := testPair(t, s.tenant.Wwwroot, clock.AddDate(0, 2, 0))
	s.tenant.Pair, s.cached = storedPair(pair), nil
	s.tenant.Own.Certificate, s.tenant.Own.Expires = pair.Certificate.PEM, pair.Certificate.NotAfter.Unix()
	f.array(ArrayOptions{Fresh: time.Hour}, 0).Run(t.Context())
	if r := f.reports[s.tenant.Wwwroot]; r.Outcome != Renewed {
		t.Errorf("%+v", r)
	}
}

// Moodle renews an expired key by itself at any call, so it can be neither pushed nor proven, and a
// key that cannot be read signs nothing: that they are young must not keep them.
func TestAYoungKeyThatCannotBeUsedIsRenewed(t *testing.T) {
	for name, spoil := range map[string]func(*fleetSite){
		"it has expired":           func(s *fleetSite) { s.tenant.Own.Expires = clock.Add(-time.Hour).Unix() },
		"it expires in a moment":   func(s *fleetSite) { s.tenant.Own.Expires = clock.Add(time.Minute).Unix() },
		"its private key is gone":  func(s *fleetSite) { s.tenant.Pair.PrivateKey = "" },
		"its private key is waste": func(s *fleetSite) { s.tenant.Pair.PrivateKey = "waste" },
	} {
		for _, due := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, if due %v", name, due), func(t *testing.T) {
				f := newFleet(t, 2)
				s := f.sites[0]
				pair := testPair(t, s.tenant.Wwwroot, clock.Add(-5*time.Minute))
				s.tenant.Pair, s.cached = storedPair(pair), nil
				s.tenant.Own.Certificate, s.tenant.Own.Expires = pair.Certificate.PEM, pair.Certificate.NotAfter.Unix()
				spoil(s)
				a := f.array(ArrayOptions{Fresh: time.Hour}, 0)
				a.Template.Due.OnlyIfDue = due
				a.Run(t.Context())
				if r := f.reports[s.tenant.Wwwroot]; r.Outcome != Renewed || s.tenant.Pair.Certificate == pair.Certificate.PEM || s.tenant.Own.Expires <= clock.Unix() {
					t.Errorf("%s: %v", r.Outcome, r.Err)
				}
			})
		}
	}
}

// A tenant that fails its check, or keeps its key, costs no key.
func TestNoKeyIsMadeForATenantThatIsNotRenewed(t *testing.T) {
	f := newFleet(t, 3)
	f.sites[0].failsAt("read", 1)
	a := f.array(ArrayOptions{Fresh: time.Hour})
	pair := testPair(t, f.sites[1].tenant.Wwwroot, clock)
	f.sites[1].tenant.Pair, f.sites[1].cached = storedPair(pair), nil
	f.sites[1].tenant.Own.Certificate, f.sites[1].tenant.Own.Expires = pair.Certificate.PEM, pair.Certificate.NotAfter.Unix()
	var made atomic.Int32
	next := a.Template.GenerateKey
	a.Template.GenerateKey = func(bits int) (*rsa.PrivateKey, error) {
		made.Add(1)
		return next(bits)
	}
	a.Run(t.Context())
	if made.Load() != 1 {
		t.Errorf("%d keys were made: %+v", made.Load(), f.reports)
	}
}
