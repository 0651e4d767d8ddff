package rotate

import (
	"context"
	"fmt"
)

// finishAll pushes to the peers outside of the array, checks each local site once more, and emits
// the reports. It gives the exit code of the run.
func (a *Array) finishAll(ctx context.Context, tenants []*renewing, m *linkResults) int {
	emit, code := a.emitter()
	var pushed []*renewing
	for _, t := range tenants {
		if t.current == nil {
			emit(t)
			continue
		}
		pushed = append(pushed, t)
	}
	a.each("prove", pushed, func(t *renewing) {
		// If the context has ended the run, it also ends the calls to peers; a tenant with a new
		// key is checked and reported all the same.
		a.within(context.WithoutCancel(ctx), t, func(s *Session, r *Renewal) error { return a.finish(ctx, t, s, r, m) })
		if t.report.Err != nil && t.report.Exit == ExitOK {
			t.report.Exit = ExitPeers
		}
		emit(t)
	})
	return code()
}

// finish reports on all peers of one tenant.
func (a *Array) finish(ctx context.Context, t *renewing, s *Session, r *Renewal, m *linkResults) error {
	safe := context.WithoutCancel(ctx)
	tenant, err := r.load(safe)
	if err != nil {
		return err
	}
	if _, known := m.key[t.member.Wwwroot]; !t.stores(tenant) && !known {
		a.overwritten(safe, t, s, r, tenant)
		return t.report.Err
	} else if !t.stores(tenant) {
		return t.finishOverwritten(safe, s, r, tenant)
	}
	list, err := s.PeerRows.PeerList(safe)
	if err != nil {
		return fmt.Errorf("read the peers: %w", err)
	}
	id, push := tenant.identity(), r.pushToPeers
	if t.kept && a.onlyLooks() {
		push = r.lookAtPeers
	}
	err = a.peerReports(ctx, t, list, *id, s, r, m, push)
	proven := t.report.SelfCheck == SelfProven
	last, cancel := safePoint(safe)
	defer cancel()
	now, lost := r.recheckUntilStill(last, tenant, *id, &t.report, func() { err = a.peerReports(ctx, t, list, *id, s, r, m, push) })
	if lost != nil {
		t.report.wentBack(lost)
		err = fmt.Errorf("after the push: %w", lost)
	}
	m.failUnfound(&t.report)
	r.weighLinks(&t.report, proven && lost == nil, lost)
	if r.MovedFrom != "" {
		r.reportMove(&t.report, tenant, m.inside)
	}
	if t.report.Exit == ExitOK {
		t.report.exitByProof()
	}
	if err == nil {
		r.trim(ctx, now, &t.report)
	}
	return err
}

// finishOverwritten is for a tenant whose key was overwritten by another program while the key was
// pushed to members: they can heal as long as the key is in the history.
func (t *renewing) finishOverwritten(ctx context.Context, s *Session, r *Renewal, now *Tenant) error {
	t.report.Exit = ExitPeers
	conflict := fmt.Errorf("while the key was pushed to the array: %w", r.keepLost(ctx, *t.current, now, &t.report))
	list, err := s.PeerRows.PeerList(ctx)
	if err != nil {
		return fmt.Errorf("%w; read the peers: %w", conflict, err)
	}
	t.report.Peers = make([]PeerReport, len(list))
	for i, p := range list {
		t.report.Peers[i] = PeerReport{Wwwroot: p.Wwwroot, Application: p.Application}
		t.report.Peers[i].fail(&Failure{Reason: ReasonLocalSite, Detail: "this site's key was overwritten meanwhile", Pending: true})
	}
	return conflict
}

// onlyLooks reports whether peers of a tenant whose key is kept are pushed to only if they are not
// proven.
func (a *Array) onlyLooks() bool { return a.Template.Due.OnlyIfDue }

// peerReports pushes to the peers outside over HTTP. It judges those inside by the link's rows in
// the databases and by the web servers; some or all of the latter are called as well. Its error is
// about other things that could not be done: all peers are reported nevertheless.
func (a *Array) peerReports(ctx context.Context, t *renewing, list []Peer, own Identity, s *Session, r *Renewal, m *linkResults, push pushFunc) error {
	var outside, inside []Peer
	for _, p := range list {
		if m.inside(p.Wwwroot) {
			inside = append(inside, p)
		} else {
			outside = append(outside, p)
		}
	}
	reports := make(map[int64]PeerReport, len(list)) // by id: two rows may have one wwwroot
	for _, p := range inside {
		reports[p.ID] = m.report(ctx, p, t.member.Wwwroot)
	}
	var lost error
	pushBy := func(push pushFunc, peers []Peer) {
		if len(peers) == 0 {
			return
		}
		loaded, err := s.PeerRows.LoadPeers(context.WithoutCancel(ctx), peers)
		if err != nil {
			lost = fmt.Errorf("read the peers: %w", err)
			return
		}
		for i, report := range push(ctx, own, loaded) {
			reports[loaded[i].ID] = report
		}
	}
	pushBy(func(ctx context.Context, own Identity, peers []Peer) []PeerReport {
		pushed := push(ctx, own, peers)
		r.pushOnceMore(ctx, own, peers, pushed)
		return pushed
	}, outside)
	drawn, err := a.sample(inside, a.ProveCalls)
	if err != nil {
		lost = err
	}
	pushBy(r.callPeers(reports), drawn)
	t.report.Peers = make([]PeerReport, len(list))
	for i, p := range list {
		report, known := reports[p.ID]
		if !known {
			report = PeerReport{Wwwroot: p.Wwwroot, Application: p.Application}
			report.fail(&Failure{Reason: ReasonDatabase, Detail: "not pushed: its row could not be read", Pending: true})
		}
		t.report.Peers[i] = report
	}
	return lost
}

// callPeers also makes sealed calls to peers whose links are proven by rows.
func (r *Renewal) callPeers(known map[int64]PeerReport) pushFunc {
	return func(ctx context.Context, own Identity, peers []Peer) []PeerReport {
		return r.workOn(peers, func(p Peer) PeerReport {
			report := known[p.ID]
			if report.Outcome != Accepted {
				return report
			}
			started := r.Now()
			report.prove(Push{}, r.Network.Prove(ctx, own, p, nil, false))
			report.interruptedBy(ctx)
			report.TookMS = r.Now().Sub(started).Milliseconds()
			return report
		})
	}
}
