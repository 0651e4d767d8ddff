package rotate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// Moodle's own renewal read the tenant before this run's key was stored, and overwrites the key.
func TestAKeyThatIsOverwrittenStandsInTheHistory(t *testing.T) {
	for _, c := range []struct {
		name    string
		event   string
		exit    int
		pushed  bool // members
		outcome Outcome
		peers   string
	}{
		{"before the push", "phase", ExitNotRenewed, false, Failed, "skipped "},
		{"during the push to members", "hold https://t02.example", ExitPeers, true, Renewed, "pending own_site"},
		{"during the push to peers outside", "push " + outsider, ExitPeers, true, Renewed, "pending own_site"},
	} {
		for _, cached := range []bool{true, false} {
			for _, kept := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s, cached: %v, kept: %v", c.name, cached, kept), func(t *testing.T) {
					f := newFleet(t, 3)
					s := f.sites[1]
					s.outside(outsider)
					var ours Stored
					overwrite := func() {
						if ours.Present() {
							return
						}
						ours = s.tenant.Pair
						theirs := testPair(t, s.tenant.Wwwroot, clock.Add(1))
						s.tenant.Pair, s.tenant.History = storedPair(theirs), nil
						s.tenant.Own.Certificate, s.tenant.Own.Expires = theirs.Certificate.PEM, theirs.Certificate.NotAfter.Unix()
						s.version++
						if !cached {
							s.cached = nil
						}
					}
					f.on = func(e string) {
						if e == c.event {
							overwrite()
						}
					}
					a := f.array(ArrayOptions{PushOnly: kept}, 1)
					// The phase ends with the proof of the local site.
					a.Phase = func(phase string, _ Progress) {
						if c.event == "phase" && phase == map[bool]string{true: "check", false: "renew"}[kept] {
							overwrite()
						}
					}
					code := a.Run(t.Context())
					f.on = nil
					r := f.reports[s.tenant.Wwwroot]
					outcome := c.outcome
					if kept && outcome == Renewed {
						outcome = Kept
					}
					if code != c.exit || r.Outcome != outcome || !errors.Is(r.Err, ErrConflict) || links(r) != c.peers {
						t.Errorf("exit %d, %s: %+v", code, links(r), r)
					}
					if !slices.ContainsFunc(s.tenant.History, func(h Retired) bool { return h.Stored == ours }) {
						t.Error("the key that was overwritten is lost")
					}
					if told := f.sites[0].rows[s.tenant.Wwwroot].certificate == ours.Certificate; told != (c.pushed || kept) {
						t.Errorf("the key was pushed to members: %v", told)
					}
					if s.web() != s.tenant.Pair {
						t.Error("the web server does not use the stored key")
					}
					f.reports = map[string]TenantReport{}
					if code := f.array(ArrayOptions{PushOnly: true}, 1).Run(t.Context()); code != ExitOK {
						t.Errorf("exit %d of the push afterwards: %+v", code, f.reports)
					}
				})
			}
		}
	}
}

// A run has lost its lock, and a second one renews and pushes between any two phases of it: then the
// first must not say that its links are proven unless they are, and no key may be lost.
func TestARunOfAnArrayThatLostItsLocksClaimsNothing(t *testing.T) {
	for _, phase := range []string{"check", "renew", "ask", "tell"} {
		for _, kept := range []bool{true, false} {
			t.Run(fmt.Sprintf("after %s, kept: %v", phase, kept), func(t *testing.T) {
				f := newFleet(t, 3)
				s := f.sites[1]
				keys := []Stored{s.tenant.Pair}
				second := f.array(ArrayOptions{}, 1)
				for i := range second.Members {
					second.Members[i].Lock = func(context.Context, time.Duration) (func(), error) { return func() {}, nil }
				}
				a := f.array(ArrayOptions{PushOnly: kept}, 1)
				met := false
				a.Phase = func(name string, p Progress) {
					if name != phase || p.Done < p.Total || met {
						return
					}
					met = true
					keys = append(keys, s.tenant.Pair)
					if code := second.Run(t.Context()); code != ExitOK {
						t.Errorf("exit %d of the second run: %+v", code, f.reports)
					}
					keys = append(keys, s.tenant.Pair)
				}
				code := a.Run(t.Context())
				r := f.reports[s.tenant.Wwwroot]
				if !met && !(kept && phase == "renew") {
					t.Error("there was no second run")
				}
				for _, key := range keys {
					if key != s.tenant.Pair && !slices.ContainsFunc(s.tenant.History, func(h Retired) bool { return h.Stored == key }) {
						t.Error("a key is lost")
					}
				}
				told := f.sites[0].rows[s.tenant.Wwwroot].certificate == s.tenant.Pair.Certificate
				if code == ExitOK && !told {
					t.Errorf("exit 0, and a member has another certificate: %s, %v", links(r), r.Err)
				}
				if code := f.array(ArrayOptions{PushOnly: true}, 1).Run(t.Context()); code != ExitOK {
					t.Errorf("exit %d of the push afterwards: %+v", code, f.reports)
				}
			})
		}
	}
}

