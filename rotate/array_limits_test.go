package rotate

import (
	"errors"
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
