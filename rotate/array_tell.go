package rotate

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// mesh is what became of every key at every member, one byte for each.
type mesh struct {
	member map[string]int // by wwwroot
	tenant map[string]int
	held   [][]Held // by member, then by tenant
	failed []error  // by member: why its database could not be asked
}

// inside tells whether a site is a member of the array.
func (m *mesh) inside(wwwroot string) bool {
	_, ok := m.member[wwwroot]
	return ok
}

// tellMembers stores the certificates of the tenants in the databases of all
// members, the ones that were not selected too. Rows of mnet_host are not cached
// by Moodle: what is read back is what the member's web side uses.
func (a *Array) tellMembers(ctx context.Context, tenants []*renewing) *mesh {
	if a.ByKeyswap {
		return &mesh{}
	}
	return a.askMembers(ctx, "tell", tenants, func(s *Session, keys []HostKey) ([]Held, error) { return s.Mesh.Hold(ctx, keys) })
}

// askMembers has every member asked about the certificates of the tenants.
func (a *Array) askMembers(ctx context.Context, phase string, tenants []*renewing, ask func(*Session, []HostKey) ([]Held, error)) *mesh {
	m := &mesh{member: map[string]int{}, tenant: map[string]int{}}
	var keys []HostKey
	for _, t := range tenants {
		if t.current != nil {
			m.tenant[t.report.Wwwroot] = len(keys)
			keys = append(keys, HostKey{Wwwroot: t.report.Wwwroot, Certificate: t.current, Replaces: t.former})
		}
	}
	m.held, m.failed = make([][]Held, len(a.Members)), make([]error, len(a.Members))
	if len(keys) == 0 {
		return m
	}
	receivers := make([]*renewing, len(a.Members))
	for i, member := range a.Members {
		m.member[member.Wwwroot] = i
		receivers[i] = &renewing{member: member}
	}
	a.each(phase, receivers, func(to *renewing) {
		a.within(ctx, to, func(s *Session, _ *Renewal) error {
			held, err := ask(s, keys)
			m.held[m.member[to.member.Wwwroot]] = held
			return err
		})
		m.failed[m.member[to.member.Wwwroot]] = to.report.Err
	})
	return m
}

// finishAll tells the peers outside of the array, looks at each own site once
// more, and emits the reports. It gives the exit code of the run.
func (a *Array) finishAll(ctx context.Context, tenants []*renewing, m *mesh) int {
	var mu sync.Mutex
	exits := exitCount{}
	emit := func(t *renewing) {
		t.release()
		t.release = func() {}
		mu.Lock()
		defer mu.Unlock()
		exits.add(t.report)
		if a.Emit != nil {
			a.Emit(t.report)
		}
		t.report.Peers = nil
	}
	var told []*renewing
	for _, t := range tenants {
		if t.current == nil {
			emit(t)
			continue
		}
		told = append(told, t)
	}
	a.each("prove", told, func(t *renewing) {
		// What has ended the run ends the calls to peers; a tenant with a new key
		// is looked at and reported all the same.
		a.within(context.WithoutCancel(ctx), t, func(s *Session, r *Renewal) error { return a.finish(ctx, t, s, r, m) })
		if t.report.Err != nil && t.report.Exit == ExitOK {
			t.report.Exit = ExitPeers
		}
		emit(t)
	})
	return exits.code()
}

// finish reports on all peers of one tenant.
func (a *Array) finish(ctx context.Context, t *renewing, s *Session, r *Renewal, m *mesh) error {
	safe := context.WithoutCancel(ctx)
	tenant, err := r.Store.Read(safe)
	if err != nil {
		return fmt.Errorf("read the tenant: %w", err)
	}
	id := tenant.identity()
	if id == nil || !id.Key.Certificate.Equal(t.current) {
		return fmt.Errorf("peers not told: %w", ErrConflict)
	}
	list, err := s.Mesh.List(safe)
	if err != nil {
		return fmt.Errorf("read the peers: %w", err)
	}
	report := func() (err error) {
		tell := r.tellPeers
		if t.kept && r.Due.OnlyIfDue && !a.OnlyDistribute {
			tell = r.lookAtPeers
		}
		t.report.Peers, err = a.peerReports(ctx, list, *id, s, r, m, tell)
		return err
	}
	if err := report(); err != nil {
		return err
	}
	again, err := r.lookAgain(safe, tenant, *id, &t.report)
	if err != nil {
		t.report.wentBack(err)
		return fmt.Errorf("after the peers were told: %w", err)
	}
	if again {
		if err := report(); err != nil {
			return err
		}
	}
	if t.report.Unproven() > 0 || t.report.SelfCheck == SelfNoRC4 {
		t.report.Exit = ExitPeers
	}
	return nil
}

