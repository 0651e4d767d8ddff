package peers_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"renew_mnetkeys/peers"
	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

// array is a VMoodle array: the local site and stock peers, all on one address, whose workers they
// share.
func array(t testing.TB, pool *peertest.Pool, size int, callTimeout time.Duration) (own *peertest.Site, others []*peertest.Site) {
	t.Helper()
	o := peertest.Options{Kind: peertest.Stock, Pool: pool, CallTimeout: callTimeout, Latency: 20 * time.Millisecond}
	own = peertest.Run(t, o)
	o.Key = peertest.NewKeyPair("shared", 1024).Private
	for range size {
		peer := peertest.Run(t, o)
		introduce(t, own, peer)
		others = append(others, peer)
	}
	return own, others
}

// outcome sums up the proofs of many peers.
type outcome struct {
	proven, attempts int
	took             time.Duration
}

// proveAll proves all peers at once, as the renewal does.
func proveAll(ctx context.Context, c *peers.Client, who rotate.Identity, rows []rotate.Peer) (sum outcome) {
	proofs := make([]rotate.Proof, len(rows))
	started := time.Now()
	var all sync.WaitGroup
	for i, p := range rows {
		all.Go(func() { proofs[i] = c.Prove(ctx, who, p, nil, false) })
	}
	all.Wait()
	sum.took = time.Since(started)
	for _, proof := range proofs {
		sum.attempts += proof.Attempts
		if proof.Failure == nil {
			sum.proven++
		}
	}
	return sum
}

func rowsOf(sites []*peertest.Site) []rotate.Peer {
	rows := make([]rotate.Peer, len(sites))
	for i, s := range sites {
		rows[i] = row(s)
	}
	return rows
}

// A stock peer calls the local site back while it occupies a worker. With five workers and four
// calls, one worker is left for the call-backs; with six calls, all workers wait for each other
// until the call-backs time out.
func TestFourCallsPerAddressLeaveAPoolOfFiveRoomToHeal(t *testing.T) {
	const workers, size = 5, 12

	measure := func(t *testing.T, perAddress int, pool *peertest.Pool, callTimeout time.Duration) outcome {
		own, others := array(t, pool, size, callTimeout)
		rows := rowsOf(others)
		renew(t, own, true)
		c := client(t, quick(func(o *peers.Options) { o.PerAddress, o.Timeout, o.Retries = perAddress, 2*callTimeout, -1 }))
		got := proveAll(t.Context(), c, identity(t, own), rows)
		t.Logf("%d calls at once on %d workers: %d of %d peers proven by %d calls in %v",
			perAddress, workers, got.proven, size, got.attempts, got.took.Round(time.Millisecond))
		return got
	}

	for name, pool := range map[string]*peertest.Pool{
		"workers held for a request, as PHP-FPM's":        peertest.NewPool(workers),
		"workers held for a connection, as mod_php's are": peertest.NewPreforkPool(workers),
	} {
		t.Run(name, func(t *testing.T) {
			if got := measure(t, 4, pool, 20*time.Second); got.proven != size || got.attempts != size {
				t.Errorf("%d of %d proven by %d calls, want each at its first", got.proven, size, got.attempts)
			}
		})
	}
	t.Run("six at once lock the pool until the call-backs time out", func(t *testing.T) {
		if got := measure(t, 6, peertest.NewPool(workers), 300*time.Millisecond); got.proven == size && got.attempts == size {
			t.Errorf("all proven at their first call in %v: the limit per address would protect from nothing", got.took)
		}
	})
}

// gate is a network on which every connection waits until the gate is opened. It counts the waiting
// connections.
type gate struct {
	real   func(addr string) string // the real location of an address
	opened chan struct{}

	mu     sync.Mutex
	now    int
	byHost map[string]int
	top    map[string]int
}

func newGate() *gate {
	return &gate{
		real:   func(addr string) string { return addr },
		opened: make(chan struct{}), byHost: map[string]int{}, top: map[string]int{},
	}
}

func (g *gate) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, _, _ := net.SplitHostPort(addr)
	g.count(host, 1)
	<-g.opened
	conn, err := new(net.Dialer).DialContext(ctx, network, g.real(addr))
	if err != nil {
		g.count(host, -1)
		return nil, err
	}
	return &gatedConn{Conn: conn, closed: func() { g.count(host, -1) }}, nil
}

func (g *gate) count(host string, by int) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now += by
	g.byHost[host] += by
	g.top[host] = max(g.top[host], g.byHost[host])
	g.top["all"] = max(g.top["all"], g.now)
	return g.now
}

