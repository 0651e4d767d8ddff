package rotate

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"renew_mnetkeys/envelope"
)

// clinic is a world with more interfaces of its network and cache.
type clinic struct {
	*world
	readErr   error
	stores    []CacheStore
	storesErr error
	forced    map[string]Forced
	addresses map[string]string // by wwwroot
	shown     map[string]*envelope.Certificate
	proofs    map[string]Proof // instead of what the world would answer
}

var (
	_ ForceProber    = (*clinic)(nil)
	_ Locator        = (*clinic)(nil)
	_ CacheDescriber = (*clinic)(nil)
)

const peerA, peerB = "https://a.example", "https://b.example"

// newClinic is a healthy tenant with a history and two peers, one patched and one stock.
func newClinic(t *testing.T) *clinic {
	c := &clinic{world: newWorld(t), proofs: map[string]Proof{}, shown: map[string]*envelope.Certificate{},
		forced:    map[string]Forced{peerA: ForcedTaken, peerB: ForcedIgnored},
		addresses: map[string]string{ownURL: "192.0.2.1", peerA: "192.0.2.2", peerB: "192.0.2.3"},
		stores:    []CacheStore{{Name: "default_application", Plugin: "file", Place: "/data/cache", State: CacheReady}}}
	c.addPeer(peerA, fakePeer{})
	c.addPeer(peerB, fakePeer{stock: true})
	for i := range c.tenant.Peers {
		c.tenant.Peers[i].SSLVerification = 2
	}
	c.retire(testPair(t, ownURL, clock.AddDate(0, 0, -48)))
	return c
}

// copy is a clinic that can be broken without changing this one: keys are expensive.
func (c *clinic) copy(t *testing.T) *clinic {
	w := &world{t: t, tenant: c.tenant, peers: map[string]*fakePeer{}}
	own, cached := *c.tenant.Own, *c.cached
	w.tenant.Own, w.cached = &own, &cached
	w.tenant.History, w.tenant.Peers = slices.Clone(c.tenant.History), slices.Clone(c.tenant.Peers)
	for wwwroot, p := range c.peers {
		peer := *p
		w.peers[wwwroot] = &peer
	}
	return &clinic{world: w, stores: slices.Clone(c.stores), forced: maps.Clone(c.forced), addresses: maps.Clone(c.addresses),
		shown: map[string]*envelope.Certificate{}, proofs: map[string]Proof{}}
}

func (c *clinic) retire(pairs ...*envelope.KeyPair) {
	for _, p := range pairs {
		c.tenant.History = append(c.tenant.History, Retired{Stored: storedPair(p), Expires: p.Certificate.NotAfter.Unix()})
	}
}

// peer gives the row of a.
func (c *clinic) peer() *Peer { return &c.tenant.Peers[0] }

// rename writes another wwwroot into the row of a, and into its key.
func (c *clinic) rename(wwwroot string) {
	c.peers[wwwroot], c.forced[wwwroot] = c.peers[peerA], ForcedTaken
	c.peer().Wwwroot = wwwroot
}

// fails makes the call to a fail.
func (c *clinic) fails(reason Reason, pending bool) {
	c.proofs[peerA] = Proof{Failure: &Failure{Reason: reason, Detail: "because", Pending: pending}, Attempts: 1}
}

func (c *clinic) Read(ctx context.Context) (*Tenant, error) {
	if c.readErr != nil {
		return nil, c.readErr
	}
	return c.world.Read(ctx)
}

func (c *clinic) Prove(ctx context.Context, own Identity, p Peer, answered *envelope.Certificate, mayKeyswap bool) Proof {
	if proof, ok := c.proofs[p.Wwwroot]; ok {
		return proof
	}
	return c.world.Prove(ctx, own, p, answered, mayKeyswap)
}

func (c *clinic) PublicKey(ctx context.Context, p Peer) (*envelope.Certificate, *Failure) {
	if p.Wwwroot == ownURL {
		return c.world.PublicKey(ctx, p)
	}
	if shown, ok := c.shown[p.Wwwroot]; ok {
		return shown, nil
	}
	return nil, &Failure{Reason: "http_404", Detail: "it has no such page"}
}

func (c *clinic) TakesForce(_ context.Context, _ Identity, p Peer) (Forced, *Failure) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.event("probe %s", p.Wwwroot)
	return c.forced[p.Wwwroot], nil
}

func (c *clinic) Address(_ context.Context, wwwroot string) (netip.Addr, error) {
	return netip.ParseAddr(c.addresses[wwwroot])
}

func (c *clinic) Describe(context.Context, string) ([]CacheStore, error) {
	return c.stores, c.storesErr
}

// diagnose is the diagnosis, after a check that it has changed nothing.
func (c *clinic) diagnose(t *testing.T) (TenantReport, []Finding) {
	t.Helper()
	r := c.renewal(Options{})
	r.Store, r.Network, r.Cache = c, c, c
	before, events := c.state(), len(c.events)
	report := r.Diagnose(t.Context())
	findings := report.Findings
	if !reflect.DeepEqual(c.state(), before) {
		t.Error("the diagnosis changed something")
	}
	for _, e := range c.events[events:] {
		if !slices.Contains([]string{"read", "prove", "probe", "page", "lock", "release"}, strings.Fields(e)[0]) {
			t.Errorf("the diagnosis did %s", e)
		}
	}
	for _, f := range findings {
		if f.Code == "" || f.Message == "" || f.Next == "" || f.Subject == "" && f.Code != "own_unreadable" || f.Severity.rank() < 0 {
			t.Errorf("incomplete finding %+v", f)
		}
	}
	if !slices.IsSortedFunc(findings, func(a, b Finding) int { return a.Severity.rank() - b.Severity.rank() }) {
		t.Errorf("not the worst first: %v", codes(findings, SeverityInfo))
	}
	return report, findings
}

// state is all that a run could change: rows, cache, and what peers have of this site.
func (c *clinic) state() any {
	knows := map[string]string{}
	for wwwroot, p := range c.peers {
		knows[wwwroot] = p.knows
	}
	own := Peer{}
	if c.tenant.Own != nil {
		own = *c.tenant.Own
	}
	return []any{c.tenant.Pair, own, slices.Clone(c.tenant.History), slices.Clone(c.tenant.Peers), c.cached != nil, knows}
}

// codes are the findings of at least that severity, as "severity code subject".
func codes(findings []Finding, least Severity) []string {
	var list []string
	for _, f := range findings {
		if f.Severity.rank() <= least.rank() {
			list = append(list, fmt.Sprintf("%s %s %s", f.Severity, f.Code, f.Subject))
		}
	}
	return list
}
