package rotate_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/peers"
	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

const (
	benchPeers   = 200
	benchLatency = 50 * time.Millisecond
	benchTimeout = 2 * time.Second // of one exchange with a silent peer
	inParallel   = 32              // the client's default
)

// BenchmarkPeers200 renews a tenant with 200 peers on 200 addresses that answer after 50 ms. ratio
// is wall time over the ideal: one key generation, and as many rounds of 50 ms as 32 exchanges at
// once need for a keyswap and a sealed call each.
func BenchmarkPeers200(b *testing.B) { benchmarkPeers(b, 0) }

// BenchmarkPeers200Silent5 has five peers among them that never answer. ratio is what is left of
// the wall time without their time-out budget, over the ideal: above 1.5, silent peers delay the
// others.
func BenchmarkPeers200Silent5(b *testing.B) { benchmarkPeers(b, 5) }

func benchmarkPeers(b *testing.B, silent int) {
	ideal := testbed.KeyGeneration(b) + 2*time.Duration((benchPeers+inParallel-1)/inParallel)*benchLatency
	tenant := newTenant(b)
	for i := range benchPeers {
		site := tenant.addPeer(b, fmt.Sprintf("127.0.%d.%d:0", 1+i/100, 1+i%100))
		if i%40 == 7 && i/40 < silent {
			site.Misbehave(peertest.Hang)
		}
	}
	client := peers.New(peers.Options{Timeout: benchTimeout, Retries: -1})
	defer client.Close()
	b.ResetTimer()
	for b.Loop() {
		report := tenant.renewal(client).Run(b.Context())
		if report.Unproven() != silent || report.SelfCheck != rotate.SelfProven {
			b.Fatalf("%d peers unproven, local site %s (%v): %s", report.Unproven(), report.SelfCheck, report.Err, unproven(report))
		}
	}
	wall := b.Elapsed() / time.Duration(b.N)
	budget := time.Duration(0)
	if silent > 0 {
		budget = benchTimeout
	}
	b.ReportMetric(float64(wall-budget)/float64(ideal), "ratio")
	b.ReportMetric(float64(wall.Milliseconds()), "ms/run")
	b.ReportMetric(float64(ideal.Milliseconds()), "ideal-ms")
	b.ReportMetric(residentMiB(b), "MiB-resident")
}

func unproven(report rotate.TenantReport) string {
	var lines strings.Builder
	for _, p := range report.Peers {
		if !p.Outcome.Proven() {
			fmt.Fprintf(&lines, "\n%s %s %s %s (%d ms)", p.Wwwroot, p.Outcome, p.Reason, p.Detail, p.TookMS)
		}
	}
	return lines.String()
}

// residentMiB is the memory of this process, which includes the peers here.
func residentMiB(b *testing.B) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip("resident memory is only measured where there is /proc")
	}
	var kib float64
	for line := range strings.Lines(string(status)) {
		if _, err := fmt.Sscanf(line, "VmRSS: %f kB", &kib); err == nil {
			return kib / 1024
		}
	}
	b.Fatal("no VmRSS in /proc/self/status")
	return 0
}

// tenant is a site with its peers, all over HTTP; its database is in memory.
type tenant struct {
	site *peertest.Site

	mu      sync.Mutex
	current *envelope.KeyPair
	history []*envelope.KeyPair
	peers   []rotate.Peer
}

func newTenant(b *testing.B) *tenant {
	t := &tenant{}
	site, err := peertest.Start(peertest.Options{Store: t})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(site.Close)
	t.site, t.current = site, peertest.NewKeyPair(site.Wwwroot(), 2048)
	return t
}

func (t *tenant) addPeer(b *testing.B, address string) *peertest.Site {
	site, err := peertest.Start(peertest.Options{Address: address, Latency: benchLatency})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(site.Close)
	if err := site.Know(t.site.Wwwroot(), t.current.Certificate.PEM); err != nil {
		b.Fatal(err)
	}
	t.peers = append(t.peers, rotate.Peer{ID: int64(len(t.peers) + 2), Wwwroot: site.Wwwroot(), Application: site.Application(),
		ServerURL: site.ServerURL(), Certificate: site.Certificate()})
	return site
}

func (t *tenant) renewal(client *peers.Client) *rotate.Renewal {
	return &rotate.Renewal{
		Options: rotate.Options{SelfCheck: rotate.SelfCheckRequire, KeyBits: 2048},
		Store:   t, Locker: t, Starter: t, Cache: t, Network: client,
		GenerateKey: func(bits int) (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, bits) },
		Random:      rand.Reader, Now: time.Now, Log: zerolog.Nop(),
		Sleep: func(ctx context.Context, d time.Duration) error { time.Sleep(d); return ctx.Err() },
	}
}

// The interfaces through which rotate uses a tenant.

func (t *tenant) Read(context.Context) (*rotate.Tenant, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	own := t.site.Wwwroot()
	read := &rotate.Tenant{Wwwroot: own, DispatcherMode: "strict", LifetimeDays: 28, Generations: 3, Peers: t.peers,
		Own:  &rotate.Peer{ID: 1, Wwwroot: own, Certificate: t.current.Certificate.PEM, Expires: t.current.Certificate.NotAfter.Unix()},
		Pair: rotate.Stored{Certificate: t.current.Certificate.PEM, PrivateKey: t.current.PEM}}
	for _, pair := range t.history {
		read.History = append(read.History, rotate.Retired{Stored: rotate.Stored{Certificate: pair.Certificate.PEM, PrivateKey: pair.PEM}})
	}
	return read, nil
}

func (t *tenant) StoreKey(_ context.Context, _ *rotate.Tenant, next rotate.Keys) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	pair, err := envelope.ParseKeyPair(next.Certificate, next.PrivateKey)
	if err != nil {
		return err
	}
	t.history = []*envelope.KeyPair{t.current}
	t.current = pair
	return nil
}

func (t *tenant) StoreHistory(context.Context, *rotate.Tenant, []rotate.Retired, bool) error {
	return nil
}

func (t *tenant) CheckRights(context.Context) error { return nil }

func (t *tenant) StorePeer(context.Context, rotate.Peer, *envelope.Certificate) (bool, error) {
	return true, nil
}

func (t *tenant) Lock(context.Context, time.Duration) (func(), error) { return func() {}, nil }
func (t *tenant) StartMNet(context.Context, string) error             { return nil }
func (t *tenant) StopMNet(context.Context, string) error              { return nil }
func (t *tenant) Check(context.Context, string) error                 { return nil }
func (t *tenant) Drop(context.Context, string, rotate.Scope) error    { return nil }

func (t *tenant) Cached(context.Context, string, bool) ([]rotate.Retired, error) { return nil, nil }

// The endpoints of the local site.

func (t *tenant) Keys(context.Context) (*envelope.KeyPair, []*envelope.KeyPair, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.current, t.history, nil
}

func (t *tenant) Held(_ context.Context, wwwroot string) (string, bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if wwwroot == t.site.Wwwroot() {
		return t.current.Certificate.PEM, true, nil
	}
	return "", false, nil
}

func (t *tenant) Hold(context.Context, string, string) error { return nil }
