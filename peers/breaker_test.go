package peers_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"renew_mnetkeys/peers"
	"renew_mnetkeys/peers/peertest"
)

// watch is a clock that a test moves.
type watch struct {
	mu  sync.Mutex
	now time.Time
}

func (w *watch) read() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *watch) move(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// impatient gives up after half a second and one try.
func impatient(o *peers.Options) { o.Timeout, o.Retries = 500*time.Millisecond, -1 }

func TestWhoDidNotAnswerIsNotAskedAgainForAMinute(t *testing.T) {
	for name, c := range map[string]struct {
		fault  peertest.Fault
		at     string // a wwwroot that differs from the peer's
		reason string // of the second try and of the first
		asked  bool   // whether the peer is called the second time too
	}{
		"a peer that hangs":                 {fault: peertest.Hang, reason: "timeout"},
		"a peer that drops connections":     {fault: peertest.Drop, reason: "connect"},
		"a port where nobody listens":       {at: "http://127.0.0.1:1", reason: "connect"},
		"a name that does not resolve":      {at: "http://nobody.example", reason: "dns"},
		"a peer that is down has answered":  {fault: peertest.Status(503), reason: "http_503", asked: true},
		"a peer with MNet off has answered": {fault: peertest.Off, reason: "mnet_off", asked: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own, other, peer := peertest.Run(t, peertest.Options{}), peertest.Run(t, peertest.Options{}), peertest.Run(t, peertest.Options{})
			introduce(t, own, peer)
			introduce(t, other, peer)
			clock := &watch{now: time.Now()}
			to := row(peer)
			if c.at != "" {
				to.Wwwroot = c.at
			}
			peer.Misbehave(c.fault)
			network := client(t, quick(impatient, func(o *peers.Options) {
				o.Now = clock.read
				o.Resolve = func(context.Context, string) ([]netip.Addr, error) { return nil, errors.New("no such host") }
			}))
			first := network.Push(t.Context(), identity(t, own), to)
			if reason(first.Failure) != c.reason || strings.Contains(first.Failure.Detail, "not tried again") {
				t.Fatalf("at first %v, want %s", first.Failure, c.reason)
			}
			clock.move(59 * time.Second)
			second := network.Prove(t.Context(), identity(t, other), to, nil, false)
			if reason(second.Failure) != c.reason {
				t.Errorf("then %v, want %s again", second.Failure, c.reason)
			}
			if told := strings.Contains(second.Failure.Detail, "not tried again"); told == c.asked || (second.Attempts > 0) != c.asked {
				t.Errorf("asked again: want %v, is %+v, %v", c.asked, second, second.Failure)
			}
			if !second.Failure.Pending && c.reason != "mnet_off" {
				t.Errorf("not asked counts as refused: %v", second.Failure)
			}
			if err := network.Reachable(t.Context(), to); !c.asked && err == nil {
				t.Error("it was connected to")
			}
			if c.at != "" {
				return
			}
			clock.move(2 * time.Second)
			peer.Misbehave()
			if third := network.Push(t.Context(), identity(t, own), to); third.Failure != nil {
				t.Errorf("after the minute: %v", third.Failure)
			}
		})
	}
}

// Several calls wait for their turn at one silent peer. The first waits for the whole timeout, and
// at most one more, which may take its place before the first has recorded the result.
func TestWhoQueuesForASilentPeerIsToldWhatTheFirstFound(t *testing.T) {
	t.Parallel()
	own, peer := peertest.Run(t, peertest.Options{}), peertest.Run(t, peertest.Options{})
	introduce(t, own, peer)
	peer.Misbehave(peertest.Hang)
	network := client(t, quick(impatient, func(o *peers.Options) { o.PerAddress = 1 }))
	sum := proveAll(t.Context(), network, identity(t, own), rowsOf([]*peertest.Site{peer, peer, peer, peer, peer, peer, peer, peer, peer, peer}))
	if sum.proven != 0 || sum.attempts > 2 || sum.took > 2*time.Second {
		t.Errorf("%d calls to a silent peer in %v, want one or two", sum.attempts, sum.took)
	}
}

