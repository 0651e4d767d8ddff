package rotate

import (
	"context"
	"maps"
	"sync"
)

// diagnose examines each tenant by itself. A link to a member is judged by the member's database
// too, as in every other survey. The member's own call is made when the member is examined.
func (a *Array) diagnose(ctx context.Context, tenants []*renewing, emit func(*renewing)) {
	sides := a.readSides(ctx)
	rows := a.rowsOfTenants(ctx, tenants, sides)
	a.each("examine", tenants, func(t *renewing) {
		doubted := a.examine(ctx, t, sides, rows)
		if now := a.readAgain(ctx, sides, doubted); now != nil {
			t.report.Findings = nil
			a.examine(ctx, t, now, rows)
		}
		if err := t.report.Err; err != nil && len(t.report.Findings) == 0 { // it was not opened
			t.report.Findings = []Finding{Unreadable(ctx, t.member.Wwwroot, err)}
		}
		emit(t)
	})
}

// examine examines one tenant. Members that were asked for twice are doubted: what was read of them
// is not what their web servers use.
func (a *Array) examine(ctx context.Context, t *renewing, sides map[string]memberSide, rows *linkResults) (doubted map[string]bool) {
	var mu sync.Mutex
	doubted = map[string]bool{}
	a.within(ctx, t, func(s *Session, r *Renewal) error {
		r.Locker, r.Store = a.looker(t.member), wholeStore{s.Store, s.PeerRows}
		r.Busy = a.busy
		r.Counterpart = func(_ context.Context, p Peer) (*Counterpart, error) {
			mu.Lock()
			defer mu.Unlock()
			_, asked := doubted[p.Wwwroot]
			doubted[p.Wwwroot] = asked
			return sides[p.Wwwroot].counterpart(rows, t.member.Wwwroot)
		}
		t.report = r.Diagnose(ctx)
		t.nameUnread()
		return t.report.Err
	})
	return doubted
}

// readAgain reads the doubted members again; nil if none has another key than before. It is for
// after the examination: whoever has a place at the database server must not wait for another.
func (a *Array) readAgain(ctx context.Context, sides map[string]memberSide, doubted map[string]bool) (now map[string]memberSide) {
	for at, member := range a.Members {
		before := sides[member.Wwwroot].site
		if before == nil || !doubted[member.Wwwroot] {
			continue
		}
		site := a.readSide(ctx, &renewing{member: member, at: at})
		if site == nil || keyOf(site) == keyOf(before) {
			continue
		}
		if now == nil {
			now = maps.Clone(sides)
		}
		now[member.Wwwroot] = memberSide{site: site}
	}
	return now
}

// readSides reads every member, by wwwroot.
func (a *Array) readSides(ctx context.Context) map[string]memberSide {
	sides := map[string]memberSide{}
	var mu sync.Mutex
	a.each("ask", a.receivers(), func(to *renewing) {
		site := a.readSide(ctx, to)
		read := memberSide{site, to.report.Err}
		mu.Lock()
		defer mu.Unlock()
		sides[to.member.Wwwroot] = read
	})
	return sides
}

// memberSide is a member's database, as it was read once for all tenants. The zero value is that of
// a peer that is no member.
type memberSide struct {
	site *Tenant
	err  error
}

// counterpart is the member as the counterpart of a tenant.
func (s memberSide) counterpart(rows *linkResults, tenant string) (*Counterpart, error) {
	if s.site == nil {
		return nil, s.err
	}
	c := &Counterpart{Site: s.site, OneWay: true}
	if at, known := rows.key[tenant]; known {
		c.RowOf, c.Row = rows.keys[at].Certificate, rows.resultOf(s.site.Wwwroot, tenant)
	}
	return c, nil
}

// rowsOfTenants finds out what the members' rows have of the tenants, whose keys are those that
// were read with the sides.
func (a *Array) rowsOfTenants(ctx context.Context, tenants []*renewing, sides map[string]memberSide) *linkResults {
	for _, t := range tenants {
		site := sides[t.member.Wwwroot].site
		if site == nil {
			continue
		}
		if id := site.identity(); id != nil {
			t.use(*id)
			t.had = site.certificates()
		}
	}
	m := a.links()
	for i, member := range a.Members {
		m.sides[i].err = sides[member.Wwwroot].err
	}
	a.addTenants(m, tenants)
	a.visit(ctx, "look", tenants, m, func(s *Session, keys, _ []HostKey) ([]StoreResult, error) {
		return s.PeerRows.ComparePeerKeys(ctx, keys)
	})
	return m
}

// nameUnread names a tenant whose database did not give its wwwroot.
func (t *renewing) nameUnread() {
	t.report.Wwwroot = t.member.Wwwroot
	for i := range t.report.Findings {
		if f := &t.report.Findings[i]; f.Subject == "" {
			f.Subject = t.member.Wwwroot
		}
	}
}
