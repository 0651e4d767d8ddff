package rotate

import (
	"context"
	"errors"
	"fmt"
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
			if err := itsOwn(ctx, s); err != nil {
				return err
			}
			held, err := ask(s, keys)
			m.held[m.member[to.member.Wwwroot]] = held
			return err
		})
		m.failed[m.member[to.member.Wwwroot]] = to.report.Err
	})
	return m
}

// itsOwn refuses the database of another site: what its rows hold is not what the
// member goes by. One without a row of its own may be the member's, before MNet
// was ever on there.
func itsOwn(ctx context.Context, s *Session) error {
	tenant, err := s.Store.Read(ctx)
	if err != nil {
		return fmt.Errorf("read the tenant: %w", err)
	}
	if err := tenant.checkOwnRow(); !errors.Is(err, ErrNoOwnHost) {
		return err
	}
	return nil
}

// finishAll tells the peers outside of the array, looks at each own site once
// more, and emits the reports. It gives the exit code of the run.
func (a *Array) finishAll(ctx context.Context, tenants []*renewing, m *mesh) int {
	emit, code := a.emitter()
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
	return code()
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
	tell := r.tellPeers
	if t.kept && a.onlyLooks() {
		tell = r.lookAtPeers
	}
	err = a.peerReports(ctx, t, list, *id, s, r, m, tell)
	again, lost := r.lookAgain(safe, tenant, *id, &t.report)
	switch {
	case lost != nil:
		t.report.wentBack(lost)
		err = fmt.Errorf("after the peers were told: %w", lost)
	case again:
		err = a.peerReports(ctx, t, list, *id, s, r, m, tell)
	}
	t.weighRows(lost == nil)
	if t.report.Exit == ExitOK && (t.report.Unproven() > 0 || t.report.SelfCheck == SelfNoRC4) {
		t.report.Exit = ExitPeers
	}
	return err
}

// onlyLooks tells whether peers of a tenant that is kept are only told where they
// are not proven.
func (a *Array) onlyLooks() bool { return a.Template.Due.OnlyIfDue && !a.OnlyDistribute }

// weighRows takes back what was proven by rows alone, unless the own site was
// proven, and still is: a row that holds the certificate proves a link only
// together with a site that uses its key.
func (t *renewing) weighRows(still bool) {
	defer func() { t.called = nil }()
	if still && t.report.SelfCheck == SelfProven {
		return
	}
	worth := &Failure{Reason: reasonDatabase, Detail: "its row holds the certificate, but the own site was not proven to use the key", Pending: true}
	if t.report.SelfCheck == SelfNoRC4 {
		worth = &Failure{Reason: "no_rc4", Detail: "its row holds the certificate, but no sealed call works from this site"}
	}
	for i := range t.report.Peers {
		if p := &t.report.Peers[i]; p.Outcome == Accepted && p.Reason == reasonDatabase && !t.called[p.Wwwroot] {
			p.fail(worth)
		}
	}
}

// peerReports tells the peers outside over HTTP, and those inside by what became
// of the key in their databases; some or all of the latter are called as well. Its
// error is of what could not be done besides: all peers are reported nevertheless.
func (a *Array) peerReports(ctx context.Context, t *renewing, list []Peer, own Identity, s *Session, r *Renewal, m *mesh, tell tellFunc) error {
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
	var lost error
	tellBy := func(tell tellFunc, peers []Peer) (told []PeerReport) {
		if len(peers) == 0 {
			return nil
		}
		loaded, err := s.Mesh.Load(context.WithoutCancel(ctx), peers)
		if err != nil {
			lost = fmt.Errorf("read the peers: %w", err)
			return nil
		}
		told = tell(ctx, own, loaded)
		for _, report := range told {
			reports[report.Wwwroot] = report
		}
		return told
	}
	tellBy(tell, outside)
	drawn, err := a.sample(inside, a.ProveCalls)
	if err != nil {
		lost = err
	}
	t.called = make(map[string]bool, len(drawn))
	for _, report := range tellBy(r.callPeers(reports), drawn) {
		t.called[report.Wwwroot] = true
	}
	t.report.Peers = make([]PeerReport, len(list))
	for i, p := range list {
		report, known := reports[p.Wwwroot]
		if !known {
			report = PeerReport{Wwwroot: p.Wwwroot, Application: p.Application}
			report.fail(&Failure{Reason: "connect", Detail: "not told: its row could not be read", Pending: true})
		}
		t.report.Peers[i] = report
	}
	return lost
}

// callPeers proves peers whose databases hold the key already by sealed calls.
func (r *Renewal) callPeers(held map[string]PeerReport) tellFunc {
	return func(ctx context.Context, own Identity, peers []Peer) []PeerReport {
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