func TestTheOwnSiteIsAskedAgainAndAgain(t *testing.T) {
	t.Parallel()
	own := peertest.Run(t, peertest.Options{})
	know(t, own, own)
	network := client(t, quick(func(o *peers.Options) { o.Retries = -1 }))
	own.Misbehave(peertest.Drop)
	for range 2 {
		if got := network.Prove(t.Context(), identity(t, own), row(own), nil, false); reason(got.Failure) != "connect" || got.Attempts != 1 {
			t.Fatalf("%+v, %v", got, got.Failure)
		}
	}
	own.Misbehave()
	if got := network.Prove(t.Context(), identity(t, own), row(own), nil, false); got.Failure != nil {
		t.Error(got.Failure)
	}
}

func TestATryThatWasCutShortIsNoEvidence(t *testing.T) {
	for name, end := range map[string]func(context.Context) (context.Context, context.CancelFunc){
		"by a signal": func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(30*time.Millisecond, cancel)
			return ctx, cancel
		},
		"by the deadline of the run": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 30*time.Millisecond)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own, peer := peertest.Run(t, peertest.Options{}), peertest.Run(t, peertest.Options{})
			introduce(t, own, peer)
			network := client(t, quick(func(o *peers.Options) { o.Retries = -1 }))
			ctx, cancel := end(t.Context())
			defer cancel()
			peer.Misbehave(peertest.Hang)
			if got := network.Prove(ctx, identity(t, own), row(peer), nil, false); reason(got.Failure) != "interrupted" {
				t.Fatalf("%+v, %v", got, got.Failure)
			}
			peer.Misbehave()
			if got := network.Prove(t.Context(), identity(t, own), row(peer), nil, false); got.Failure != nil {
				t.Error(got.Failure)
			}
		})
	}
}

// Two calls are under way at once: one gets no connection, the other gets an answer, and the answer
// counts.
func TestAnAnswerEndsTheSilence(t *testing.T) {
	t.Parallel()
	own, peer := peertest.Run(t, peertest.Options{}), peertest.Run(t, peertest.Options{})
	introduce(t, own, peer)
	first, second := make(chan struct{}), make(chan struct{})
	turns := make(chan func() error, 2)
	turns <- func() error { <-second; return errors.New("broken") }
	turns <- func() error { close(second); <-first; return nil }
	network := client(t, quick(func(o *peers.Options) {
		o.Retries = -1
		o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			select {
			case turn := <-turns:
				if err := turn(); err != nil {
					return nil, err
				}
			default:
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		}
	}))
	who, to := identity(t, own), row(peer)
	var both sync.WaitGroup
	prove := func() {
		got := network.Prove(t.Context(), who, to, nil, false)
		if got.Failure != nil {
			if again := network.Prove(t.Context(), who, to, nil, false); again.Attempts != 0 {
				t.Errorf("while it is silent: %+v", again)
			}
			close(first)
		}
	}
	both.Go(prove)
	both.Go(prove)
	both.Wait()
	if got := network.Prove(t.Context(), who, to, nil, false); got.Failure != nil {
		t.Error(got.Failure)
	}
}

// A peer that tries in vain to call this site back before it answers keeps its caller waiting, but
// it still accepts a forced keyswap.
func TestASealedCallWithoutAnswerKeepsNoKeyswapBack(t *testing.T) {
	own, peer := peertest.Run(t, peertest.Options{}), peertest.Run(t, peertest.Options{})
	introduce(t, own, peer)
	network := client(t, quick(impatient))
	peer.Misbehave(peertest.Hang)
	if f := network.Prove(t.Context(), identity(t, own), row(peer), nil, false).Failure; reason(f) != "timeout" {
		t.Fatal(f)
	}
	peer.Misbehave()
	if f := network.Prove(t.Context(), identity(t, own), row(peer), nil, false).Failure; f == nil {
		t.Error("a second sealed call was made")
	}
	if f := network.Push(t.Context(), identity(t, own), row(peer)).Failure; f != nil {
		t.Errorf("the keyswap: %v", f)
	}
	if f := network.Prove(t.Context(), identity(t, own), row(peer), nil, false).Failure; f != nil {
		t.Errorf("after its answer: %v", f)
	}
}