// peerReports tells the peers outside over HTTP, and those inside by what became
// of the key in their databases; some or all of the latter are called as well.
func (a *Array) peerReports(ctx context.Context, list []Peer, own Identity, s *Session, r *Renewal, m *mesh, tell tellFunc) ([]PeerReport, error) {
	var outside, inside []Peer
	for _, p := range list {
		if m.inside(p.Wwwroot) {
			inside = append(inside, p)
		} else {
			outside = append(outside, p)
		}
	}
	reports := make(map[string]PeerReport, len(list))
	for _, p := range inside {
		reports[p.Wwwroot] = m.report(p, own.Wwwroot)
	}
	drawn, err := a.sample(inside, a.ProveCalls)
	if err != nil {
		return nil, err
	}
	for _, way := range []struct {
		peers []Peer
		tell  tellFunc
	}{
		{outside, tell},
		{drawn, func(ctx context.Context, own Identity, peers []Peer) []PeerReport {
			return r.callPeers(ctx, own, peers, reports)
		}},
	} {
		if len(way.peers) == 0 {
			continue
		}
		loaded, err := s.Mesh.Load(context.WithoutCancel(ctx), way.peers)
		if err != nil {
			return nil, fmt.Errorf("read the peers: %w", err)
		}
		for _, report := range way.tell(ctx, own, loaded) {
			reports[report.Wwwroot] = report
		}
	}
	ordered := make([]PeerReport, len(list))
	for i, p := range list {
		ordered[i] = reports[p.Wwwroot]
	}
	return ordered, nil
}

// callPeers proves peers whose databases hold the key already by sealed calls.
func (r *Renewal) callPeers(ctx context.Context, own Identity, peers []Peer, held map[string]PeerReport) []PeerReport {
	return r.workOn(peers, func(p Peer) PeerReport {
		report := held[p.Wwwroot]
		if report.Outcome != Accepted {
			return report
		}
		started := r.Now()
		report.prove(Push{}, r.Network.Prove(ctx, own, p, nil, false))
		report.TookMS = r.Now().Sub(started).Milliseconds()
		return report
	})
}

// reasonDatabase marks a peer that is proven by its row, read back, together with
// our own site's proof.
const reasonDatabase = "database"

// heldBy is what became of a tenant's key at a member.
func (m *mesh) heldBy(member, tenant string) Held { return m.held[m.member[member]][m.tenant[tenant]] }

// report says what became of a tenant's key at a member.
func (m *mesh) report(p Peer, tenant string) PeerReport {
	report := PeerReport{Wwwroot: p.Wwwroot, Application: p.Application, Attempts: 1}
	member := m.member[p.Wwwroot]
	if err := m.failed[member]; err != nil {
		reason := "connect"
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			reason = "timeout"
		}
		report.fail(&Failure{Reason: reason, Detail: "its database: " + err.Error(), Pending: true})
		return report
	}
	switch m.heldBy(p.Wwwroot, tenant) {
	case HeldStored:
		report.Outcome, report.Reason = Accepted, reasonDatabase
	case HeldNewer:
		report.fail(&Failure{Reason: "bad_certificate", Detail: "its row holds a newer certificate of this tenant, which was left"})
	case HeldUnknown:
		report.fail(&Failure{Reason: "unknown_to_peer", Detail: "it has no host with our wwwroot"})
	case HeldOther:
		report.fail(&Failure{Reason: "cannot_open", Detail: "its row holds another certificate of this site"})
	case HeldDeleted:
		report.fail(&Failure{Reason: "unknown_to_peer", Detail: "its row of us is deleted"})
	default:
		report.fail(&Failure{Reason: "connect", Detail: "its database did not take the certificate", Pending: true})
	}
	return report
}
