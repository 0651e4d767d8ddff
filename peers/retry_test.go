package peers_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/peers"
	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

// zeros is randomness that makes every pause as short as possible: half of the back-off.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestOnlyWhatARetryCanCureIsTriedAgain(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name   string
		times  int // how often the peer misbehaves
		fault  peertest.Fault
		change func(*peers.Options)
		row    func(*rotate.Peer)
		reason string
		pauses []time.Duration // slept, in order; one fewer than the attempts
	}{
		{name: "a peer that is down for a moment", times: 2, fault: peertest.Status(502), pauses: []time.Duration{250 * ms, 500 * ms}},
		{name: "a peer that stays down", times: 9, fault: peertest.Status(500), reason: "http_500", pauses: []time.Duration{250 * ms, 500 * ms}},
		{name: "a connection that breaks once", times: 1, fault: peertest.Drop, pauses: []time.Duration{250 * ms}},
		{name: "maintenance that says when it ends, soon", times: 1, fault: peertest.Maintenance(7), pauses: []time.Duration{7 * time.Second}},
		{name: "maintenance that asks for less than the back-off", times: 1, fault: peertest.Maintenance(0), pauses: []time.Duration{250 * ms}},
		{name: "maintenance that takes minutes is not waited for", times: 9, fault: peertest.Maintenance(300), reason: "http_503"},
		{name: "a silent peer", times: 9, fault: peertest.Hang, change: func(o *peers.Options) { o.Timeout = 50 * ms },
			reason: "timeout", pauses: []time.Duration{250 * ms, 500 * ms}},
		{name: "a port where nobody listens", row: func(p *rotate.Peer) { p.Wwwroot = "http://127.0.0.1:1" },
			reason: "connect", pauses: []time.Duration{250 * ms, 500 * ms}},
		{name: "a limit that says when it ends, soon", times: 1, fault: peertest.Throttled("3"), pauses: []time.Duration{3 * time.Second}},
		{name: "a limit that names a date long past", times: 1, fault: peertest.Throttled("Fri, 31 Dec 1999 23:59:59 GMT"), pauses: []time.Duration{250 * ms}},
		{name: "a limit that takes longer is not waited for", times: 9, fault: peertest.Throttled("11"), reason: "http_429"},
		{name: "a limit that says nothing is not waited for", times: 9, fault: peertest.Status(429), reason: "http_429"},
		{name: "a limit whose end nobody can read", times: 1, fault: peertest.Throttled("soon"), pauses: []time.Duration{250 * ms}},
		{name: "more retries wait longer, up to ten seconds", times: 9, fault: peertest.Status(500),
			change: func(o *peers.Options) { o.Retries = 6 }, reason: "http_500",
			pauses: []time.Duration{250 * ms, 500 * ms, 1000 * ms, 2000 * ms, 4000 * ms, 5000 * ms}},
		{name: "no retries", times: 1, fault: peertest.Drop, change: func(o *peers.Options) { o.Retries = -1 }, reason: "connect"},
		{name: "not found is a refusal", times: 1, fault: peertest.Status(404), reason: "http_404"},
		{name: "MNet off is a refusal", times: 1, fault: peertest.Off, reason: "mnet_off"},
		{name: "a redirect is a refusal", times: 1, fault: peertest.Redirect, reason: "http_301"},
		{name: "a fault is a refusal", times: 1, fault: peertest.Answers(7018), reason: "fault_7018"},
		{name: "HTML is a refusal", times: 1, fault: peertest.HTML, reason: "not_xmlrpc"},
		{name: "a flood is a refusal", times: 1, fault: peertest.Flood, reason: "too_large"},
		{name: "another site's certificate is a refusal", times: 1, fault: peertest.OtherCertificate, reason: "bad_certificate"},
		{name: "a failed handshake stays failed", row: func(p *rotate.Peer) { p.Wwwroot = strings.Replace(p.Wwwroot, "http:", "https:", 1) }, reason: "tls"},
		{name: "a wwwroot that is no address stays none", row: func(p *rotate.Peer) { p.Wwwroot = "moodle.example" }, reason: "connect"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			own, peer := peertest.Run(t, peertest.Options{}), peertest.Run(t, peertest.Options{})
			introduce(t, own, peer)
			peer.MisbehaveTimes(c.times, c.fault)
			var pauses []time.Duration
			o := quick(func(o *peers.Options) {
				o.Random = zeros{}
				o.Sleep = func(_ context.Context, d time.Duration) error { pauses = append(pauses, d); return nil }
			})
			if c.change != nil {
				c.change(&o)
			}
			to := row(peer)
			if c.row != nil {
				c.row(&to)
			}
			got := client(t, o).Push(t.Context(), identity(t, own), to)
			if reason(got.Failure) != c.reason {
				t.Errorf("failure is %v, want reason %q", got.Failure, c.reason)
			}
			if !slices.Equal(pauses, c.pauses) {
				t.Errorf("waited %v, want %v", pauses, c.pauses)
			}
			// A failure before anything is sent counts no exchange.
			if want := len(c.pauses) + 1; got.Attempts != want && to.Wwwroot != "moodle.example" {
				t.Errorf("took %d attempts, want %d", got.Attempts, want)
			}
		})
	}
}

