package rotate

import (
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
		rowEnds     time.Time // of the own row; its certificate's end unless set
		want        time.Time
	}{
		{name: "a third of its life before its end", want: ends.Add(-third)},
		{name: "as long before as was asked", before: 3 * day, want: ends.Add(-3 * day)},
		{name: "a day and a half before at least: jobs run once a day", before: time.Hour, want: ends.Add(-day * 3 / 2)},
		{name: "not in the first third of its life, whatever was asked", before: 30 * day, want: ends.Add(-2 * third)},
		{name: "not in the first third of its life, whatever VMoodle's gap", gap: 40 * day, want: ends.Add(-2 * third)},
		{name: "VMoodle's gap before, where that is longer than a third", gap: 13 * day, want: ends.Add(-13 * day)},
		{name: "a third before, where VMoodle's gap is shorter", gap: 3 * day, want: ends.Add(-third)},
		{name: "as long before as was asked, whatever VMoodle's gap", before: 3 * day, gap: 13 * day, want: ends.Add(-3 * day)},
		{name: "before the end that the own row says, by which Moodle goes", rowEnds: made.Add(10 * day), want: made.Add(10 * day).Add(-third)},
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
	tenant := &Tenant{Own: &Peer{Expires: short.NotAfter.Unix()}}
	if at := (DuePolicy{Before: time.Hour}).renewAt(tenant, &short); !at.Equal(short.NotAfter.Add(-12 * time.Hour)) {
		t.Errorf("a key of 36 hours is due at %s", at)
	}
}

func TestAKeyThatMoodleTakesForExpiredIsDue(t *testing.T) {
	pair := testPair(t, ownURL, clock)
	tenant := &Tenant{Wwwroot: ownURL, Pair: storedPair(pair), Own: &Peer{Wwwroot: ownURL, Certificate: pair.Certificate.PEM}} // expires 0
	if !(DuePolicy{OnlyIfDue: true}).due(tenant, clock) {
		t.Error("a row without expiry is not due")
	}
}
