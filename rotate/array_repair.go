package rotate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"renew_mnetkeys/envelope"
)

// repair updates the rows that tenants have of members that are not tenants themselves, if a row
// has another certificate than the one that the member's web server was proven to use: with such a
// row, no call of the tenant can be opened.
func (a *Array) repair(ctx context.Context, tenants []*renewing, m *linkResults) {
	var wrong []*renewing
	for _, t := range tenants {
		if len(m.wrong(t)) > 0 {
			wrong = append(wrong, &renewing{member: t.member, at: t.at})
		}
	}
	if len(wrong) == 0 {
		return
	}
	// In this order: first read the rows, then the members, then write (see writeRows).
	rows := make(map[int][]memberRow, len(wrong)) // by member
	var mu sync.Mutex
	a.each("repair", wrong, func(t *renewing) {
		found, err := a.rowsOf(ctx, t, m, m.wrong(t))
		t.report.Err = err
		mu.Lock()
		defer mu.Unlock()
		rows[t.at] = found
	})
	uses := a.stillUse(ctx, rows, m)
	a.each("repair", wrong, func(t *renewing) {
		results := m.results[t.at]
		for _, k := range m.wrong(t) {
			if results[k] == RowTwice {
				defer func() { results[k] = RowTwice }() // no certificate mends that
			}
			if uses[k] != nil || t.report.Err != nil {
				results[k] = NotAsked // until the result is known
			}
		}
		if t.report.Err == nil {
			t.report.Err = a.writeRows(ctx, t, rows[t.at], uses, results)
		}
		if t.report.Err != nil {
			a.Template.Log.Warn().Err(t.report.Err).Str("wwwroot", t.member.Wwwroot).Msg("rows of other sites of the array could not be brought up to date")
		}
	})
}

// wrong are the indexes of keys, of members that are not tenants, for which the tenant's row has
// another certificate or none, or one of its rows may have.
func (m *linkResults) wrong(t *renewing) (keys []int) {
	if m.tenantKeys == 0 || m.sides[t.at].err != nil || len(m.results[t.at]) < len(m.keys) {
		return nil
	}
	for k := m.tenantKeys; k < len(m.keys); k++ {
		if r := m.results[t.at][k]; slices.Contains([]StoreResult{KeyNone, KeyOther, KeyNewer, RowTwice}, r) {
			keys = append(keys, k)
		}
	}
	return keys
}

// stillUse reads the members whose rows are wrong again, each once. It gives the certificate that a
// member was proven to use, or the one it has meanwhile, if it is proven to use that; nil if that
// is not known.
func (a *Array) stillUse(ctx context.Context, rows map[int][]memberRow, m *linkResults) map[int]*envelope.Certificate {
	uses := map[int]*envelope.Certificate{}
	var asked []*renewing
	for _, of := range rows {
		for _, row := range of {
			if _, known := uses[row.key]; !known {
				uses[row.key] = nil
				asked = append(asked, &renewing{member: a.Members[m.member[m.keys[row.key].Wwwroot]], at: row.key})
			}
		}
	}
	var mu sync.Mutex
	a.each("repair", asked, func(t *renewing) {
		c := m.keys[t.at].Certificate
		if now := a.readSide(ctx, t); now == nil || !storesKeyOf(now, c) {
			c = a.ask(ctx, &renewing{member: t.member}, true).uses
		}
		mu.Lock()
		defer mu.Unlock()
		uses[t.at] = c
	})
	return uses
}

// memberRow is a tenant's row of a member, and the certificate to store in it.
type memberRow struct {
	key  int
	peer Peer
}

// rowsOf reads the rows that a tenant has of the keys' members.
func (a *Array) rowsOf(ctx context.Context, t *renewing, m *linkResults, keys []int) (rows []memberRow, err error) {
	err = a.inSession(ctx, t, func(s *Session) error {
		list, err := s.PeerRows.PeerList(ctx)
		if err != nil {
			return fmt.Errorf("read the peers: %w", err)
		}
		list = slices.DeleteFunc(list, func(p Peer) bool {
			k, known := m.key[p.Wwwroot]
			return !known || !slices.Contains(keys, k)
		})
		if list, err = s.PeerRows.LoadPeers(ctx, list); err != nil {
			return fmt.Errorf("read the peers: %w", err)
		}
		for _, p := range list {
			rows = append(rows, memberRow{key: m.key[p.Wwwroot], peer: p})
		}
		return nil
	})
	return rows, err
}

// writeRows stores what members use in a tenant's rows of them. It needs no lock of the members,
// whose keys other runs may be renewing: the tenant's rows were read first, then the members once
// more, and a row is only written if it still is as it was read. A run that renews a member
// meanwhile either has stored its key before, which was then seen, or pushes to the tenant
// afterwards.
func (a *Array) writeRows(ctx context.Context, t *renewing, rows []memberRow, uses map[int]*envelope.Certificate, results []StoreResult) error {
	return a.inSession(ctx, t, func(s *Session) error {
		var errs []error
		for _, row := range rows {
			c := uses[row.key]
			if c == nil {
				continue // the row is left as it is
			}
			stored, err := s.Store.StorePeer(ctx, row.peer, c)
			switch {
			case err != nil:
				errs = append(errs, fmt.Errorf("store the certificate of %s: %w", row.peer.Wwwroot, err))
			case stored:
				results[row.key] = KeyStored
			default:
				results[row.key] = KeyOther // another program has written to it
			}
		}
		return errors.Join(errs...)
	})
}
