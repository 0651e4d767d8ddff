package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/moodledb"
	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/peers"
	"renew_mnetkeys/rotate"
)

// workOnArray runs a command for an array and gives the exit code.
func workOnArray(ctx context.Context, cmd subcommand, o options, base *output) int {
	out := newArrayOutput(base)
	code, err := onArray(ctx, cmd, o, out)
	if err != nil {
		code = exitFor(err)
	}
	return out.finish(exitAfterSignal(ctx, code), err)
}

// onArray wires the rooms together for many tenants. Its error is one of the way
// to them; what happens to each is reported.
func onArray(ctx context.Context, cmd subcommand, o options, out *arrayOutput) (int, error) {
	master, _, err := resolve(ctx, o, out.getenv)
	if err != nil {
		return 0, err
	}
	client, err := newClient(o, out.log)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	rows, err := moodledb.Tenants(ctx, master)
	if err != nil {
		return 0, err
	}
	servers := moodledb.NewServers(o.Array.DBConnections)
	defer servers.Close()

	w := arrayWiring{o: o, servers: servers, client: client, log: out.log, out: out.output}
	array := &rotate.Array{
		ArrayOptions: o.Array.ArrayOptions,
		Template:     w.template(),
		Emit:         out.tenant,
		Phase:        out.phase,
	}
	array.Members, array.Selected = w.members(ctx, master, rows)
	if len(array.Selected) == 0 && !w.othersHaveSome(array.Members) {
		return 0, &usageError{problem: fmt.Sprintf("none of the %d tenants of the array is selected", len(rows)),
			hint: "check --match and --exclude; tenants that are disabled or without MNet are never selected"}
	}
	out.begin(len(array.Selected), len(array.Members))
	return cmd.many(array, ctx, o), nil
}

// othersHaveSome tells whether it is only by its shard that a run has nothing to
// do: tenants fall into shards by chance, and some may stay empty.
func (w arrayWiring) othersHaveSome(members []rotate.Member) bool {
	whole := w.o.Array.Selection
	whole.Shard, whole.Shards = 0, 0
	return w.o.Array.Shards > 1 && slices.ContainsFunc(members, func(m rotate.Member) bool { return whole.Includes(m.Wwwroot) })
}

// arrayWiring makes members of an array out of rows of the register.
type arrayWiring struct {
	o       options
	servers *moodledb.Servers
	client  *peers.Client
	log     logger
	out     *output
}

// template is what all tenants have in common.
func (w arrayWiring) template() rotate.Renewal {
	return newRenewal(w.o, w.client, w.log)
}

// members are the master and all enabled tenants of the register; selected are
// those to renew: with MNet, and as the options say. A site that stands twice
// counts once.
func (w arrayWiring) members(ctx context.Context, master *config.Config, rows []moodledb.RegisterRow) (members []rotate.Member, selected []int) {
	seen := map[string]bool{}
	add := func(member rotate.Member, renew bool) {
		site := envelope.FoldWwwroot(member.Wwwroot)
		if seen[site] {
			return
		}
		seen[site] = true
		if renew && w.o.Array.Selection.Includes(member.Wwwroot) {
			selected = append(selected, len(members))
		}
		members = append(members, member)
	}
	add(w.member(master, master), w.o.Array.WithMaster)
	for _, row := range rows {
		if !row.Enabled {
			continue
		}
		config, err := master.ForTenant(ctx, row.TenantRow)
		if err != nil {
			add(unreadable(row.Wwwroot, err), row.MNet >= 0)
			continue
		}
		add(w.member(master, config), row.MNet >= 0)
	}
	return members, selected
}

// unreadable is a tenant whose row of the register makes no sense: it fails
// alone.
func unreadable(wwwroot string, err error) rotate.Member {
	return rotate.Member{
		Wwwroot: wwwroot,
		Lock:    func(context.Context, time.Duration) (func(), error) { return nil, err },
		Open:    func(context.Context) (*rotate.Session, error) { return nil, err },
	}
}