func TestPausesAreSpread(t *testing.T) {
	own, peer := peertest.Run(t, peertest.Options{}), peertest.Run(t, peertest.Options{})
	introduce(t, own, peer)
	peer.Misbehave(peertest.Status(500))
	seen := map[time.Duration]bool{}
	c := client(t, quick(func(o *peers.Options) {
		o.Retries = 1
		o.Sleep = func(_ context.Context, d time.Duration) error { seen[d] = true; return nil }
	}))
	for range 20 {
		c.Push(t.Context(), identity(t, own), row(peer))
	}
	for d := range seen {
		if d < 250*time.Millisecond || d >= 750*time.Millisecond {
			t.Errorf("first pause is %v, want 250ms to 750ms", d)
		}
	}
	if len(seen) < 10 {
		t.Errorf("20 pauses have %d lengths: no jitter", len(seen))
	}
}

func TestAnInterruptedPauseSaysSoAndNamesTheLastFailure(t *testing.T) {
	own, peer := peertest.Run(t, peertest.Options{}), peertest.Run(t, peertest.Options{})
	introduce(t, own, peer)
	peer.Misbehave(peertest.Status(500))
	c := client(t, quick(func(o *peers.Options) {
		o.Sleep = func(context.Context, time.Duration) error { return context.Canceled }
	}))
	if got := c.Push(t.Context(), identity(t, own), row(peer)); reason(got.Failure) != "interrupted" ||
		!strings.Contains(got.Failure.Detail, "http_500") || got.Attempts != 1 {
		t.Errorf("got %v after %d attempts, want interrupted after 1 that ended with http_500", got.Failure, got.Attempts)
	}
}

func TestAPausingPeerHoldsNoPlace(t *testing.T) {
	own, broken, live := peertest.Run(t, peertest.Options{}), peertest.Run(t, peertest.Options{}), peertest.Run(t, peertest.Options{})
	introduce(t, own, broken)
	introduce(t, own, live)
	broken.MisbehaveTimes(1, peertest.Status(500))
	var c *peers.Client
	var meanwhile rotate.Push
	c = client(t, quick(func(o *peers.Options) {
		o.Concurrency, o.PerAddress = 1, 1
		o.Sleep = func(ctx context.Context, _ time.Duration) error {
			meanwhile = c.Push(ctx, identity(t, own), row(live))
			return nil
		}
	}))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if got := c.Push(ctx, identity(t, own), row(broken)); got.Failure != nil || meanwhile.Failure != nil {
		t.Errorf("pushes ended with %v and, during its pause, %v", got.Failure, meanwhile.Failure)
	}
}

func TestNamesAreResolvedOnceAndFailuresAgain(t *testing.T) {
	own, peer := peertest.Run(t, peertest.Options{}), peertest.Run(t, peertest.Options{})
	introduce(t, own, peer)
	lookups := 0
	c := client(t, quick(func(o *peers.Options) {
		o.Resolve = func(context.Context, string) ([]netip.Addr, error) {
			lookups++
			if lookups < 3 {
				return nil, errors.New("server misbehaving")
			}
			return []netip.Addr{netip.MustParseAddr("::ffff:127.0.0.1")}, nil
		}
	}))
	to := row(peer)
	to.Wwwroot = strings.Replace(to.Wwwroot, "127.0.0.1", "peer.example", 1)
	for range 3 {
		if err := c.Reachable(t.Context(), to); err != nil {
			t.Fatal(err)
		}
	}
	if lookups != 3 {
		t.Errorf("resolved %d times, want twice in vain and once", lookups)
	}
	addr, err := c.Address(t.Context(), to.Wwwroot)
	if err != nil || addr != netip.MustParseAddr("127.0.0.1") {
		t.Errorf("address is %v (%v), want 127.0.0.1", addr, err)
	}
}

func TestTheSecondAddressIsTriedWhenTheFirstIsDead(t *testing.T) {
	peer := peertest.Run(t, peertest.Options{})
	c := client(t, quick(func(o *peers.Options) {
		o.Retries = -1
		o.Resolve = func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("127.0.9.9"), netip.MustParseAddr("127.0.0.1")}, nil
		}
	}))
	to := row(peer)
	to.Wwwroot = strings.Replace(to.Wwwroot, "127.0.0.1", "peer.example", 1)
	if err := c.Reachable(t.Context(), to); err != nil {
		t.Error(err)
	}
}

// The first address swallows packets: it may use its share of the time, and no more.
func TestABlackHoleLeavesTimeForTheNextAddress(t *testing.T) {
	t.Parallel()
	peer := peertest.Run(t, peertest.Options{})
	c := client(t, quick(func(o *peers.Options) {
		o.Retries, o.Timeout = -1, 2*time.Second
		o.Resolve = func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("127.0.0.1")}, nil
		}
		o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if strings.HasPrefix(addr, "192.0.2.1:") {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		}
	}))
	to := row(peer)
	to.Wwwroot = strings.Replace(to.Wwwroot, "127.0.0.1", "peer.example", 1)
	if err := c.Reachable(t.Context(), to); err != nil {
		t.Error(err)
	}
}
