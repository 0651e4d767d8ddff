package peers_test

import (
	"context"
	"crypto/rsa"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/internal/testkey"
	"renew_mnetkeys/peers"
	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

// chaos is one local site that has renewed its key, and what its peers are made of.
type chaos struct {
	own       *peertest.Site
	who       rotate.Identity
	former    string // the local certificate that all peers have
	authority *peertest.Authority
	keys      [2]*rsa.PrivateKey // of all peers: the current and the retired one
}

func newChaos(t *testing.T) *chaos {
	t.Helper()
	c := &chaos{authority: peertest.NewAuthority()}
	for i := range c.keys {
		c.keys[i] = testkey.Key(1024)
	}
	c.own = peertest.Run(t, peertest.Options{})
	c.former = c.own.Certificate()
	renew(t, c.own, true)
	c.who = identity(t, c.own)
	return c
}

// stranger is a random peer: what it is, how it is reached, and how its row in the local site
// demands TLS verification.
func (c *chaos) stranger(random *mathrand.Rand, faults []peertest.Fault) (*peertest.Site, rotate.Peer, error) {
	o := peertest.Options{
		Kind:   []peertest.Kind{peertest.Patched, peertest.Stock, peertest.Mahara, peertest.Array}[random.IntN(4)],
		Modern: random.IntN(2) == 0, Chance: 0.5, Seed: random.Uint64(), Faults: faults,
		Address: fmt.Sprintf("127.5.%d.%d:0", random.IntN(250), 1+random.IntN(250)),
	}
	if random.IntN(2) == 0 {
		o.Authority = c.authority
	}
	late := &lateStore{}
	o.Store = late
	site, err := peertest.Start(o)
	if err != nil {
		return nil, rotate.Peer{}, err
	}
	late.Memory = peertest.NewMemory(peertest.Certify(c.keys[0], site.Wwwroot()), peertest.Certify(c.keys[1], site.Wwwroot()))
	know := c.own.Know
	if o.Kind == peertest.Mahara {
		know = c.own.KnowMahara
	}
	if err := know(site.Wwwroot(), site.Certificate()); err != nil {
		return nil, rotate.Peer{}, err
	}
	held := row(site)
	held.SSLVerification = random.IntN(3)
	return site, held, site.Know(c.own.Wwwroot(), c.former)
}

// lateStore is filled as soon as the wwwroot is known.
type lateStore struct{ *peertest.Memory }

// tell pushes the local certificate to a peer and proves it, as rotate does.
func (c *chaos) tell(ctx context.Context, client *peers.Client, to rotate.Peer) (verdict peertest.Verdict, reason string, proven *envelope.Certificate) {
	push := client.Push(ctx, c.who, to)
	f := push.Failure
	if f == nil || !f.Pending && f.Reason != rotate.ReasonUnknownToPeer && f.Reason != rotate.ReasonMNetOff {
		proof := client.Prove(ctx, c.who, to, push.PeerCertificate, true)
		f, proven = proof.Failure, proof.Certificate
	}
	switch {
	case f == nil:
		return peertest.Proven, "", proven
	case f.Pending:
		return peertest.Pending, string(f.Reason), proven
	}
	return peertest.Refused, string(f.Reason), proven
}

// talk pushes to one random peer, and compares the result with what the peer itself knows.
func (c *chaos) talk(ctx context.Context, seed uint64, timeout time.Duration, faults []peertest.Fault) error {
	random := mathrand.New(mathrand.NewPCG(seed, 0))
	site, to, err := c.stranger(random, faults)
	if err != nil {
		return err
	}
	defer site.Close()
	client := peers.New(peers.Options{Timeout: timeout, Retries: 1, RootCAs: c.authority.Pool(),
		Sleep: func(context.Context, time.Duration) error { return nil }})
	verdict, reason, proven := c.tell(ctx, client, to)
	truth := site.Truth(c.own.Wwwroot(), c.who.Key.Certificate.PEM)
	switch {
	case verdict != truth.Verdict:
		err = fmt.Errorf("is said to be %s (%s), and is %s", verdict, reason, truth.Verdict)
	case truth.Reasons != nil && !slices.Contains(truth.Reasons, reason):
		err = fmt.Errorf("is said to be %s for %s, and is for %v", verdict, reason, truth.Reasons)
	case verdict == peertest.Proven && !truth.Holds:
		err = fmt.Errorf("is said to be proven, and holds another certificate")
	case verdict == peertest.Proven && proven.PEM != site.Certificate() && !retiredOf(site, proven):
		err = fmt.Errorf("was proven under a certificate that is not its own")
	}
	if err != nil {
		return fmt.Errorf("a peer of kind %s, sslverification %d, %w\nits exchanges: %+v", site.State().Kind, to.SSLVerification, err, site.Exchanges())
	}
	return nil
}

func retiredOf(site *peertest.Site, c *envelope.Certificate) bool {
	_, history, err := site.Pairs()
	return err == nil && slices.ContainsFunc(history, func(p *envelope.KeyPair) bool { return p.Certificate.Equal(c) })
}

// several runs work for each number below n, many at once: most of them wait.
func several(n int, work func(int)) {
	var all sync.WaitGroup
	places := make(chan struct{}, 16)
	for i := range n {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			work(i)
		})
	}
	all.Wait()
}

// The property: whatever a peer does, the result for it agrees with what the peer itself knows. It
// is proven exactly if the peer showed that it has the local certificate, and pending exactly if
// the exchange did not reach an answer. Silent peers are tested apart, because they take so much
// time; the others have enough of it on the slowest machine.
func TestWhatIsSaidOfAPeerThatMisbehavesByChanceIsTheTruth(t *testing.T) {
	for _, run := range []struct {
		name       string
		some, many int
		timeout    time.Duration
		faults     []peertest.Fault
	}{
		{"faults of all kinds", 60, 5000, time.Minute, peertest.ChanceFaults(true)},
		{"peers that say nothing", 16, 200, 4 * time.Second, peertest.SilentFaults()},
	} {
		t.Run(run.name, func(t *testing.T) {
			c, tried := newChaos(t), testbed.Seeds(t, run.some, run.many)
			failures := make([]error, len(tried))
			several(len(tried), func(i int) { failures[i] = c.talk(t.Context(), tried[i], run.timeout, run.faults) })
			for i, err := range failures {
				if err != nil {
					t.Errorf("%s=%d: %v", testbed.EnvSeed, tried[i], err)
				}
			}
		})
	}
}

func TestAPeerWhoseQueueIsFullIsPending(t *testing.T) {
	addr, end, err := peertest.FullQueue(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	own := peertest.Run(t, peertest.Options{})
	to := row(own)
	to.Wwwroot = "http://" + addr
	c := client(t, quick(func(o *peers.Options) { o.Timeout = 300 * time.Millisecond }))
	if got := c.Push(t.Context(), identity(t, own), to); reason(got.Failure) != string(rotate.ReasonTimeout) || !got.Failure.Pending || got.Attempts != 3 {
		t.Errorf("failure is %v after %d attempts, want a pending timeout after 3", got.Failure, got.Attempts)
	}
}
