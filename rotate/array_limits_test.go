package rotate

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// A tenant that could not be renewed at all says nothing about what a renewal does.
func TestWhichFailuresStopAnArray(t *testing.T) {
	for _, c := range []struct {
		name         string
		o            ArrayOptions
		down, sticky []int
		renewed      int
	}{
		{"not those of the check phase", ArrayOptions{MaxFailures: 2}, []int{0, 1, 2}, nil, 5},
		{"as many as that while they are renewed", ArrayOptions{MaxFailures: 2}, []int{0}, []int{1, 2}, 0},
		{"fewer do not", ArrayOptions{MaxFailures: 2}, []int{0, 2}, []int{1}, 5},
		{"the first of any, for a full stop", ArrayOptions{FullStop: true}, []int{7}, nil, 0},
		{"the first of any, though more might fail", ArrayOptions{FullStop: true, MaxFailures: 3}, []int{7}, nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFleet(t, 8)
			for _, i := range c.down {
				f.sites[i].down = true
			}
			for _, i := range c.sticky {
				f.sites[i].sticky = true
			}
			a := f.array(c.o)
			a.Parallel = 1
			a.Run(t.Context())
			renewed := 0
			for _, r := range f.reports {
				if r.Outcome == Renewed {
					renewed++
				}
			}
			if renewed != c.renewed {
				t.Errorf("%d renewed, want %d", renewed, c.renewed)
			}
		})
	}
}

// What is said of the tenants that are left out names the tenant that failed first, and the option
// for which that stops the run.
func TestWhyTenantsAreLeftOut(t *testing.T) {
	const failed = "https://t05.example failed, and --fullstop stops then"
	for _, c := range []struct {
		name   string
		o      ArrayOptions
		breaks func(*fleet)
		want   string
	}{
		{"a check failed, not the canary", ArrayOptions{Canary: 1, FullStop: true}, func(f *fleet) { f.sites[5].down = true }, "not renewed: " + failed},
		{"the same with more canaries", ArrayOptions{Canary: 3, FullStop: true}, func(f *fleet) { f.sites[5].down = true }, "not renewed: " + failed},
		{"the canary failed", ArrayOptions{Canary: 1}, func(f *fleet) { f.sites[0].sticky = true }, "not renewed: the canary https://t00.example failed"},
		{"one failure is the limit", ArrayOptions{MaxFailures: 1}, func(f *fleet) { f.sites[0].sticky = true }, "not renewed: https://t00.example failed, and --max-failures=1 stops then"},
		{"two are", ArrayOptions{MaxFailures: 2}, func(f *fleet) { f.sites[0].sticky, f.sites[1].sticky = true, true }, "not renewed: 2 tenants failed, and --max-failures=2 stops then"},
		{"in a rollback", ArrayOptions{RollBack: true, Canary: 1, FullStop: true}, func(f *fleet) { f.sites[5].down = true }, "not rolled back: " + failed},
		{"in a push", ArrayOptions{PushOnly: true, FullStop: true}, func(f *fleet) { f.sites[5].down = true }, "not pushed: " + failed},
		{"in a push, the web server of one fails", ArrayOptions{PushOnly: true, FullStop: true}, func(f *fleet) { f.sites[5].own = &Failure{Reason: "connect", Pending: true} }, "not pushed: " + failed},
		{"in a renewal of keys that are all fresh", ArrayOptions{Canary: 1, FullStop: true, Fresh: 24 * 365 * time.Hour}, func(f *fleet) { f.sites[7].down = true }, "not pushed: https://t07.example failed, and --fullstop stops then"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, dry := range []bool{false, true} {
				if dry && !c.o.FullStop { // only a run finds out what fails while it renews
					continue
				}
				f := newFleet(t, 8)
				for _, s := range f.sites {
					s.tenant.History = []Retired{{Stored: storedPair(testPair(t, s.tenant.Wwwroot, clock.AddDate(0, 0, -25)))}}
				}
				c.breaks(f)
				a := f.array(c.o)
				a.Parallel = 1
				run := a.Run
				if dry {
					run = a.Plan
				}
				code := run(t.Context())
				left := 0
				for _, s := range f.sites {
					switch r := f.reports[s.tenant.Wwwroot]; {
					case r.Outcome == Renewed, r.Err == nil:
						t.Errorf("%s: %s, %v (dry run: %v)", r.Wwwroot, r.Outcome, r.Err, dry)
					case r.LeftOut() && r.Error == c.want && len(r.Peers) == 0:
						left++
					case r.LeftOut():
						t.Errorf("%s: %s, want %s (dry run: %v)", r.Wwwroot, r.Error, c.want, dry)
					}
				}
				if left < 6 || code != ExitNotRenewed {
					t.Errorf("%d left out, exit %d (dry run: %v)", left, code, dry)
				}
				for _, e := range f.events {
					if strings.HasPrefix(e, "hold") || strings.HasPrefix(e, "push") {
						t.Errorf("a key was pushed: %s", e)
					}
				}
			}
		})
	}
}

