package rotate

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

func TestWhenAKeyIsDue(t *testing.T) {
	const day = 24 * time.Hour
	made := clock
	pair := testPair(t, ownURL, made) // for 28 days
	ends := pair.Certificate.NotAfter
	third := ends.Sub(pair.Certificate.NotBefore) / 3
	for _, c := range []struct {
		name        string
		before, gap time.Duration
		rowEnds     time.Time // expiry in the local host row; that of its certificate unless set
		want        time.Time
	}{
		{name: "a third of its life before its end", want: ends.Add(-third)},
		{name: "as long before as was asked", before: 3 * day, want: ends.Add(-3 * day)},
		{name: "as short before as was asked", before: time.Hour, want: ends.Add(-time.Hour)},
		{name: "in the first third of its life, as was asked", before: 27 * day, want: ends.Add(-27 * day)},
		{name: "not in the first third of its life, whatever VMoodle's gap", gap: 40 * day, want: ends.Add(-2 * third)},
		{name: "VMoodle's gap before, where that is longer than a third", gap: 13 * day, want: ends.Add(-13 * day)},
		{name: "a third before, where VMoodle's gap is shorter", gap: 3 * day, want: ends.Add(-third)},
		{name: "as long before as was asked, whatever VMoodle's gap", before: 3 * day, gap: 13 * day, want: ends.Add(-3 * day)},
		{name: "before the expiry in the local host row, which counts for Moodle", rowEnds: made.Add(10 * day), want: made.Add(10 * day).Add(-third)},
		{name: "not later for a row that says so", rowEnds: ends.Add(10 * day), want: ends.Add(-third)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.rowEnds.IsZero() {
				c.rowEnds = ends
			}
			tenant := &Tenant{Wwwroot: ownURL, Pair: storedPair(pair), AutoRenewGap: c.gap,
				Own: &Peer{Wwwroot: ownURL, Certificate: pair.Certificate.PEM, Expires: c.rowEnds.Unix()}}
			policy := DuePolicy{OnlyIfDue: true, Before: c.before}
			if at := policy.renewAt(tenant, pair.Certificate); !at.Equal(c.want) {
				t.Errorf("due at %s, want %s", at, c.want)
			}
			if policy.due(tenant, c.want.Add(-time.Second)) || !policy.due(tenant, c.want) {
				t.Error("it is due before its time, or not at it")
			}
			if !(DuePolicy{}).due(tenant, made) {
				t.Error("without the policy it is not always due")
			}
		})
	}
}

func TestAKeyOfAShortLifeIsNotAlwaysDue(t *testing.T) {
	pair := testPair(t, ownURL, clock)
	short := *pair.Certificate
	short.NotAfter = short.NotBefore.Add(36 * time.Hour)
	tenant := &Tenant{AutoRenewGap: 72 * time.Hour, Own: &Peer{Expires: short.NotAfter.Unix()}}
	if at := (DuePolicy{}).renewAt(tenant, &short); !at.Equal(short.NotAfter.Add(-24 * time.Hour)) {
		t.Errorf("a key of 36 hours is due at %s", at)
	}
}

// A key that is due for its whole lifetime would be renewed at every run: that is refused with the
// reason. The lifetime of a new key counts, whatever is left of the stored one.
func TestATimeBeforeExpiryThatIsLongerThanTheLifeIsRefused(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		name   string
		days   int // --days
		before time.Duration
		want   string
	}{
		{"shorter than the site's life", 0, 28*day - time.Second, ""},
		{"as long as the site's life", 0, 28 * day, "--renew-before (28d) is not shorter than the life of a new key (28d): every run would renew the key"},
		{"shorter than --days", 60, 59 * day, ""},
		{"longer than --days", 7, 7*day + time.Hour, "--renew-before (169h) is not shorter than the life of a new key (7d): every run would renew the key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := Options{Days: c.days, Due: DuePolicy{OnlyIfDue: true, Before: c.before}}
			w, f := newWorld(t), newFleet(t, 2)
			w.addPeer(peerA, fakePeer{})
			stored := w.tenant.Pair
			planned := w.renewal(o).Plan(t.Context())
			array := f.array(ArrayOptions{})
			array.Template.Days, array.Template.Due = o.Days, o.Due
			reports := map[string]TenantReport{"the dry run": planned, "the run": w.renewal(o).Run(t.Context())}
			codes := []int{array.Plan(t.Context())}
			reports["the array's dry run"] = f.reports[f.sites[0].tenant.Wwwroot]
			codes = append(codes, array.Run(t.Context()))
			reports["the array"] = f.reports[f.sites[0].tenant.Wwwroot]
			exit := ExitOK
			if c.want != "" {
				exit = ExitUsage
			}
			for what, r := range reports {
				if r.Error != c.want || r.Exit != exit || HintOf(r.Err) == "" && exit != ExitOK {
					t.Errorf("%s: exit %d, %q", what, r.Exit, r.Error)
				}
			}
			if codes[0] != exit || codes[1] != exit {
				t.Errorf("exit codes %d", codes)
			}
			if exit != ExitOK && (w.tenant.Pair != stored || len(w.happened("push", "store")) > 0) {
				t.Errorf("something was done: %q", w.events)
			}
		})
	}
}

