package rotate

import (
	"context"
	"fmt"
	"slices"
)

// Plan is the dry run of an array: it finds out what Run would do with each tenant, without a lock,
// a write or a keyswap. It connects to peers outside of the array. It reads the databases of
// members, through which Run would push to them; members that are not selected prove their own key,
// as in Run.
func (a *Array) Plan(ctx context.Context) int {
	tenants := a.start()
	emit, code := a.emitter()
	failures := a.limit()
	a.each("check", tenants, func(t *renewing) {
		a.within(ctx, t, func(s *Session, r *Renewal) error { return a.planTenant(ctx, t, s, r) })
		failures.checked(t)
	})
	a.leaveOutRest(tenants, failures)
	m := &linkResults{}
	if !a.ByKeyswap {
		m = a.planMembers(ctx, tenants)
	}
	a.each("plan", tenants, func(t *renewing) {
		if t.report.Err == nil {
			a.within(ctx, t, func(s *Session, r *Renewal) error { return a.planPeers(ctx, t, s, r, m) })
		}
		emit(t)
	})
	return code()
}

func (a *Array) planTenant(ctx context.Context, t *renewing, s *Session, r *Renewal) error {
	tenant, err := t.read(ctx, s, r)
	if err != nil {
		return err
	}
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
	moved := t.report.Moved
	t.report = plan(ctx)
	t.report.Moved = moved
	if t.report.Err != nil {
		t.report.Wwwroot = t.member.Wwwroot
		return t.report.Err
	}
	if t.kept {
		t.report.NotDue, t.report.DueAt = !a.PushOnly, r.Due.dueAt(tenant)
		t.report.warn(a.keptWords())
	}
	t.current = tenant.identity() // a run may replace it by another
	t.had = tenant.certificates()
	return nil
}

// planMembers finds out the state of every member, which rows the members have of the tenants, and
// whether these could be written, if a run would write them.
// A tenant that nothing stops counts as proven: a cache that has an old key would be purged first.
func (a *Array) planMembers(ctx context.Context, tenants []*renewing) *linkResults {
	ready, newKey := map[int]bool{}, map[string]bool{}
	for _, t := range tenants {
		newKey[t.member.Wwwroot] = !t.kept
		ready[t.at] = t.report.Err == nil && !t.report.SelfCheck.silent() && a.Template.SelfCheck != SelfCheckOff
	}
	m := a.meet(tenants, func(to, t *renewing) side {
		if ready[to.at] {
			return side{}
		}
		return t.judged(a.ask(ctx, to, true))
	})
	a.visit(ctx, "look", tenants, m, func(s *Session, keys, _ []HostKey) ([]StoreResult, error) {
		results, err := s.PeerRows.ComparePeerKeys(ctx, keys)
		if err != nil {
			return nil, err
		}
		changes := false
		for i, found := range results {
			changes = changes || found == KeyOther || found == KeyNone || found == RowNamedAsBefore || newKey[keys[i].Wwwroot] && (found == KeyPresent || found == KeyStored)
		}
		return results, s.PeerRows.CheckPeerRights(ctx, changes)
	})
	m.member = a.links().member // also if no tenant has a readable key
	return m
}

// planPeers reports for each peer of a tenant whether it can be reached.
func (a *Array) planPeers(ctx context.Context, t *renewing, s *Session, r *Renewal, m *linkResults) error {
	list, err := s.PeerRows.PeerList(ctx)
	if err != nil {
		t.report.Outcome, t.report.Exit = Failed, ExitNotRenewed
		return fmt.Errorf("read the peers: %w", err)
	}
	for _, p := range list {
		if m.inside(p.Wwwroot) {
			t.report.Peers = append(t.report.Peers, m.planned(ctx, p, t.member.Wwwroot))
		}
	}
	outside := slices.DeleteFunc(list, func(p Peer) bool { return m.inside(p.Wwwroot) })
	what := wouldBeSent(a.planWords(t))
	moves := r.MovedFrom != "" && !t.kept
	if moves {
		what = "its administrator must replace " + t.report.Moved.From + " by " + t.member.Wwwroot + "; the link is not proven before"
	}
	t.report.Peers = append(t.report.Peers, r.tryPeers(ctx, outside, what)...)
	r.weighPlan(&t.report)
	t.report.exitByPlan(r.SelfCheck)
	if moves && slices.ContainsFunc(outside, func(p Peer) bool { return !r.ignores(p.Wwwroot) }) {
		t.report.Exit = ExitPeers
	}
	return nil
}

// planned is what a run would meet at a member. Certificates that are not the current ones would be
// replaced.
func (m *linkResults) planned(ctx context.Context, p Peer, tenant string) PeerReport {
	report := PeerReport{Wwwroot: p.Wwwroot, Application: p.Application, Outcome: Skipped, Detail: "would get the certificate by its database"}
	if len(m.sides) == 0 { // no tenant has a readable key to look for
		return report
	}
	f := m.sideFailure(ctx, p.Wwwroot, tenant)
	if found := m.resultOf(p.Wwwroot, tenant); f == nil && (found == NoRow || found == RowNotFound || found == RowNotOurs || found == RowDeleted || found == RowTwice) {
		f = m.rowFailure(p.Wwwroot, tenant)
	}
	if f != nil {
		report.fail(f)
	}
	return report
}

// keptWords say what happens to a key that is kept.
func (a *Array) keptWords() string {
	switch {
	case a.PushOnly:
		return "the stored key would be pushed"
	case a.Template.MovedFrom != "":
		return "the site has its new wwwroot already: the stored key would be pushed"
	case a.onlyLooks():
		return "the key does not expire soon: it would not be renewed, only pushed to peers that are not proven"
	}
	return "the key is younger than --fresh: it would not be renewed, only pushed"
}

// planWords describe the certificate that would be sent to peers.
func (a *Array) planWords(t *renewing) string {
	switch {
	case a.RollBack:
		return "previous"
	case t.kept:
		return "stored"
	}
	return "new"
}
