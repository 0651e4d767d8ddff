package rotate

import "context"

// linkResults is what was seen of the members, and of the rows they have of each other, one byte
// for each row.
type linkResults struct {
	member     map[string]int  // by wwwroot
	key        map[string]int  // index of keys, by wwwroot
	keys       []HostKey       // the keys of the tenants first
	tenantKeys int             // how many of keys belong to tenants
	sides      []side          // by member
	results    [][]StoreResult // by member, then by key; tenants' rows of all keys, other members' rows of the tenants' keys only
}

// inside reports whether a site is a member of the array.
func (m *linkResults) inside(wwwroot string) bool {
	_, ok := m.member[wwwroot]
	return ok
}

// pushToMembers stores the certificates of the tenants in the databases of all members, including
// those that were not selected. In the tenants' databases it stores the certificates of members
// that were proven to use them. Moodle does not cache rows of mnet_host: the member's web server
// uses what is read back.
func (a *Array) pushToMembers(ctx context.Context, tenants []*renewing) *linkResults {
	if a.ByKeyswap {
		return &linkResults{}
	}
	m := a.meet(tenants, func(to, t *renewing) side {
		if t != nil && t.current != nil {
			return t.judged(a.again(ctx, to, t))
		}
		return t.judged(a.ask(ctx, to, true))
	})
	a.visit(ctx, "tell", tenants, m, func(s *Session, keys, others []HostKey) ([]StoreResult, error) {
		results, err := s.PeerRows.StorePeerKeys(ctx, keys)
		if err != nil || len(others) == 0 {
			return results, err
		}
		seen, err := s.PeerRows.ComparePeerKeys(ctx, others)
		return append(results, seen...), err
	})
	a.repair(ctx, tenants, m)
	return m
}

// meet finds out the state of every member, including those that were not selected. ask receives
// the tenant that belongs to the member, nil if it was not selected.
func (a *Array) meet(tenants []*renewing, ask func(to, t *renewing) side) *linkResults {
	if len(byMember(tenants)) == 0 {
		return &linkResults{}
	}
	m, selected := a.links(), map[int]*renewing{}
	for _, t := range tenants {
		selected[t.at] = t
	}
	a.each("ask", a.receivers(), func(to *renewing) { m.sides[to.at] = ask(to, selected[to.at]) })
	a.addTenants(m, tenants)
	for i, s := range m.sides {
		if _, known := m.key[a.Members[i].Wwwroot]; !known && s.uses != nil {
			m.add(HostKey{Wwwroot: a.Members[i].Wwwroot, Certificate: s.uses})
		}
	}
	return m
}

// links is what is known before anything was seen.
func (a *Array) links() *linkResults {
	m := &linkResults{member: map[string]int{}, key: map[string]int{}, sides: make([]side, len(a.Members)), results: make([][]StoreResult, len(a.Members))}
	for i, member := range a.Members {
		m.member[member.Wwwroot] = i
	}
	return m
}

// addTenants adds the keys of the tenants. If a tenant could not be read again, it is not known
// whether its key is the current one.
func (a *Array) addTenants(m *linkResults, tenants []*renewing) {
	for _, t := range tenants {
		if t.current != nil && m.sides[t.at].err == nil {
			m.add(HostKey{Wwwroot: t.member.Wwwroot, Certificate: t.current.Key.Certificate, Was: t.movesFrom(), Had: t.had})
		}
	}
	m.tenantKeys = len(m.keys)
}

func (m *linkResults) add(key HostKey) {
	m.key[key.Wwwroot] = len(m.keys)
	m.keys = append(m.keys, key)
}

// byMember maps members' indexes to the tenants that have a key to push.
func byMember(tenants []*renewing) map[int]*renewing {
	with := map[int]*renewing{}
	for _, t := range tenants {
		if t.current != nil {
			with[t.at] = t
		}
	}
	return with
}

// receivers are all members, as work for each.
func (a *Array) receivers() []*renewing {
	all := make([]*renewing, len(a.Members))
	for i, member := range a.Members {
		all[i] = &renewing{member: member, at: i}
	}
	return all
}

// visit asks every member about the certificates of the tenants; it asks tenants also about those
// of the other members, which only tenants need.
func (a *Array) visit(ctx context.Context, phase string, tenants []*renewing, m *linkResults, ask func(s *Session, keys, others []HostKey) ([]StoreResult, error)) {
	if m.tenantKeys == 0 {
		return
	}
	with := byMember(tenants)
	a.each(phase, a.receivers(), func(to *renewing) {
		if to.report.Err = m.sides[to.at].err; to.report.Err != nil {
			return
		}
		others := m.keys[m.tenantKeys:]
		if with[to.at] == nil {
			others = nil
		}
		a.within(ctx, to, func(s *Session, _ *Renewal) (err error) {
			m.results[to.at], err = ask(s, m.keys[:m.tenantKeys], others)
			return err
		})
		m.sides[to.at].err = to.report.Err
	})
}
