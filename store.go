package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/moodledb"
	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/peers"
	"renew_mnetkeys/rotate"
)

// knownAs is an error of one room under the name by which another decides on it.
type knownAs struct{ err, name error }

func (e *knownAs) Error() string   { return e.err.Error() }
func (e *knownAs) Unwrap() []error { return []error{e.err, e.name} }

// tenantStore lets rotate work on a tenant's database.
type tenantStore struct {
	db     *moodledb.Tenant
	config *config.Config
	light  bool // Read leaves the peers out, of which an array has N²
	// ipAddress is what a new own row says of the site, "" when it has no address.
	ipAddress func(context.Context) string

	mu             sync.Mutex
	siteIdentifier string // of the last Read; the cache's entries are named by it
}

var (
	_ rotate.Store   = (*tenantStore)(nil)
	_ rotate.Locker  = (*tenantStore)(nil)
	_ rotate.Starter = (*tenantStore)(nil)
)

// Read implements rotate.Store.
func (s *tenantStore) Read(ctx context.Context) (*rotate.Tenant, error) {
	read := s.db.Read
	if s.light {
		read = s.db.ReadOwn
	}
	site, err := read(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.siteIdentifier = site.SiteIdentifier
	s.mu.Unlock()

	t := &rotate.Tenant{
		Wwwroot: ownSpelling(s.config.Wwwroot, site), Site: site.FullName, NoReplyAddress: site.NoReplyAddress,
		DispatcherMode: site.DispatcherMode, DispatcherForced: site.DispatcherForced, LifetimeDays: site.LifetimeDays, Generations: site.Generations, Drift: site.DriftThreshold,
		AutoRenewGap: site.AutoRenewGap,
		Pair:         rotate.Stored{Certificate: site.Certificate, PrivateKey: site.KeyPEM},
		Version:      site,
	}
	if site.Own != nil {
		own := peerOf(*site.Own)
		t.Own = &own
	}
	for _, h := range site.History {
		t.History = append(t.History, rotate.Retired{
			Stored: rotate.Stored{Certificate: h.Certificate, PrivateKey: h.KeyPEM}, Expires: h.Expires})
	}
	for _, h := range site.Peers {
		t.Peers = append(t.Peers, peerOf(h))
	}
	return t, nil
}

// ownSpelling is the wwwroot as the site's own row spells it, where config.php or the
// register differ from that in the case of scheme or host alone: peers know the site
// by the row's letters, and compare them to the byte.
func ownSpelling(wwwroot string, site *moodledb.Site) string {
	if site.Own != nil && envelope.SameWwwroot(site.Own.Wwwroot, wwwroot) && !strings.HasSuffix(site.Own.Wwwroot, "/") {
		return site.Own.Wwwroot
	}
	return wwwroot
}

// CheckRights implements rotate.Store.
func (s *tenantStore) CheckRights(ctx context.Context) error { return s.db.CheckRights(ctx) }

// StoreKey implements rotate.Store.
func (s *tenantStore) StoreKey(ctx context.Context, read *rotate.Tenant, next rotate.Keys) error {
	err := s.db.StoreKey(ctx, moodledb.KeyChange{
		Read:        read.Version.(*moodledb.Site),
		Pair:        next.Certificate + moodledb.PairSeparator + next.PrivateKey,
		History:     retiredOf(next.History),
		Certificate: next.Certificate,
		Expires:     next.Expires,
		Wwwroot:     read.Wwwroot,
	})
	return storeError(err)
}

// StoreHistory implements rotate.Store.
func (s *tenantStore) StoreHistory(ctx context.Context, read *rotate.Tenant, history []rotate.Retired, trim bool) error {
	return storeError(s.db.StoreHistory(ctx, read.Version.(*moodledb.Site), retiredOf(history), trim))
}

func retiredOf(history []rotate.Retired) []moodledb.Retired {
	retired := make([]moodledb.Retired, len(history))
	for i, h := range history {
		retired[i] = moodledb.Retired{Certificate: h.Certificate, KeyPEM: h.PrivateKey, Expires: h.Expires}
	}
	return retired
}

func storeError(err error) error {
	var other *moodledb.OtherSiteError
	switch {
	case errors.As(err, &other):
		return &knownAs{err, &rotate.OtherSiteError{Wwwroot: other.Wwwroot, Row: other.Row}}
	case errors.Is(err, moodledb.ErrOverwritten):
		return &knownAs{err, errors.Join(rotate.ErrConflict, rotate.ErrOverwritten)}
	case errors.Is(err, moodledb.ErrConflict):
		return &knownAs{err, rotate.ErrConflict}
	case errors.Is(err, moodledb.ErrUncertain):
		return &knownAs{err, rotate.ErrUncertain}
	}
	return err
}

// StorePeer implements rotate.Store.
func (s *tenantStore) StorePeer(ctx context.Context, p rotate.Peer, c *envelope.Certificate) (bool, error) {
	return s.db.StorePeerKey(ctx, p.ID, p.Certificate, c.PEM, c.NotAfter.Unix())
}

// Lock implements rotate.Locker.
func (s *tenantStore) Lock(ctx context.Context, wait time.Duration) (func(), error) {
	lock, err := s.db.Lock(ctx, wait)
	return releaser(lock, err)
}

// releaser gives the release of a lock that was taken.
func releaser(lock interface{ Release() error }, err error) (func(), error) {
	if errors.Is(err, moodledb.ErrLocked) {
		return nil, &knownAs{err, rotate.ErrLocked}
	}
	if err != nil {
		return nil, err
	}
	// A lock that cannot be released ends with its connection.
	return func() { _ = lock.Release() }, nil
}

// StartMNet implements rotate.Starter.
func (s *tenantStore) StartMNet(ctx context.Context) error {
	return s.db.StartMNet(ctx, s.ipAddress(ctx))
}

func peerOf(h moodledb.Host) rotate.Peer {
	return rotate.Peer{ID: h.ID, Wwwroot: h.Wwwroot, Name: h.Name, Application: h.Application, ServerURL: h.ServerURL,
		SSLVerification: h.SSLVerification, Certificate: h.PublicKey, Expires: h.Expires}
}

// registry lets rotate register a peer in one tenant's database.
type registry struct {
	open       func(context.Context) (*moodledb.Tenant, func(), error)
	role       moodledb.Role
	subnetwork bool // both are tenants of one numbered sub-network
	address    func(ctx context.Context, wwwroot string) string
}

var _ rotate.Registry = (*registry)(nil)

// Connect implements rotate.Registry.
func (g *registry) Connect(ctx context.Context, peer rotate.Peer) (rotate.Peer, error) {
	db, done, err := g.open(ctx)
	if err != nil {
		return rotate.Peer{}, err
	}
	defer done()
	if peer.ID == 0 {
		host, err := db.RegisterPeer(ctx, moodledb.Host{
			Wwwroot: peer.Wwwroot, Name: peer.Name, IPAddress: g.address(ctx, peer.Wwwroot), PublicKey: peer.Certificate,
			Expires: peer.Expires, Application: peer.Application, SSLVerification: peer.SSLVerification,
		})
		if err != nil {
			return rotate.Peer{}, fmt.Errorf("register %s: %w", peer.Wwwroot, err)
		}
		peer = peerOf(host)
	}
	bindings, err := db.ServicesStrategy(ctx, g.role, g.subnetwork)
	if err != nil {
		return rotate.Peer{}, fmt.Errorf("read the services strategy: %w", err)
	}
	if err := db.BindServices(ctx, peer.ID, bindings); err != nil {
		return rotate.Peer{}, fmt.Errorf("bind services of %s: %w", peer.Wwwroot, err)
	}
	return peer, nil
}

// identifier is the siteidentifier of the last Read.
func (s *tenantStore) identifier() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.siteIdentifier
}

// ipAddress gives what mnet_host says of a host's address: "" when it has none.
func ipAddress(client *peers.Client) func(ctx context.Context, wwwroot string) string {
	return func(ctx context.Context, wwwroot string) string {
		a, err := client.Address(ctx, wwwroot)
		if err != nil {
			return ""
		}
		return a.String()
	}
}

// ownAddress gives the address of a tenant's own site.
func ownAddress(client *peers.Client, c *config.Config) func(context.Context) string {
	return func(ctx context.Context) string { return ipAddress(client)(ctx, c.Wwwroot) }
}
