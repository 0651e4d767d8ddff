package rotate

import (
	"context"
)

// Plan is the dry run of an array: what Run would do with each tenant, found out
// without a lock, a write or a keyswap. Peers outside of the array are connected
// to; members would be told by their databases.
func (a *Array) Plan(ctx context.Context) int {
	tenants := a.start()
	members := map[string]bool{}
	for _, m := range a.Members {
		members[m.Wwwroot] = !a.ByKeyswap
	}
	a.each("check", tenants, func(t *renewing) {
		a.within(ctx, t, func(s *Session, r *Renewal) error { return a.planTenant(ctx, t, s, r, members) })
	})
	return a.finishAll(ctx, tenants, &mesh{})
}

func (a *Array) planTenant(ctx context.Context, t *renewing, s *Session, r *Renewal, members map[string]bool) error {
	plan := r.Plan
	if a.RollBack {
		plan = r.PlanRollBack
	}
	if t.report = plan(ctx); t.report.Err != nil {
		return t.report.Err
	}
	if tenant, err := r.Store.Read(ctx); err == nil && (a.OnlyDistribute || a.fresh(tenant)) {
		t.report.warn("its key would be kept and distributed")
	}
	list, err := s.Mesh.List(ctx)
	if err != nil {
		return err
	}
	var outside []Peer
	for _, p := range list {
		if members[p.Wwwroot] {
			t.report.Peers = append(t.report.Peers, PeerReport{Wwwroot: p.Wwwroot, Application: p.Application, Outcome: Skipped,
				Detail: "would be told by its database"})
		} else {
			outside = append(outside, p)
		}
	}
	t.report.Peers = append(t.report.Peers, r.tryPeers(ctx, outside, a.planWords())...)
	return nil
}

// planWords name the certificate that peers would be sent.
func (a *Array) planWords() string {
	switch {
	case a.RollBack:
		return "the former certificate"
	case a.OnlyDistribute:
		return "the stored certificate"
	}
	return "the new certificate"
}