// A signal arrives after the key was stored, and another program overwrites it before the report.
func TestAKeyThatIsOverwrittenInAnInterruptedRunStandsInTheHistory(t *testing.T) {
	f := newFleet(t, 3)
	s := f.sites[1]
	ctx, cancel := context.WithCancel(t.Context())
	var ours Stored
	a := f.array(ArrayOptions{}, 1)
	a.Phase = func(phase string, _ Progress) {
		if phase == "renew" {
			cancel()
			ours = s.tenant.Pair
			s.tenant.Pair, s.tenant.History = storedPair(testPair(t, s.tenant.Wwwroot, clock.Add(1))), nil
			s.version++
		}
	}
	if code := a.Run(ctx); code != ExitNotRenewed {
		t.Errorf("exit %d", code)
	}
	if r := f.reports[s.tenant.Wwwroot]; !errors.Is(r.Err, ErrConflict) || links(r) != "skipped " || r.Outcome != Failed {
		t.Errorf("%+v", r)
	}
	if !slices.ContainsFunc(s.tenant.History, func(h Retired) bool { return h.Stored == ours }) {
		t.Error("the key that was overwritten is lost")
	}
}

// With --push=keyswap no key is pushed before the tenant is read again.
func TestAKeyThatIsOverwrittenBeforeKeyswapsIsToldToNobody(t *testing.T) {
	f := newFleet(t, 3)
	s := f.sites[1]
	var ours Stored
	a := f.array(ArrayOptions{ByKeyswap: true}, 1)
	a.Phase = func(phase string, _ Progress) {
		if phase == "renew" {
			ours = s.tenant.Pair
			s.tenant.Pair, s.tenant.History = storedPair(testPair(t, s.tenant.Wwwroot, clock.Add(1))), nil
			s.version++
		}
	}
	if code := a.Run(t.Context()); code != ExitNotRenewed {
		t.Errorf("exit %d", code)
	}
	if r := f.reports[s.tenant.Wwwroot]; !errors.Is(r.Err, ErrConflict) || links(r) != "skipped " || r.Outcome != Failed {
		t.Errorf("%+v", r)
	}
	if !slices.ContainsFunc(s.tenant.History, func(h Retired) bool { return h.Stored == ours }) {
		t.Error("the key that was overwritten is lost")
	}
	if slices.ContainsFunc(f.events, func(e string) bool { return strings.HasPrefix(e, "push") }) {
		t.Errorf("the key was pushed: %q", f.events)
	}
}

// The proof of the local site fails because another program has overwritten the pair.
func TestAKeyThatIsOverwrittenBeforeItsProofStandsInTheHistory(t *testing.T) {
	for _, kept := range []bool{true, false} {
		for _, fault := range []string{"", "the database fails for a moment"} {
			t.Run(fmt.Sprintf("kept: %v, %s", kept, fault), func(t *testing.T) {
				f := newFleet(t, 3)
				s := f.sites[1]
				var ours Stored
				calls := 0
				f.on = func(e string) {
					if e != "prove "+s.tenant.Wwwroot {
						return
					}
					if calls++; calls != 2 && !kept || ours.Present() {
						return
					}
					ours = s.tenant.Pair
					theirs := testPair(t, s.tenant.Wwwroot, clock.Add(1))
					s.tenant.Pair, s.tenant.History, s.cached = storedPair(theirs), nil, nil
					s.tenant.Own.Certificate = theirs.Certificate.PEM
					s.version++
				}
				failed := fault == ""
				s.fails = func(call string) error {
					if call == "read" && ours.Present() && !failed {
						failed = true
						return errDown
					}
					return nil
				}
				code := f.array(ArrayOptions{PushOnly: kept}, 1).Run(t.Context())
				if r := f.reports[s.tenant.Wwwroot]; r.Outcome == Renewed || r.Outcome == Kept || r.Err == nil || code == ExitOK {
					t.Errorf("exit %d: %+v", code, r)
				}
				if !slices.ContainsFunc(s.tenant.History, func(h Retired) bool { return h.Stored == ours }) {
					t.Errorf("the key that was overwritten is lost: %+v", f.reports[s.tenant.Wwwroot])
				}
				if f.count("hold "+f.sites[0].tenant.Wwwroot) > 0 {
					t.Error("the key was pushed to members")
				}
			})
		}
	}
}
