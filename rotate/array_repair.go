package rotate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"renew_mnetkeys/envelope"
)

// repair brings the rows up to date that tenants have of members that are none
// themselves, where they hold another certificate than the member's web server was
// proven to use: under that no call of the tenant is opened.
func (a *Array) repair(ctx context.Context, tenants []*renewing, m *mesh) {
	var wrong []*renewing
	for _, t := range tenants {
		if len(m.wrong(t)) > 0 {
			wrong = append(wrong, &renewing{member: t.member, at: t.at})
		}
	}
	if len(wrong) == 0 {
		return
	}
	a.each("repair", wrong, func(t *renewing) {
		if err := a.repairRows(ctx, t, m); err != nil {
			t.report.Err = err
			a.Template.Log.Warn().Err(err).Str("wwwroot", t.member.Wwwroot).Msg("rows of other sites of the array could not be brought up to date")
		}
	})
}

// wrong are the indexes of the keys, of members that are no tenants, in whose rows
// the tenant holds another certificate.
func (m *mesh) wrong(t *renewing) (keys []int) {
	if m.told == 0 || m.sides[t.at].err != nil || len(m.held[t.at]) < len(m.keys) {
		return nil
	}
	for k := m.told; k < len(m.keys); k++ {
		if m.held[t.at][k] == HeldOther {
			keys = append(keys, k)
		}
	}
	return keys
}

// repairRows needs no lock of the members, whose keys other runs may be renewing:
// the tenant's rows are read, then the members once more, and only over what was
// read is anything written. A run that renews a member meanwhile has either stored
// its key before, which is then seen, or tells the tenant after.
func (a *Array) repairRows(ctx context.Context, t *renewing, m *mesh) error {
	keys := m.wrong(t)
	held := m.held[t.at]
	for _, k := range keys {
		held[k] = HeldNot // until it is known better
	}
	rows, err := a.rowsOf(ctx, t, m, keys)
	if err != nil {
		return err
	}
	for i := range rows {
		if rows[i].uses = a.stillUses(ctx, m.keys[rows[i].key], m); rows[i].uses == nil {
			held[rows[i].key] = HeldOther // left as it is
		}
	}
	return a.writeRows(ctx, t, rows, held)
}

// stillUses reads a member again: the certificate that it was proven to use, or the
// one it has meanwhile, if it is proven to use that; nil where that is not known.
func (a *Array) stillUses(ctx context.Context, key HostKey, m *mesh) *envelope.Certificate {
	member := func() *renewing { return &renewing{member: a.Members[m.member[key.Wwwroot]]} }
	if now := a.readSide(ctx, member()); now != nil && storesKeyOf(now, key.Certificate) {
		return key.Certificate
	}
	return a.ask(ctx, member(), true).uses
}

// memberRow is a tenant's row of a member, and what is to be in it.
type memberRow struct {
	key  int
	peer Peer
	uses *envelope.Certificate
}

// rowsOf reads the rows that a tenant has of the keys' members.
func (a *Array) rowsOf(ctx context.Context, t *renewing, m *mesh, keys []int) (rows []memberRow, err error) {
	err = a.inSession(ctx, t, func(s *Session) error {
		list, err := s.Mesh.List(ctx)
		if err != nil {
			return fmt.Errorf("read the peers: %w", err)
		}
		list = slices.DeleteFunc(list, func(p Peer) bool {
			k, known := m.key[p.Wwwroot]
			return !known || !slices.Contains(keys, k)
		})
		if list, err = s.Mesh.Load(ctx, list); err != nil {
			return fmt.Errorf("read the peers: %w", err)
		}
		for _, p := range list {
			rows = append(rows, memberRow{key: m.key[p.Wwwroot], peer: p})
		}
		return nil
	})
	return rows, err
}

// writeRows stores what members use in a tenant's rows of them.
func (a *Array) writeRows(ctx context.Context, t *renewing, rows []memberRow, held []Held) error {
	return a.inSession(ctx, t, func(s *Session) error {
		var errs []error
		for _, row := range rows {
			if row.uses == nil {
				continue
			}
			stored, err := s.Store.StorePeer(ctx, row.peer, row.uses)
			switch {
			case err != nil:
				errs = append(errs, fmt.Errorf("store the certificate of %s: %w", row.peer.Wwwroot, err))
			case stored:
				held[row.key] = HeldStored
			default:
				held[row.key] = HeldOther // somebody else has written to it
			}
		}
		return errors.Join(errs...)
	})
}