func TestAKeyThatMoodleTakesForExpiredIsDue(t *testing.T) {
	pair := testPair(t, ownURL, clock)
	// Expires is 0.
	tenant := &Tenant{Wwwroot: ownURL, Pair: storedPair(pair), Own: &Peer{Wwwroot: ownURL, Certificate: pair.Certificate.PEM}}
	if !(DuePolicy{OnlyIfDue: true}).due(tenant, clock) {
		t.Error("a row without expiry is not due")
	}
}

// A copy of a site has the key of the original. A push by the databases would let the copy speak with
// it, although no peer accepts it by a keyswap.
func TestAKeyOfAnotherSiteIsRenewedAndNotPushed(t *testing.T) {
	copied := func() *world {
		w := newWorld(t)
		w.addPeer(peerA, fakePeer{})
		w.tenant.Pair = storedPair(testPair(t, "https://original.example", clock.AddDate(0, 0, -1)))
		w.tenant.Own.Certificate, w.tenant.Own.Expires = w.tenant.Pair.Certificate, clock.AddDate(0, 0, 27).Unix()
		return w
	}
	for name, run := range map[string]func(*Renewal, context.Context) TenantReport{"push": (*Renewal).Distribute, "verify": (*Renewal).Verify, "dry run": (*Renewal).PlanDistribute} {
		w := copied()
		if r := run(w.renewal(Options{}), t.Context()); !errors.Is(r.Err, ErrOtherName) || r.Exit != ExitNotRenewed || len(w.happened("push", "prove")) > 0 {
			t.Errorf("%s: exit %d, %v, %q", name, r.Exit, r.Err, w.events)
		}
	}
	w := copied()
	r, theirs := w.renewal(Options{}), w.tenant.Pair
	r.Due.OnlyIfDue = true
	if got := r.Run(t.Context()); got.Outcome != Renewed || got.Exit != ExitOK || !slices.Contains(got.Warnings, keyOfOther("https://original.example")) || !slices.ContainsFunc(w.tenant.History, func(h Retired) bool { return h.Stored == theirs }) {
		t.Errorf("%+v, %v", got, got.Err)
	}
	for _, selected := range [][]int{{0, 1, 2}, {1, 2}} { // the others are not told either
		f := newFleet(t, 3)
		s, other := f.sites[0], f.sites[2]
		s.tenant.Pair = storedPair(testPair(t, f.sites[1].tenant.Wwwroot, clock.AddDate(0, 0, -1)))
		s.tenant.Own.Certificate, s.cached = s.tenant.Pair.Certificate, &s.tenant.Pair
		f.array(ArrayOptions{PushOnly: true}, selected...).Run(t.Context())
		if got := f.reports[s.tenant.Wwwroot]; selected[0] == 0 && !errors.Is(got.Err, ErrOtherName) || other.rows[s.tenant.Wwwroot].certificate == s.tenant.Pair.Certificate {
			t.Errorf("%v: %v", selected, got.Err)
		}
		f.array(ArrayOptions{}, selected...).Survey(t.Context(), SurveyVerify)
		if p := linkTo(f.reports[other.tenant.Wwwroot], s.tenant.Wwwroot); p.Outcome != Refused || p.Reason != ReasonBadCertificate {
			t.Errorf("%v: %+v", selected, p)
		}
	}
}
