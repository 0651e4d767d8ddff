package run

import (
	"context"
	"time"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/internal/output"
	"renew_mnetkeys/moodledb"
	"renew_mnetkeys/rotate"
)

// loggedTenant is a tenant's database that logs each step, for --debug: what was done, how long it
// took, and how it failed. It logs no value of a row.
type loggedTenant struct {
	db      *moodledb.Tenant
	wwwroot string
	log     output.Logger
}

var (
	_ rotate.Store         = loggedTenant{}
	_ rotate.SiteDescriber = loggedTenant{}
	_ rotate.Locker        = loggedTenant{}
	_ rotate.Starter       = loggedTenant{}
	_ rotate.PeerRows      = loggedTenant{}
)

// step logs a step that began at started.
func (l loggedTenant) step(started time.Time, what, of string, n int, err error) {
	event := l.log.Debug().Str("wwwroot", l.wwwroot)
	if of != "" {
		event = event.Int(of, n)
	}
	event.Stringer("took", took(started)).AnErr("error", err).Msg("database: " + what)
}

// took is the time since started, in a form for people: 1.2ms, 3.4s.
func took(started time.Time) time.Duration { return time.Since(started).Round(100 * time.Microsecond) }

// Read implements rotate.Store.
func (l loggedTenant) Read(ctx context.Context) (*rotate.Tenant, error) {
	started := time.Now()
	t, err := l.db.Read(ctx)
	what, of, n := "read settings, key pair, key history and local host row", "", 0
	if err == nil && len(t.Peers) > 0 { // with --all they are listed later
		what, of, n = "read settings, key pair, key history, local host row and peers", "peers", len(t.Peers)
	}
	l.step(started, what, of, n, err)
	return t, err
}

// CheckRights implements rotate.Store.
func (l loggedTenant) CheckRights(ctx context.Context) error {
	started := time.Now()
	err := l.db.CheckRights(ctx)
	l.step(started, "checked the rights of the account", "", 0, err)
	return err
}

// StoreKey implements rotate.Store.
func (l loggedTenant) StoreKey(ctx context.Context, read *rotate.Tenant, next rotate.Keys) error {
	started := time.Now()
	err := l.db.StoreKey(ctx, read, next)
	l.step(started, "stored key pair, key history and local host row in one transaction", "retired", len(next.History), err)
	return err
}

// StoreHistory implements rotate.Store.
func (l loggedTenant) StoreHistory(ctx context.Context, read *rotate.Tenant, history []rotate.Retired, trim bool) error {
	started := time.Now()
	err := l.db.StoreHistory(ctx, read, history, trim)
	l.step(started, "stored the history", "retired", len(history), err)
	return err
}

// StorePeer implements rotate.Store.
func (l loggedTenant) StorePeer(ctx context.Context, p rotate.Peer, c *envelope.Certificate) (bool, error) {
	started := time.Now()
	stored, err := l.db.StorePeer(ctx, p, c)
	l.step(started, "stored the certificate of "+p.Wwwroot, "", 0, err)
	return stored, err
}

// DescribeSite implements rotate.SiteDescriber.
func (l loggedTenant) DescribeSite(ctx context.Context, peers []rotate.Peer, now time.Time) rotate.Site {
	started := time.Now()
	site := l.db.DescribeSite(ctx, peers, now)
	l.step(started, "read the release of Moodle and the use of the links", "peers", len(peers), nil)
	return site
}

// Lock implements rotate.Locker.
func (l loggedTenant) Lock(ctx context.Context, wait time.Duration) (func(), error) {
	started := time.Now()
	release, err := l.db.Lock(ctx, wait)
	l.step(started, "took the lock", "", 0, err)
	return release, err
}

// StartMNet implements rotate.Starter.
func (l loggedTenant) StartMNet(ctx context.Context, ipAddress string) error {
	started := time.Now()
	err := l.db.StartMNet(ctx, ipAddress)
	l.step(started, "started MNet", "", 0, err)
	return err
}

// StopMNet implements rotate.Starter.
func (l loggedTenant) StopMNet(ctx context.Context, mode string) error {
	started := time.Now()
	err := l.db.StopMNet(ctx, mode)
	l.step(started, "switched MNet off again", "", 0, err)
	return err
}

// PeerList implements rotate.PeerRows.
func (l loggedTenant) PeerList(ctx context.Context) ([]rotate.Peer, error) {
	started := time.Now()
	list, err := l.db.PeerList(ctx)
	l.step(started, "listed the peers", "peers", len(list), err)
	return list, err
}

// LoadPeers implements rotate.PeerRows.
func (l loggedTenant) LoadPeers(ctx context.Context, peers []rotate.Peer) ([]rotate.Peer, error) {
	started := time.Now()
	loaded, err := l.db.LoadPeers(ctx, peers)
	l.step(started, "read the certificates of peers", "peers", len(loaded), err)
	return loaded, err
}

// StorePeerKeys implements rotate.PeerRows.
func (l loggedTenant) StorePeerKeys(ctx context.Context, keys []rotate.HostKey) ([]rotate.StoreResult, error) {
	started := time.Now()
	results, err := l.db.StorePeerKeys(ctx, keys)
	l.step(started, "stored certificates of tenants in one transaction", "tenants", len(keys), err)
	return results, err
}

// ComparePeerKeys implements rotate.PeerRows.
func (l loggedTenant) ComparePeerKeys(ctx context.Context, keys []rotate.HostKey) ([]rotate.StoreResult, error) {
	started := time.Now()
	results, err := l.db.ComparePeerKeys(ctx, keys)
	l.step(started, "compared certificates of tenants", "tenants", len(keys), err)
	return results, err
}

// CheckPeerRights implements rotate.PeerRows.
func (l loggedTenant) CheckPeerRights(ctx context.Context, changes bool) error {
	started := time.Now()
	err := l.db.CheckPeerRights(ctx, changes)
	l.step(started, "checked the rights of the account on the rows of peers", "", 0, err)
	return err
}

// RowsNamed implements rotate.PeerRows.
func (l loggedTenant) RowsNamed(ctx context.Context, wwwroot string) ([]int64, error) {
	started := time.Now()
	ids, err := l.db.RowsNamed(ctx, wwwroot)
	l.step(started, "looked for rows of "+wwwroot, "rows", len(ids), err)
	return ids, err
}
