package run

import (
	"context"
	"slices"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/moodledb"
	"renew_mnetkeys/rotate"
)

// memberConnections bounds the connections to one database server, like the preset of
// --db-connections.
const memberConnections = 8

// onMember runs a command for one site as for an array of which that site alone is selected: the
// command also writes to the databases of the other members. Its error is as that of onTenant.
func (r runner) onMember(ctx context.Context) (report rotate.TenantReport, err error) {
	o := r.o
	master, tenant, err := resolve(ctx, o, r.getenv)
	if err != nil {
		return report, err
	}
	r.out.Site = siteOf(master, r.getenv)
	report.Wwwroot = tenant.Wwwroot
	client, err := newClient(o, r.out.Log)
	if err != nil {
		return report, err
	}
	defer client.Close()
	sites := []arraySite{r.master(master)}
	if master.Register != nil {
		if sites, err = r.registered(ctx, master); err != nil {
			return report, err
		}
	}
	if err := checkFrom(o.MovedFrom, sites); err != nil {
		return report, err
	}
	for i := range sites {
		s := &sites[i]
		if s.wanted = envelope.SameWwwroot(s.wwwroot, tenant.Wwwroot); s.wanted { // the register may have it as disabled
			s.disabled, s.config, s.err = false, tenant, nil
		}
	}
	servers := moodledb.NewServers(memberConnections)
	defer servers.Close()
	w := arrayWiring{o: o, servers: servers, client: client, out: r.out, hooks: r.hooks}
	array := &rotate.Array{Template: newRenewal(o, client, r.out), Emit: func(t rotate.TenantReport) { report = t }}
	array.Parallel = parallelTenants()
	array.Template.Progress = r.out.Progress
	array.Members, array.Selected = w.members(sites)
	report.Exit = r.cmd.Many(array, ctx, o)
	return report, nil
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