// fill waits until the given number of connections wait at the gate, and a little longer for one
// too many, then opens it.
func (g *gate) fill(t *testing.T, want int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); g.count("none", 0) < want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections at once, want %d", g.count("none", 0), want)
		}
	}
	time.Sleep(50 * time.Millisecond)
	close(g.opened)
}

type gatedConn struct {
	net.Conn
	once   sync.Once
	closed func()
}

func (c *gatedConn) Close() error {
	c.once.Do(c.closed)
	return c.Conn.Close()
}

func TestLimitsHoldOverAllAndPerAddress(t *testing.T) {
	const perAddress, all = 2, 5
	own := peertest.Run(t, peertest.Options{})
	shared := peertest.NewKeyPair("shared", 1024).Private
	var rows []rotate.Peer
	for i := range 20 {
		peer := peertest.Run(t, peertest.Options{Address: fmt.Sprintf("127.0.1.%d:0", 1+i%4), Key: shared})
		introduce(t, own, peer)
		rows = append(rows, row(peer))
	}
	g := newGate()
	c := client(t, quick(func(o *peers.Options) { o.PerAddress, o.Concurrency, o.Dial = perAddress, all, g.dial }))
	results := make(chan outcome, 1)
	who := identity(t, own)
	go func() { results <- proveAll(t.Context(), c, who, rows) }()
	g.fill(t, all)
	if got := <-results; got.proven != len(rows) {
		t.Errorf("%d of %d proven", got.proven, len(rows))
	}
	for host, top := range g.top {
		if want := map[bool]int{true: all, false: perAddress}[host == "all"]; top > want {
			t.Errorf("%d connections at once to %s, want at most %d", top, host, want)
		}
	}
	if left := g.count("none", 0); left != 0 {
		t.Errorf("%d connections are still open", left)
	}
}

// Virtual hosts of one array have many names and one address: they share its limit.
func TestTheLimitIsOfTheAddressNotOfTheName(t *testing.T) {
	const perAddress = 2
	site := peertest.Run(t, peertest.Options{})
	g := newGate()
	g.real = func(string) string { return strings.TrimPrefix(site.Wwwroot(), "http://") }
	c := client(t, quick(func(o *peers.Options) {
		o.PerAddress, o.Dial = perAddress, g.dial
		o.Resolve = func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil
		}
	}))
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() {
			if err := c.Reachable(t.Context(), rotate.Peer{Wwwroot: fmt.Sprintf("http://tenant%d.example", i)}); err != nil {
				t.Error(err)
			}
		})
	}
	g.fill(t, perAddress)
	all.Wait()
	if g.top["192.0.2.1"] != perAddress {
		t.Errorf("%d connections at once to one address under six names, want %d", g.top["192.0.2.1"], perAddress)
	}
}

// A dozen silent peers on three addresses, more than there are places in total, are among thirty
// peers that answer: the thirty must not wait for them.
func TestSilentPeersDelayNobodyElse(t *testing.T) {
	const timeout = 20 * time.Second // the test does not wait this long unless it fails
	own := peertest.Run(t, peertest.Options{})
	shared := peertest.NewKeyPair("shared", 1024).Private
	var silent, live []rotate.Peer
	for i := range 42 {
		o := peertest.Options{Address: fmt.Sprintf("127.0.2.%d:0", 1+i), Key: shared}
		if i < 12 {
			o.Address = fmt.Sprintf("127.0.2.%d:0", 1+i%3)
		}
		peer := peertest.Run(t, o)
		introduce(t, own, peer)
		if i < 12 {
			peer.Misbehave(peertest.Hang)
			silent = append(silent, row(peer))
		} else {
			live = append(live, row(peer))
		}
	}
	who := identity(t, own)
	c := client(t, quick(func(o *peers.Options) { o.Concurrency, o.PerAddress, o.Timeout, o.Retries = 8, 1, timeout, -1 }))

	ctx, enough := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	waiting.Go(func() { proveAll(ctx, c, who, silent) })
	time.Sleep(20 * time.Millisecond) // the silent peers come first
	got := proveAll(t.Context(), c, who, live)
	if got.proven != len(live) || got.took >= timeout {
		t.Errorf("%d of %d live peers proven in %v, want all before the silent ones time out (%v)", got.proven, len(live), got.took, timeout)
	}
	enough()
	waiting.Wait()
}
