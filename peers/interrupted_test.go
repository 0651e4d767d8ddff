package peers_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/peers"
	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

// Wherever a call is when its caller's context ends, it reports that. The two causes are a signal
// and the deadline of the run.
func TestACallThatItsCallerEndsIsInterrupted(t *testing.T) {
	type end func(context.Context, time.Duration) (context.Context, context.CancelFunc)
	ends := map[string]end{
		"cancelled": func(ctx context.Context, after time.Duration) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(after, cancel)
			return ctx, cancel
		},
		"its deadline": context.WithTimeout,
	}
	untilOver := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for _, c := range []struct {
		name   string
		fault  peertest.Fault
		change func(*peers.Options)
		detail string
	}{
		{"while the name is looked up", "", func(o *peers.Options) {
			o.Resolve = func(ctx context.Context, _ string) ([]netip.Addr, error) { return nil, untilOver(ctx) }
		}, "before an answer"},
		{"while it connects", "", func(o *peers.Options) {
			o.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) { return nil, untilOver(ctx) }
		}, "before an answer"},
		{"while it waits for the answer", peertest.Hang, nil, "before an answer"},
		{"while the answer drips", peertest.Drip(time.Hour), nil, "before an answer"},
		{"while it waits to try again", peertest.Status(500), func(o *peers.Options) {
			o.Sleep = func(ctx context.Context, _ time.Duration) error { return untilOver(ctx) }
		}, ""}, // for the text see TestAnInterruptedPauseSaysSoAndNamesTheLastFailure
	} {
		for how, end := range ends {
			t.Run(c.name+", "+how, func(t *testing.T) {
				t.Parallel()
				own, peer := peertest.Run(t, peertest.Options{}), peertest.Run(t, peertest.Options{})
				introduce(t, own, peer)
				peer.Misbehave(c.fault)
				who, to := identity(t, own), row(peer)
				to.Wwwroot = strings.Replace(to.Wwwroot, "127.0.0.1", "peer.example", 1)
				network := client(t, quick(func(o *peers.Options) {
					o.Timeout = time.Minute
					o.Resolve = func(context.Context, string) ([]netip.Addr, error) {
						return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
					}
				}, func(o *peers.Options) {
					if c.change != nil {
						c.change(o)
					}
				}))
				prove := func(after time.Duration) rotate.Proof {
					ctx, cancel := end(t.Context(), after)
					defer cancel()
					return network.Prove(ctx, who, to, nil, false)
				}
				after := 300 * time.Millisecond
				got := prove(after)
				// A busy machine may need more time than that to get as far as the exchange.
				for ; after < 20*time.Second && got.Failure != nil && strings.Contains(got.Failure.Detail, "its turn"); got = prove(after) {
					after *= 2
				}
				if reason(got.Failure) != "interrupted" || !got.Failure.Pending || !strings.Contains(got.Failure.Detail, c.detail) {
					t.Errorf("failure is %v", got.Failure)
				}
				// The interruption is no evidence against the peer.
				if again := prove(50 * time.Millisecond); again.Attempts != 1 || reason(again.Failure) != "interrupted" {
					t.Errorf("then %+v, %v", again, again.Failure)
				}
			})
		}
	}
}

func TestACallThatIsEndedWhileItWaitsForItsTurnIsInterrupted(t *testing.T) {
	own, peer := peertest.Run(t, peertest.Options{}), peertest.Run(t, peertest.Options{})
	introduce(t, own, peer)
	peer.Misbehave(peertest.Hang)
	network := client(t, quick(func(o *peers.Options) { o.PerAddress, o.Timeout = 1, time.Minute }))
	first, endFirst := context.WithCancel(t.Context())
	done := make(chan rotate.Push, 1)
	who, to := identity(t, own), row(peer)
	go func() { done <- network.Push(first, who, to) }()
	for peer.State().Exchanges == 0 {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if got := network.Push(ctx, who, to); reason(got.Failure) != "interrupted" || !strings.Contains(got.Failure.Detail, "its turn") {
		t.Errorf("failure is %v", got.Failure)
	}
	endFirst()
	if got := <-done; reason(got.Failure) != "interrupted" {
		t.Errorf("the first: %v", got.Failure)
	}
}

// The caller has more time than the exchange: so the peer did not answer.
func TestOptionsTimeoutIsNoInterruption(t *testing.T) {
	own, peer := peertest.Run(t, peertest.Options{}), peertest.Run(t, peertest.Options{})
	introduce(t, own, peer)
	peer.Misbehave(peertest.Hang)
	network := client(t, quick(func(o *peers.Options) { o.Timeout, o.Retries = 50*time.Millisecond, -1 }))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if got := network.Push(ctx, identity(t, own), row(peer)); reason(got.Failure) != "timeout" {
		t.Errorf("failure is %v", got.Failure)
	}
}