// member makes one site's database and cache ready to be opened.
func (w arrayWiring) member(master, config *config.Config) rotate.Member {
	return rotate.Member{
		Wwwroot: config.Wwwroot,
		Lock: func(ctx context.Context, wait time.Duration) (func(), error) {
			lock, err := w.servers.Lock(ctx, config, wait)
			return releaser(lock, err)
		},
		Open: func(ctx context.Context) (*rotate.Session, error) {
			db, err := w.servers.Open(ctx, config)
			if err != nil {
				return nil, err
			}
			if w.o.writes() {
				db.ForChanges()
			}
			store := &tenantStore{db: db, config: config, light: true, ipAddress: ownAddress(w.client, config)}
			return &rotate.Session{Store: store, Starter: store, Cache: w.out.cacheOf(newCache(master, config, store, w.o.PHP, w.log), config),
				Mesh: mesh{db}, Close: func() { _ = db.Close() }}, nil
		},
	}
}

// mesh lets rotate work on a member's list of peers.
type mesh struct{ db *moodledb.Tenant }

var _ rotate.Mesh = mesh{}

// List implements rotate.Mesh.
func (m mesh) List(ctx context.Context) ([]rotate.Peer, error) {
	list, err := m.db.PeerList(ctx)
	if err != nil {
		return nil, err
	}
	peers := make([]rotate.Peer, len(list))
	for i, p := range list {
		peers[i] = rotate.Peer{ID: p.ID, Wwwroot: p.Wwwroot, Application: p.Application, ServerURL: p.ServerURL, SSLVerification: p.SSLVerification}
	}
	return peers, nil
}

// Load implements rotate.Mesh.
func (m mesh) Load(ctx context.Context, peers []rotate.Peer) ([]rotate.Peer, error) {
	ids := make([]int64, len(peers))
	for i, p := range peers {
		ids[i] = p.ID
	}
	hosts, err := m.db.PeersByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	loaded := make([]rotate.Peer, len(hosts))
	for i, h := range hosts {
		loaded[i] = peerOf(h)
	}
	slices.SortFunc(loaded, func(a, b rotate.Peer) int { return strings.Compare(a.Wwwroot, b.Wwwroot) })
	return loaded, nil
}

// Hold implements rotate.Mesh.
func (m mesh) Hold(ctx context.Context, keys []rotate.HostKey) ([]rotate.Held, error) {
	return heldOf(m.db.StorePeerKeys(ctx, peerKeys(keys)))
}

// Look implements rotate.Mesh. A row may hold the certificate in another spelling,
// like one without the last line end, which is as good to Moodle.
func (m mesh) Look(ctx context.Context, keys []rotate.HostKey) ([]rotate.Held, error) {
	held, err := heldOf(m.db.HeldKeys(ctx, peerKeys(keys)))
	if err != nil || !slices.Contains(held, rotate.HeldOther) {
		return held, err
	}
	other := map[string]int{}
	for i, h := range held {
		if h == rotate.HeldOther {
			other[keys[i].Wwwroot] = i
		}
	}
	list, err := m.List(ctx)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(p rotate.Peer) bool { _, is := other[p.Wwwroot]; return !is })
	if list, err = m.Load(ctx, list); err != nil {
		return nil, err
	}
	for _, p := range list { // of which one wwwroot may have several
		held[other[p.Wwwroot]] = rotate.HeldStored
	}
	for _, p := range list {
		i := other[p.Wwwroot]
		if c, err := envelope.ParseCertificate(p.Certificate); err != nil || !c.Equal(keys[i].Certificate) {
			held[i] = rotate.HeldOther
		}
	}
	return held, nil
}

func peerKeys(keys []rotate.HostKey) []moodledb.PeerKey {
	offered := make([]moodledb.PeerKey, len(keys))
	for i, k := range keys {
		offered[i] = moodledb.PeerKey{Wwwroot: k.Wwwroot, Certificate: k.Certificate.PEM, Expires: k.Certificate.NotAfter.Unix()}
	}
	return offered
}

func heldOf(kept []moodledb.Kept, err error) ([]rotate.Held, error) {
	if err != nil {
		return nil, err
	}
	held := make([]rotate.Held, len(kept))
	for i, k := range kept {
		held[i] = heldAs[k]
	}
	return held, nil
}

var heldAs = map[moodledb.Kept]rotate.Held{
	moodledb.KeyStored: rotate.HeldStored, moodledb.KeyPresent: rotate.HeldStored,
	moodledb.NoRow: rotate.HeldUnknown, moodledb.RowDeleted: rotate.HeldDeleted, moodledb.KeyOther: rotate.HeldOther,
}

// parallelTenants is how many tenants are worked on at once: enough to keep all
// cores making keys while others wait for the database or the own site.
func parallelTenants() int { return 4*runtime.NumCPU() + 4 }
