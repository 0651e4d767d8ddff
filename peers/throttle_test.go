package peers_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/peers"
	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

// aClock is a clock that the sleeps of the client move.
type aClock struct{ now time.Time }

func (c *aClock) options(o *peers.Options) {
	o.Random, o.Now = zeros{}, func() time.Time { return c.now }
	o.Sleep = func(_ context.Context, d time.Duration) error { c.now = c.now.Add(d); return nil }
}

func TestAPeerThatAsksForTimeIsPendingAndSaysWhenToComeBack(t *testing.T) {
	clock := aClock{now: time.Now().Truncate(time.Second)}
	own, peer := peertest.Run(t, peertest.Options{}), peertest.Run(t, peertest.Options{})
	introduce(t, own, peer)
	in := clock.now.Add(4 * time.Hour)
	for _, c := range []struct {
		fault  peertest.Fault
		reason rotate.Reason
		next   string
	}{
		{peertest.Throttled("14400"), rotate.ReasonHTTP429, rotate.FormatTime(in)},
		{peertest.Throttled(in.UTC().Format(http.TimeFormat)), rotate.ReasonHTTP429, rotate.FormatTime(in)},
		{peertest.Maintenance(14400), rotate.ReasonHTTP503, rotate.FormatTime(in)},
		{peertest.Status(429), rotate.ReasonHTTP429, "an hour"},
		{peertest.Status(503), rotate.ReasonHTTP503, "an hour"},
	} {
		for name, f := range map[string]*rotate.Failure{
			"keyswap":     client(t, quick(clock.options)).Push(t.Context(), identity(t, own), misbehaving(peer, c.fault)).Failure,
			"sealed call": client(t, quick(clock.options)).Prove(t.Context(), identity(t, own), row(peer), nil, true).Failure,
		} {
			if f == nil || f.Reason != c.reason || !f.Pending {
				t.Fatalf("%s after %q is %v, want pending with %s", name, c.fault, f, c.reason)
			}
			if next := orNext(f); !strings.Contains(next, c.next) {
				t.Errorf("the next step of %s after %q is %q, want %q in it", name, c.fault, next, c.next)
			}
		}
	}
}

func misbehaving(s *peertest.Site, f peertest.Fault) rotate.Peer {
	s.Misbehave(f)
	return row(s)
}

func orNext(f *rotate.Failure) string {
	if f.Next != "" {
		return f.Next
	}
	return f.Reason.NextStep(true)
}

func TestAPauseThatEndsAfterTheDeadlineIsNotBegun(t *testing.T) {
	own, peer := peertest.Run(t, peertest.Options{}), peertest.Run(t, peertest.Options{})
	introduce(t, own, peer)
	peer.Misbehave(peertest.Throttled("9"))
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	got := client(t, quick(func(o *peers.Options) {
		o.Sleep = func(context.Context, time.Duration) error { t.Error("it waited"); return nil }
	})).Push(ctx, identity(t, own), row(peer))
	if got.Failure == nil || got.Failure.Reason != rotate.ReasonHTTP429 || !got.Failure.Pending || got.Attempts != 1 {
		t.Errorf("got %v after %d attempts, want pending with http_429 after 1", got.Failure, got.Attempts)
	}
}

func TestAShortLimitOnSealedCallsIsWaitedFor(t *testing.T) {
	clock := aClock{now: time.Now()}
	own, peer := peertest.Run(t, peertest.Options{}), peertest.Run(t, peertest.Options{})
	introduce(t, own, peer)
	peer.MisbehaveTimes(1, peertest.Throttled("2"))
	got := client(t, quick(clock.options)).Prove(t.Context(), identity(t, own), row(peer), nil, true)
	if got.Failure != nil || got.Healed || got.Attempts != 2 {
		t.Errorf("got %v after %d attempts, want a proof at the second", got.Failure, got.Attempts)
	}
}
