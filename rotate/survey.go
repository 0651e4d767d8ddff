package rotate

import (
	"context"
	"fmt"
)

// Survey is what is looked at in an array without changing it.
type Survey int

// The surveys.
const (
	SurveyStatus Survey = iota // what the databases say
	SurveyVerify               // own sites and peers outside by sealed calls, members by their databases
	SurveyLive                 // both
	SurveyDoctor               // each tenant diagnosed by itself
)

// calls tells whether sealed calls are made.
func (s Survey) calls() bool { return s == SurveyVerify || s == SurveyLive }

// details tells whether the peers' certificates are reported.
func (s Survey) details() bool { return s == SurveyStatus || s == SurveyLive }

// Survey looks at the selected tenants, a few at once, and writes nothing. Links
// between members are looked up in their databases. Reports go to Emit, each as
// soon as it is complete; it returns the exit code of the whole.
func (a *Array) Survey(ctx context.Context, what Survey) int {
	tenants := a.start()
	emit, code := a.emitter()
	if what == SurveyDoctor {
		a.each("examine", tenants, func(t *renewing) {
			a.within(ctx, t, func(s *Session, r *Renewal) error {
				r.Store = wholeStore{s.Store, s.Mesh}
				t.report = r.Diagnose(ctx)
				t.nameUnread()
				return t.report.Err
			})
			emit(t)
		})
		return code()
	}
	a.each("read", tenants, func(t *renewing) {
		a.within(ctx, t, func(_ *Session, r *Renewal) error { return a.look(ctx, t, r, what) })
	})
	held := a.lookAtMembers(ctx, tenants)
	a.each("prove", tenants, func(t *renewing) {
		if t.current != nil {
			a.within(ctx, t, func(s *Session, r *Renewal) error { return a.surveyPeers(ctx, t, s, r, what, held) })
			if t.report.Err != nil && t.report.Exit == ExitOK {
				t.report.Exit = ExitNotRenewed
			}
		}
		emit(t)
	})
	return code()
}

// nameUnread names a tenant whose database did not say who it is.
func (t *renewing) nameUnread() {
	t.report.Wwwroot = t.member.Wwwroot
	for i := range t.report.Findings {
		if f := &t.report.Findings[i]; f.Subject == "" {
			f.Subject = t.member.Wwwroot
		}
	}
}

// look reads one tenant, and proves its own site where calls are made.
func (a *Array) look(ctx context.Context, t *renewing, r *Renewal, what Survey) error {
	tenant, err := r.Store.Read(ctx)
	if err != nil {
		return fmt.Errorf("read the tenant: %w", err)
	}
	if what.details() {
		t.report.describeAll(tenant)
	} else {
		t.report.describe(tenant)
	}
	id := tenant.identity()
	if what.calls() {
		if id, err = r.verifyOwn(ctx, tenant, &t.report); err != nil {
			return err
		}
	}
	t.report.Outcome, t.report.Exit = Kept, ExitOK
	if id != nil {
		t.current = id.Key.Certificate
	}
	return nil
}

// lookAtMembers reads which of the tenants' certificates every member holds.
func (a *Array) lookAtMembers(ctx context.Context, tenants []*renewing) *mesh {
	return a.askMembers(ctx, "look", tenants, func(s *Session, keys []HostKey) ([]Held, error) { return s.Mesh.Look(ctx, keys) })
}

// surveyPeers reports on all peers of one tenant.
func (a *Array) surveyPeers(ctx context.Context, t *renewing, s *Session, r *Renewal, what Survey, m *mesh) error {
	tenant, err := r.Store.Read(ctx)
	if err != nil {
		return fmt.Errorf("read the tenant: %w", err)
	}
	id := tenant.identity()
	if id == nil || !id.Key.Certificate.Equal(t.current) {
		return fmt.Errorf("peers not looked at: %w", ErrConflict)
	}
	list, err := s.Mesh.List(ctx)
	if err != nil {
		return fmt.Errorf("read the peers: %w", err)
	}
	if what.details() {
		if list, err = s.Mesh.Load(ctx, list); err != nil {
			return fmt.Errorf("read the peers: %w", err)
		}
	}
	outside := make([]Peer, 0, len(list))
	reports := make(map[string]PeerReport, len(list))
	for _, p := range list {
		switch {
		case m.inside(p.Wwwroot):
			reports[p.Wwwroot] = m.surveyed(p, tenant.Wwwroot, what)
		case what.calls():
			outside = append(outside, p)
		default:
			reports[p.Wwwroot] = PeerReport{Wwwroot: p.Wwwroot, Application: p.Application, Outcome: Skipped}
		}
	}
	if len(outside) > 0 {
		if outside, err = s.Mesh.Load(ctx, outside); err != nil {
			return fmt.Errorf("read the peers: %w", err)
		}
		for _, report := range r.workOn(outside, func(p Peer) PeerReport { return r.verifyPeer(ctx, tenant, *id, p) }) {
			reports[report.Wwwroot] = report
		}
	}
	t.report.Peers = make([]PeerReport, len(list))
	for i, p := range list {
		report := reports[p.Wwwroot]
		if what.details() {
			report.Certificate = certificateReport(p.Certificate)
		}
		t.report.Peers[i] = report
	}
	if what.calls() {
		t.weighRows(true)
		t.report.exitByProof()
	}
	return nil
}

// surveyed says what a member holds of a tenant: its outcome where links are
// proven, else only that.
func (m *mesh) surveyed(p Peer, tenant string, what Survey) PeerReport {
	report := m.report(p, tenant)
	if what.details() && m.failed[m.member[p.Wwwroot]] == nil {
		report.Holds = holds[m.heldBy(p.Wwwroot, tenant)]
	}
	if !what.calls() {
		report.Outcome, report.Reason, report.Attempts = Skipped, "", 0
		if report.Holds == "current" {
			report.Detail = ""
		}
	}
	return report
}

var holds = map[Held]string{HeldStored: "current", HeldOther: "other", HeldUnknown: "none", HeldDeleted: "none"}

// wholeStore reads a tenant with its peers, which an array's Store leaves out.
type wholeStore struct {
	Store
	mesh Mesh
}

// Read implements Store.
func (w wholeStore) Read(ctx context.Context) (*Tenant, error) {
	t, err := w.Store.Read(ctx)
	if err != nil {
		return nil, err
	}
	if t.Peers, err = w.mesh.List(ctx); err == nil {
		t.Peers, err = w.mesh.Load(ctx, t.Peers)
	}
	return t, err
}
