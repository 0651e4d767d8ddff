package run

import (
	"context"
	"slices"
	"sync"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/moodledb"
	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/rotate"
)

// memberConnections bounds the connections to one database server, like the preset of
// --db-connections.
const memberConnections = 8

// onMember runs a command for one site as for an array of which that site alone is selected: the
// command also writes to the databases of the other members. Its error is as that of onTenant.
func (r runner) onMember(ctx context.Context) (report rotate.TenantReport, err error) {
	o := r.o
	sites, wwwroot, err := r.memberSites(ctx)
	if err != nil {
		return report, err
	}
	report.Wwwroot = wwwroot
	client, err := newClient(o, r.out.Log)
	if err != nil {
		return report, err
	}
	defer client.Close()
	if err := checkFrom(o.MovedFrom, sites); err != nil {
		return report, err
	}
	servers := moodledb.NewServers(memberConnections)
	defer servers.Close()
	w := arrayWiring{o: o, servers: servers, client: client, out: r.out, hooks: r.hooks, warned: new(sync.Once)}
	array := &rotate.Array{Template: newRenewal(o, client, r.out), Emit: func(t rotate.TenantReport) { report = t }}
	array.Parallel = parallelTenants()
	array.Template.Progress = r.out.Progress
	array.Members, array.Selected, _ = w.members(sites)
	report.Exit = r.cmd.Many(array, ctx, o)
	return report, nil
}

// memberSites are the sites of the array to which one site belongs, and the wwwroot of that site,
// which alone is wanted. Without an array it is the only one.
func (r runner) memberSites(ctx context.Context) (sites []arraySite, wwwroot string, err error) {
	found, err := findConfigs(r.o, r.getenv)
	if err != nil {
		return nil, "", err
	}
	if found.Several {
		sites, err = r.sitesOfSeveral(ctx, found)
		wwwroot = r.o.Host
	} else {
		sites, wwwroot, err = r.sitesOfOne(ctx)
	}
	for i := range sites {
		sites[i].wanted = envelope.SameWwwroot(sites[i].wwwroot, wwwroot)
	}
	return sites, wwwroot, err
}

// sitesOfSeveral are the sites of several config.php; --host must be one of them.
func (r runner) sitesOfSeveral(ctx context.Context, found config.Found) ([]arraySite, error) {
	host := r.o.Host
	if host == "" {
		return nil, &cmdline.UsageError{Problem: "--config names several sites", Advice: "select one of them with --host"}
	}
	r.o.Host = "" // no config.php is to choose its site by it
	sites, err := r.sites(ctx, found)
	if err == nil && !slices.ContainsFunc(sites, func(s arraySite) bool { return !s.disabled && envelope.SameWwwroot(s.wwwroot, host) }) {
		err = &cmdline.UsageError{Problem: "no site of --config has the wwwroot " + host, Advice: "write the new wwwroot into its config.php first"}
	}
	return sites, err
}

// sitesOfOne are the sites of one config.php, and the wwwroot of the one that --host selects. The
// register may have that one as disabled.
func (r runner) sitesOfOne(ctx context.Context) (sites []arraySite, wwwroot string, err error) {
	master, tenant, err := resolve(ctx, r.o, r.getenv)
	if err != nil {
		return nil, "", err
	}
	r.out.Site = siteOf(master, r.getenv)
	sites = []arraySite{r.master(master)}
	if master.Register != nil {
		sites, err = r.registered(ctx, master)
	}
	for i := range sites {
		if s := &sites[i]; envelope.SameWwwroot(s.wwwroot, tenant.Wwwroot) {
			s.disabled, s.config, s.err = false, tenant, nil
		}
	}
	return sites, tenant.Wwwroot, err
}

// checkFrom refuses the wwwroot of a site of the array, also of a disabled one: the rows of that
// site must not become those of another.
func checkFrom(from string, sites []arraySite) error {
	if !slices.ContainsFunc(sites, func(s arraySite) bool { return envelope.SameWwwroot(s.wwwroot, from) }) {
		return nil
	}
	return &cmdline.UsageError{Problem: "--from=" + from + " is the wwwroot of a site of config.php or of VMoodle's register",
		Advice: "write the new wwwroot into config.php or, for a tenant, into VMoodle's register first; there must be no other site with the old one"}
}