// A full stop leaves no tenant whose web server uses a key that its peers were not sent.
func TestAFullStopFinishesWhatWasRenewedBefore(t *testing.T) {
	f := newFleet(t, 6)
	f.sites[3].sticky = true
	a := f.array(ArrayOptions{FullStop: true})
	a.Parallel = 1
	if code := a.Run(t.Context()); code != ExitPeers {
		t.Errorf("exit %d", code)
	}
	for i, s := range f.sites {
		r := f.reports[s.tenant.Wwwroot]
		if i < 3 && (r.Outcome != Renewed || r.Err != nil) || i > 3 && !r.LeftOut() {
			t.Errorf("tenant %d: %s, %v", i, r.Outcome, r.Err)
		}
	}
	f.proven(f.sites...)
}

func TestTheExitCodeOfAnArray(t *testing.T) {
	for _, c := range []struct {
		name  string
		codes []int
		want  int
	}{
		{"all well", []int{0, 0}, 0},
		{"there is none", nil, 0},
		{"one has a peer left", []int{0, 3}, 3},
		{"one was not renewed", []int{0, 1}, 3},
		{"none was, for one reason", []int{1, 1}, 1},
		{"none was, each database being another site's", []int{2, 2}, 2},
		{"none was, all being locked", []int{5, 5}, 5},
		{"none was, for several reasons", []int{2, 5}, 1},
		{"one does not use its key", []int{0, 5, 4}, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			exits := exitCount{}
			for _, code := range c.codes {
				exits.add(TenantReport{Exit: code})
			}
			if got := exits.code(); got != c.want {
				t.Errorf("exit %d, want %d", got, c.want)
			}
		})
	}
	lost := exitCount{}
	lost.add(TenantReport{Exit: ExitOK, Err: errors.New("lost")})
	if lost.code() != ExitNotRenewed {
		t.Error("an error without a code of its own counts as success")
	}
}

func TestWhichKeysAreFresh(t *testing.T) {
	for _, c := range []struct {
		name string
		made time.Time
		want bool // with keys that are fresh for an hour
	}{
		{"made just now", clock, true},
		{"made a while ago", clock.Add(-59 * time.Minute), true},
		{"made longer ago", clock.Add(-61 * time.Minute), false},
		{"made just as long ago", clock.Add(-time.Hour), false},
		{"made by a clock that is ahead", clock.Add(time.Second), false},
		{"of the year after next", clock.AddDate(2, 0, 0), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFleet(t, 1)
			s := f.sites[0]
			pair := testPair(t, s.tenant.Wwwroot, c.made)
			s.tenant.Pair, s.tenant.Own.Certificate = storedPair(pair), pair.Certificate.PEM
			if got := f.array(ArrayOptions{Fresh: time.Hour}).fresh(&s.tenant); got != c.want {
				t.Errorf("fresh: %v", got)
			}
			if f.array(ArrayOptions{}).fresh(&s.tenant) {
				t.Error("fresh, although no key is to count as that")
			}
		})
	}
}

// A tenant whose key is not due does not show whether this run's renewals work.
func TestATenantThatIsNotDueIsNoCanary(t *testing.T) {
	f := newFleet(t, 6)
	for i, s := range f.sites { // the first was renewed five days ago, the others expire tomorrow
		age := 27
		if i == 0 {
			age = 5
		}
		pair := testPair(t, s.tenant.Wwwroot, clock.AddDate(0, 0, -age))
		s.tenant.Pair, s.cached = storedPair(pair), nil
		s.tenant.Own.Certificate, s.tenant.Own.Expires = pair.Certificate.PEM, pair.Certificate.NotAfter.Unix()
		for _, other := range f.sites {
			if other != s {
				other.rows[s.tenant.Wwwroot] = &fleetRow{certificate: pair.Certificate.PEM}
			}
		}
	}
	for _, s := range f.sites {
		s.web() // fills its cache
	}
	f.sites[1].sticky = true
	a := f.array(ArrayOptions{Canary: 1}, 0, 1, 2, 3, 4, 5)
	a.Template.Due.OnlyIfDue = true
	a.Run(t.Context())
	if first, canary := f.reports[f.sites[0].tenant.Wwwroot], f.reports[f.sites[1].tenant.Wwwroot]; first.Outcome != Kept || first.SelfCheck != SelfProven || canary.Outcome != Undone {
		t.Fatalf("the first: %s, %s, %v; the canary: %s, %v", first.Outcome, first.SelfCheck, first.Err, canary.Outcome, canary.Err)
	}
	for i, s := range f.sites[2:] {
		if got := f.reports[s.tenant.Wwwroot]; got.Outcome != Kept || got.Err == nil {
			t.Errorf("tenant %d, behind a canary that failed: %s, %v", i+2, got.Outcome, got.Err)
		}
	}
}
