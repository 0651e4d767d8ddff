package moodledb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/moodledb/dialect"
	"renew_mnetkeys/rotate"
)

// RegisterPeer returns the mnet_host row of the host with p's wwwroot, and makes it if there is
// none (Moodle mnet/peer.php, bootstrap and commit). An active row is returned unchanged. A deleted
// one is revived: it keeps its id, to which the users who came from there belong, its name and its
// sslverification; wwwroot, address, application and, if p has one, certificate become p's. Of several
// deleted ones none is: rotate.ErrTwoRows.
//
// p.Application is a name of mnet_application; "" means moodle. p.Name is cut to the 80 characters
// of its column.
func (t *Tenant) RegisterPeer(ctx context.Context, p rotate.Peer) (rotate.Peer, error) {
	p.Wwwroot = strings.TrimSuffix(p.Wwwroot, "/")
	switch {
	case p.Wwwroot == "":
		return rotate.Peer{}, errors.New("register peer: it has no wwwroot")
	case envelope.SameWwwroot(p.Wwwroot, t.config.Wwwroot):
		return rotate.Peer{}, fmt.Errorf("register peer: %s is this tenant itself", p.Wwwroot)
	}
	var registered host
	err := retry(ctx, func() error {
		return t.transaction(ctx, dialect.Write, func(tx *sql.Tx) (err error) {
			registered, err = t.registerPeer(ctx, tx, host{Peer: p})
			return err
		})
	})
	if err != nil {
		return rotate.Peer{}, fmt.Errorf("register peer %s: %w", p.Wwwroot, err)
	}
	return registered.Peer, nil
}

func (t *Tenant) registerPeer(ctx context.Context, tx *sql.Tx, h host) (host, error) {
	// The wwwroot has no unique index: only the lock keeps Moodle from making the same row.
	if err := t.dialect.LockTable(ctx, tx, t.sql("{mnet_host}")); err != nil {
		return host{}, t.explain("look for its row", err)
	}
	applications, err := t.applications(ctx, tx)
	if err != nil {
		return host{}, err
	}
	if h.applicationID, err = applicationID(applications, h.Application); err != nil {
		return host{}, err
	}
	hosts, err := t.hosts(ctx, tx)
	if err != nil {
		return host{}, err
	}
	found := rowOf(hosts, h.Wwwroot)
	switch {
	case found == nil:
		h.ID, err = t.insertHost(ctx, tx, h)
	case !found.deleted:
		return *found, nil
	case isOneOfSeveral(hosts, found):
		return host{}, rotate.ErrTwoRows
	default:
		h.ID = found.ID
		err = t.revive(ctx, tx, h, found)
	}
	if err != nil {
		return host{}, err
	}
	return t.host(ctx, tx, h.ID)
}

// rowOf is the row of a wwwroot; an active row goes before a deleted one, and exactly this spelling
// before another. nil: none.
func rowOf(hosts []host, wwwroot string) *host {
	rank := func(h host) int {
		switch {
		case !envelope.SameWwwroot(h.Wwwroot, wwwroot):
			return 0
		case h.deleted && h.Wwwroot != wwwroot:
			return 1
		case h.deleted:
			return 2
		case h.Wwwroot != wwwroot:
			return 3
		}
		return 4
	}
	var best *host
	for i, h := range hosts {
		if rank(h) > 0 && (best == nil || rank(h) > rank(*best)) {
			best = &hosts[i]
		}
	}
	return best
}

// isOneOfSeveral reports whether another row is of the same site.
func isOneOfSeveral(hosts []host, found *host) bool {
	return slices.ContainsFunc(hosts, func(h host) bool { return h.ID != found.ID && envelope.SameWwwroot(h.Wwwroot, found.Wwwroot) })
}

func (t *Tenant) revive(ctx context.Context, tx *sql.Tx, h host, row *host) error {
	if h.Certificate == "" {
		h.Certificate, h.Expires = row.Certificate, row.Expires
	}
	return t.execOne(ctx, tx, "revive its row",
		"UPDATE {mnet_host} SET deleted = 0, wwwroot = ?, ip_address = ?, public_key = ?, public_key_expires = ?, applicationid = ? WHERE id = ?",
		h.Wwwroot, h.IPAddress, h.Certificate, h.Expires, h.applicationID, h.ID)
}

// host reads one row as it was stored.
func (t *Tenant) host(ctx context.Context, tx *sql.Tx, id int64) (host, error) {
	hosts, err := t.hosts(ctx, tx)
	if err != nil {
		return host{}, err
	}
	for _, h := range hosts {
		if h.ID == id {
			return h, nil
		}
	}
	return host{}, fmt.Errorf("row %d of mnet_host is gone", id)
}

// applicationID finds an application by name; "" means Moodle.
func applicationID(applications map[int64]application, name string) (int64, error) {
	if name == "" || name == moodle.name {
		return moodleID(applications), nil
	}
	for id, a := range applications {
		if a.name == name {
			return id, nil
		}
	}
	return 0, fmt.Errorf("application %q is not in mnet_application", name)
}

// moodleID is the id of Moodle; without a row for it 1, the default of the column.
func moodleID(applications map[int64]application) int64 {
	for id, a := range applications {
		if a.name == moodle.name {
			return id
		}
	}
	return 1
}
