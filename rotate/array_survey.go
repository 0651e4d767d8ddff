package rotate

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// Survey says what is examined in an array without changing it.
type Survey int

// The surveys.
const (
	SurveyStatus Survey = iota // what the databases say
	SurveyVerify               // calls to web servers and outside peers; members' rows in databases
	SurveyLive                 // both
	SurveyDoctor               // a diagnosis of each tenant by itself
)

// calls reports whether sealed calls are made.
func (s Survey) calls() bool { return s == SurveyVerify || s == SurveyLive }

// details reports whether the peers' certificates are reported.
func (s Survey) details() bool { return s == SurveyStatus || s == SurveyLive }

// Survey examines the selected tenants, a few at a time, and writes nothing. It judges links
// between members as Run does: by the rows on both sides and, if calls are made, by one call to the
// web server of every member. Emit receives each report as soon as it is complete; Survey returns
// the exit code of the whole run.
func (a *Array) Survey(ctx context.Context, what Survey) int {
	tenants := a.start()
	emit, code := a.emitter()
	if what == SurveyDoctor {
		a.diagnose(ctx, tenants, emit)
		return code()
	}
	a.each("read", tenants, func(t *renewing) {
		a.within(ctx, t, func(_ *Session, r *Renewal) error { return a.look(ctx, t, r, what) })
	})
	m := a.lookAtMembers(ctx, tenants, what)
	a.each("prove", tenants, func(t *renewing) {
		if t.current != nil {
			a.within(ctx, t, func(s *Session, r *Renewal) error { return a.surveyPeers(ctx, t, s, r, what, m) })
			if t.report.Err != nil && t.report.Exit == ExitOK {
				t.report.Exit = ExitNotRenewed
			}
		}
		emit(t)
	})
	return code()
}

// look reads one tenant, and proves its local site if calls are made.
func (a *Array) look(ctx context.Context, t *renewing, r *Renewal, what Survey) error {
	tenant, err := r.load(ctx)
	if err != nil {
		return err
	}
	id := tenant.identity()
	if what.calls() {
		r.Locker = a.looker(t.member)
		id, err = r.verifyOwn(ctx, tenant, &t.report)
	}
	if what.details() {
		t.report.describeAll(tenant, r.Now())
	} else {
		t.report.describe(tenant)
	}
	if err := cmp.Or(err, tenant.belongs()); err != nil {
		return err
	}
	t.report.Outcome, t.report.Exit = Kept, ExitOK
	if id != nil {
		a.proven(t, r)
		t.use(*id)
		t.had = tenant.certificates()
		if t.report.SelfCheck == SelfProven {
			t.side = &side{uses: id.Key.Certificate}
		}
	}
	return nil
}

// lookAtMembers reads which certificates the members' rows have. It also asks the web servers of
// members that are not tenants, or were not proven.
func (a *Array) lookAtMembers(ctx context.Context, tenants []*renewing, what Survey) *linkResults {
	m := a.meet(tenants, func(to, t *renewing) side {
		if t != nil && t.side != nil {
			return *t.side
		}
		return t.judged(a.ask(ctx, to, what.calls()))
	})
	a.visit(ctx, "look", tenants, m, func(s *Session, keys, others []HostKey) ([]StoreResult, error) {
		return s.PeerRows.ComparePeerKeys(ctx, slices.Concat(keys, others))
	})
	return m
}

// surveyPeers reports on all peers of one tenant.
func (a *Array) surveyPeers(ctx context.Context, t *renewing, s *Session, r *Renewal, what Survey, m *linkResults) error {
	tenant, err := r.load(ctx)
	if err != nil {
		return err
	}
	id := tenant.identity()
	if !t.stores(tenant) {
		changed := ErrConflict
		if a.busy(ctx, t.member.Wwwroot) {
			changed = ErrUnderWay
		}
		return fmt.Errorf("peers not looked at: %w", changed)
	}
	list, err := s.PeerRows.PeerList(ctx)
	if err != nil {
		return fmt.Errorf("read the peers: %w", err)
	}
	if what.details() {
		if list, err = s.PeerRows.LoadPeers(ctx, list); err != nil {
			return fmt.Errorf("read the peers: %w", err)
		}
	}
	outside := make([]Peer, 0, len(list))
	reports := make(map[int64]PeerReport, len(list)) // by id: two rows may have one wwwroot
	for _, p := range list {
		switch {
		case m.inside(p.Wwwroot):
			reports[p.ID] = m.surveyed(ctx, p, t.member.Wwwroot, what)
		case what.calls():
			outside = append(outside, p)
		default:
			reports[p.ID] = PeerReport{Wwwroot: p.Wwwroot, Application: p.Application, Outcome: Skipped}
		}
	}
	if len(outside) > 0 {
		if outside, err = s.PeerRows.LoadPeers(ctx, outside); err != nil {
			return fmt.Errorf("read the peers: %w", err)
		}
		for i, report := range r.workOn(outside, func(p Peer) PeerReport { return r.verifyPeer(ctx, *id, p) }) {
			reports[outside[i].ID] = report
		}
	}
	t.report.Peers = make([]PeerReport, 0, len(list))
	for _, p := range list {
		report, is := reports[p.ID]
		if !is { // it was deleted meanwhile
			continue
		}
		if what.details() {
			report.Certificate = certificateReport(p.Certificate)
		}
		t.report.Peers = append(t.report.Peers, report)
	}
	if what.calls() {
		m.failUnfound(&t.report)
		r.weighLinks(&t.report, t.report.SelfCheck == SelfProven, nil)
		r.Busy = a.busy
		r.noteOtherRuns(ctx, &t.report)
		t.report.exitByProof()
	}
	return nil
}

// surveyed says what a member has of a tenant: the outcome of the link if links are proven, else
// only which certificate.
func (m *linkResults) surveyed(ctx context.Context, p Peer, tenant string, what Survey) PeerReport {
	report := PeerReport{Wwwroot: p.Wwwroot, Application: p.Application, Outcome: Skipped}
	database := m.sides[m.member[p.Wwwroot]].err
	if what.calls() {
		report = m.report(ctx, p, tenant)
	} else if database != nil {
		report.Detail = databaseFailure(ctx, "its database: ", database).Detail
	} else if f := m.rowFailure(p.Wwwroot, tenant); f != nil {
		report.Detail = f.Detail
	}
	report.Member = true
	if what.details() && database == nil {
		report.Holds = holds[m.resultOf(p.Wwwroot, tenant)]
	}
	return report
}

var holds = map[StoreResult]string{KeyPresent: "current", KeyStored: "current", KeyNone: "none", KeyOther: "other", KeyNewer: "other", RowTwice: "other", NoRow: "none", RowNotFound: "none", RowDeleted: "none"}

// wholeStore reads a tenant with its peers, which an array's Store leaves out.
type wholeStore struct {
	Store
	rows PeerRows
}

// DescribeSite implements SiteDescriber.
func (w wholeStore) DescribeSite(ctx context.Context, peers []Peer, now time.Time) Site {
	if describer, ok := w.Store.(SiteDescriber); ok {
		return describer.DescribeSite(ctx, peers, now)
	}
	return Site{}
}

// Read implements Store.
func (w wholeStore) Read(ctx context.Context) (*Tenant, error) {
	t, err := w.Store.Read(ctx)
	if err != nil {
		return nil, err
	}
	if t.Peers, err = w.rows.PeerList(ctx); err == nil {
		t.Peers, err = w.rows.LoadPeers(ctx, t.Peers)
	}
	return t, err
}
