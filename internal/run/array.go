package run

import (
	"context"
	"runtime"
	"slices"
	"time"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/internal/output"
	"renew_mnetkeys/moodledb"
	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/moodledb/muc"
	"renew_mnetkeys/peers"
	"renew_mnetkeys/rotate"
)

// workOnArray runs a command for an array and gives the exit code.
func (r runner) workOnArray(ctx context.Context) int {
	out := output.NewArray(r.out)
	code, err := r.onArray(ctx, out)
	if err != nil {
		code = exitFor(err)
	}
	return out.Finish(exitAfterSignal(ctx, code), err)
}

// onArray puts the packages together for many tenants. Its error is one that occurred before the
// tenants were reached; the result of each tenant is in its report.
func (r runner) onArray(ctx context.Context, out *output.Array) (int, error) {
	o := r.o
	master, _, err := resolve(ctx, o, r.getenv)
	if err != nil {
		return 0, err
	}
	r.out.Site = siteOf(master, r.getenv)
	client, err := newClient(o, out.Log)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	rows, err := moodledb.Tenants(ctx, master)
	if err != nil {
		return 0, err
	}
	if err := checkExclude(o.Array.Exclude, master, rows); err != nil {
		return 0, err
	}
	servers := moodledb.NewServers(o.Array.DBConnections)
	defer servers.Close()

	w := arrayWiring{o: o, servers: servers, client: client, out: r.out, hooks: r.hooks}
	array := &rotate.Array{
		ArrayOptions: o.Array.ArrayOptions,
		Template:     w.template(),
		Emit:         out.Tenant,
		Phase:        out.Phase,
	}
	array.Parallel = parallelTenants()
	array.Template.CommandLinePHP = commandLinePHP(master, o.PHP)
	array.Members, array.Selected = w.members(ctx, master, rows)
	if len(array.Selected) == 0 && !w.othersHaveSome(array.Members) {
		return 0, &cmdline.UsageError{Problem: "no tenant of the array is selected",
			Advice: "check --match and --exclude; tenants that are disabled or without MNet are never selected"}
	}
	out.Begin(len(array.Selected), len(array.Members))
	return r.cmd.Many(array, ctx, o), nil
}

// parallelTenants is how many tenants are worked on at the same time: enough to keep all cores
// making keys while other tenants wait for the database or the local site.
func parallelTenants() int { return 4*runtime.NumCPU() + 4 }

// checkExclude finds a glob of --exclude that matches no site, including disabled ones: if the glob
// is mistyped, the run would renew the key of a tenant that must not be touched.
func checkExclude(globs rotate.Globs, master *config.Config, rows []moodledb.RegisterRow) error {
	for _, glob := range globs {
		one := rotate.Globs{glob}
		if !one.Match(master.Wwwroot) && !slices.ContainsFunc(rows, func(row moodledb.RegisterRow) bool { return one.Match(row.Wwwroot) }) {
			return &cmdline.UsageError{Problem: "--exclude=" + glob + " matches no site of the array",
				Advice: "write a glob for the complete wwwroot, for example https://old.example.org*; leave out the option if the tenant was deleted"}
		}
	}
	return nil
}

// othersHaveSome reports whether only the shard is the reason that a run has nothing to do: tenants
// fall into shards by chance, and some shards may stay empty.
func (w arrayWiring) othersHaveSome(members []rotate.Member) bool {
	whole := w.o.Array.Selection
	whole.Shard, whole.Shards = 0, 0
	return w.o.Array.Shards > 1 && slices.ContainsFunc(members, func(m rotate.Member) bool { return whole.Includes(m.Wwwroot) })
}

// arrayWiring makes members of an array from rows of the register.
type arrayWiring struct {
	o       cmdline.Options
	servers *moodledb.Servers
	client  *peers.Client
	out     *output.Printer
	hooks   *hookRunner
}

// template is what all tenants share.
func (w arrayWiring) template() rotate.Renewal {
	return newRenewal(w.o, w.client, w.out)
}

// members are the master and all enabled tenants of the register; selected are those to renew:
// tenants with MNet that match the options. A site that is listed twice counts once.
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
		tenant, err := master.ForTenant(ctx, row.TenantRow)
		if err != nil {
			add(unreadable(row.Wwwroot, err), row.MNet >= 0)
			continue
		}
		add(w.member(master, tenant), row.MNet >= 0)
	}
	return members, selected
}

// unreadable is a tenant whose row of the register is invalid: only this tenant fails.
func unreadable(wwwroot string, err error) rotate.Member {
	return rotate.Member{
		Wwwroot: wwwroot,
		Lock:    func(context.Context, time.Duration) (func(), error) { return nil, err },
		Open:    func(context.Context) (*rotate.Session, error) { return nil, err },
	}
}

// member prepares one site's database and cache to be opened.
func (w arrayWiring) member(master, tenant *config.Config) rotate.Member {
	return rotate.Member{
		Wwwroot: tenant.Wwwroot,
		Lock: func(ctx context.Context, wait time.Duration) (func(), error) {
			return w.servers.Lock(ctx, tenant, wait)
		},
		Open: func(ctx context.Context) (*rotate.Session, error) {
			db, err := w.servers.Open(ctx, tenant)
			if err != nil {
				return nil, err
			}
			if w.o.Writes() {
				db.ForChanges()
			}
			db.WithoutPeers()
			logged := loggedTenant{db, tenant.Wwwroot, w.out.Log}
			return &rotate.Session{Store: logged, Starter: logged, PeerRows: logged,
				Cache: w.hooks.cacheOf(muc.New(master, tenant, w.o.PHP, w.out.Log), tenant), Close: func() { _ = db.Close() }}, nil
		},
	}
}
