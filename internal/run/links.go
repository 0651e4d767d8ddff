package run

import (
	"context"
	"fmt"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/moodledb"
	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/rotate"
)

// resolveLinks finds the hosts of --bindhost: a URL names one host, subs means every enabled tenant
// of the array except this one. A host that the register knows is connected on both sides.
func resolveLinks(ctx context.Context, hosts []string, master, tenant *config.Config, db *moodledb.Tenant) ([]rotate.Link, error) {
	if len(hosts) == 0 {
		return nil, nil
	}
	array, err := readArray(ctx, master)
	if err != nil {
		return nil, err
	}
	var links []rotate.Link
	seen := map[string]bool{envelope.FoldWwwroot(tenant.Wwwroot): true} // no site is its own peer
	add := func(wwwroot string) {
		if site := envelope.FoldWwwroot(wwwroot); !seen[site] {
			seen[site] = true
			links = append(links, array.link(wwwroot, tenant, db))
		}
	}
	for _, host := range hosts {
		if host != "subs" {
			if envelope.SameWwwroot(host, tenant.Wwwroot) {
				return nil, &cmdline.UsageError{Problem: "--bindhost names the tenant itself"}
			}
			if row, isTenant := array.row(host); isTenant && !row.Enabled {
				return nil, &cmdline.UsageError{Problem: "--bindhost=" + host + " is a tenant that is disabled in the register", Advice: "enable it in VMoodle first"}
			}
			add(host)
			continue
		}
		if master.Register == nil {
			problem := "--bindhost=subs needs a VMoodle array, and " + master.File + " configures none"
			if unread := master.Unread(); unread != nil {
				return nil, &cmdline.UsageError{Problem: problem + ": " + unread.Error(), Advice: unread.Hint()}
			}
			return nil, &cmdline.UsageError{Problem: problem, Advice: "name the host by its URL: --bindhost=https://…"}
		}
		for _, row := range array.rows {
			if row.Enabled {
				add(row.Wwwroot)
			}
		}
	}
	return links, nil
}

// array is the part of the register about the sites that share this code base.
type array struct {
	master *config.Config
	rows   []moodledb.RegisterRow
}

func readArray(ctx context.Context, master *config.Config) (array, error) {
	a := array{master: master}
	if master.Register == nil {
		return a, nil
	}
	rows, err := moodledb.Tenants(ctx, master)
	a.rows = rows
	return a, err
}

// row is the register's row of a tenant, a disabled one only if no other has its wwwroot. The master
// has none.
func (a array) row(wwwroot string) (row moodledb.RegisterRow, isTenant bool) {
	for _, other := range a.rows {
		if envelope.SameWwwroot(other.Wwwroot, wwwroot) && (!isTenant || other.Enabled && !row.Enabled) {
			row, isTenant = other, true
		}
	}
	return row, isTenant
}

// link describes both sides of the link between tenant and wwwroot.
func (a array) link(wwwroot string, tenant *config.Config, db *moodledb.Tenant) rotate.Link {
	ours, _ := a.row(tenant.Wwwroot)
	theirs, isTenant := a.row(wwwroot)
	near := &registry{
		open:       func(context.Context) (*moodledb.Tenant, func(), error) { return db, func() {}, nil },
		subnetwork: ours.MNet > 0 && ours.MNet == theirs.MNet, // 0 is unbound, -1 without MNet
	}
	link := rotate.Link{Wwwroot: wwwroot, Near: near}
	isMaster := a.master.Register != nil && envelope.SameWwwroot(wwwroot, a.master.Wwwroot)
	if !isTenant && !isMaster {
		return link
	}
	far := &registry{subnetwork: near.subnetwork}
	far.open = func(ctx context.Context) (*moodledb.Tenant, func(), error) { return a.open(ctx, wwwroot) }
	// The master belongs to every sub-network.
	switch {
	case envelope.SameWwwroot(tenant.Wwwroot, a.master.Wwwroot):
		near.role, far.role = moodledb.RoleMaster, moodledb.RoleSub
		near.subnetwork, far.subnetwork = theirs.MNet > 0, theirs.MNet > 0
	case isMaster:
		near.role, far.role = moodledb.RoleSub, moodledb.RoleMaster
		near.subnetwork, far.subnetwork = ours.MNet > 0, ours.MNet > 0
	}
	link.Far = far
	return link
}

// open opens the database of another site of the array.
func (a array) open(ctx context.Context, wwwroot string) (*moodledb.Tenant, func(), error) {
	tenant, err := moodledb.FindTenant(ctx, a.master, wwwroot)
	if err != nil {
		return nil, nil, err
	}
	db, err := moodledb.Open(ctx, tenant)
	if err != nil {
		return nil, nil, err
	}
	db.ForChanges() // the link will be written
	return db, func() { _ = db.Close() }, nil
}

// registry lets rotate register a peer in one tenant's database.
type registry struct {
	open       func(context.Context) (*moodledb.Tenant, func(), error)
	role       moodledb.Role
	subnetwork bool // both are tenants of one numbered sub-network
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
		if peer, err = db.RegisterPeer(ctx, peer); err != nil {
			return rotate.Peer{}, err
		}
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
