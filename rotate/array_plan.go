package rotate

import (
	"context"
	"fmt"
)

// Plan is the dry run of an array: what Run would do with each tenant, found out
// without a lock, a write or a keyswap. Peers outside of the array are connected
// to; members would be told by their databases.
func (a *Array) Plan(ctx context.Context) int {
	tenants := a.start()
	inside := a.byDatabase()
	a.each("check", tenants, func(t *renewing) {
		a.within(ctx, t, func(s *Session, r *Renewal) error { return a.planTenant(ctx, t, s, r, inside) })
	})
	return a.finishAll(ctx, tenants, &linkResults{})
}

func (a *Array) planTenant(ctx context.Context, t *renewing, s *Session, r *Renewal, inside map[string]bool) error {
	tenant, err := r.Store.Read(ctx)
	if err != nil {
		return fmt.Errorf("read the tenant: %w", err)
	}
	t.report.describe(tenant)
	t.kept = a.keeps(tenant)
	plan := r.Plan
	switch {
	case a.RollBack:
		plan = r.PlanRollBack
	case t.kept:
		if err := r.mayKeep(tenant); err != nil {
			return err
		}
		plan = r.PlanDistribute
	}
	if t.report = plan(ctx); t.report.Err != nil {
		t.report.Wwwroot = t.member.Wwwroot
		return t.report.Err
	}
	if t.kept {
		t.report.NotDue = !a.PushOnly
		t.report.warn("its key would be kept and " + a.distributed())
	}
	list, err := s.PeerRows.PeerList(ctx)
	if err != nil {
		t.report.Outcome, t.report.Exit = Failed, ExitNotRenewed
		return fmt.Errorf("read the peers: %w", err)
	}
	var outside []Peer
	for _, p := range list {
		if inside[p.Wwwroot] {
			t.report.Peers = append(t.report.Peers, PeerReport{Wwwroot: p.Wwwroot, Application: p.Application, Outcome: Skipped,
				Detail: "would be told by its database"})
		} else {
			outside = append(outside, p)
		}
	}
	t.report.Peers = append(t.report.Peers, r.tryPeers(ctx, outside, a.planWords(t))...)
	t.report.exitByPlan(r.SelfCheck)
	return nil
}

// distributed says what becomes of a key that is kept.
func (a *Array) distributed() string {
	if a.onlyLooks() {
		return "told to peers that are not proven"
	}
	return "distributed"
}

// planWords name the certificate that peers would be sent.
func (a *Array) planWords(t *renewing) string {
	switch {
	case a.RollBack:
		return "the former certificate"
	case t.kept:
		return "the stored certificate"
	}
	return "the new certificate"
}
