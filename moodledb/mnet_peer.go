package moodledb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"renew_mnetkeys/envelope"
)

// RegisterPeer returns the mnet_host row of the host with h's wwwroot, and makes it if there is none (Moodle mnet/peer.php,
// bootstrap and commit). An active row is returned as it is. A deleted one is revived, keeping its id, to which the users who came
// from there belong, its name and its sslverification; address, application and, if h has one, certificate become h's.
//
// h.Application is a name of mnet_application, "" is moodle. h.Name is cut to the 80 characters of its column.
func (t *Tenant) RegisterPeer(ctx context.Context, h Host) (Host, error) {
	h.Wwwroot = strings.TrimSuffix(h.Wwwroot, "/")
	switch {
	case h.Wwwroot == "":
		return Host{}, errors.New("register peer: it has no wwwroot")
	case envelope.SameWwwroot(h.Wwwroot, t.config.Wwwroot):
		return Host{}, fmt.Errorf("register peer: %s is this tenant itself", h.Wwwroot)
	}
	var registered Host
	err := retry(ctx, func() error {
		return t.transaction(ctx, false, func(tx *sql.Tx) (err error) {
			registered, err = t.registerPeer(ctx, tx, h)
			return err
		})
	})
	if err != nil {
		return Host{}, fmt.Errorf("register peer %s: %w", h.Wwwroot, err)
	}
	return registered, nil
}

func (t *Tenant) registerPeer(ctx context.Context, tx *sql.Tx, h Host) (Host, error) {
	// The wwwroot has no index, let alone a unique one: this locks the table, so that Moodle cannot make the same row meanwhile.
	if _, err := tx.ExecContext(ctx, t.sql("SELECT id FROM {mnet_host} WHERE wwwroot = ? FOR UPDATE"), h.Wwwroot); err != nil {
		return Host{}, t.explain("look for its row", err)
	}
	applications, err := t.applications(ctx, tx)
	if err != nil {
		return Host{}, err
	}
	if h.ApplicationID, err = applicationID(applications, h.Application); err != nil {
		return Host{}, err
	}
	hosts, err := t.hosts(ctx, tx)
	if err != nil {
		return Host{}, err
	}
	found := rowOf(hosts, h.Wwwroot)
	switch {
	case found == nil:
		h.ID, err = t.insertHost(ctx, tx, h)
	case !found.Deleted:
		return *found, nil
	default:
		h.ID = found.ID
		err = t.revive(ctx, tx, h, found)
	}
	if err != nil {
		return Host{}, err
	}
	return t.host(ctx, tx, h.ID)
}

// rowOf is the row of a wwwroot, an active one before a deleted one, and one with the very spelling before another. nil: none.
func rowOf(hosts []Host, wwwroot string) *Host {
	rank := func(h Host) int {
		switch {
		case !envelope.SameWwwroot(h.Wwwroot, wwwroot):
			return 0
		case h.Deleted && h.Wwwroot != wwwroot:
			return 1
		case h.Deleted:
			return 2
		case h.Wwwroot != wwwroot:
			return 3
		}
		return 4
	}
	var best *Host
	for i, h := range hosts {
		if rank(h) > 0 && (best == nil || rank(h) > rank(*best)) {
			best = &hosts[i]
		}
	}
	return best
}

func (t *Tenant) revive(ctx context.Context, tx *sql.Tx, h Host, row *Host) error {
	if h.PublicKey == "" {
		h.PublicKey, h.Expires = row.PublicKey, row.Expires
	}
	return t.execOne(ctx, tx, "revive its row",
		"UPDATE {mnet_host} SET deleted = 0, ip_address = ?, public_key = ?, public_key_expires = ?, applicationid = ? WHERE id = ?",
		h.IPAddress, h.PublicKey, h.Expires, h.ApplicationID, h.ID)
}

// host reads one row as it was stored.
func (t *Tenant) host(ctx context.Context, tx *sql.Tx, id int64) (Host, error) {
	hosts, err := t.hosts(ctx, tx)
	if err != nil {
		return Host{}, err
	}
	for _, h := range hosts {
		if h.ID == id {
			return h, nil
		}
	}
	return Host{}, fmt.Errorf("row %d of mnet_host is gone", id)
}

// applicationID finds an application by name, "" is Moodle.
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

// moodleID is that of Moodle; without a row for it 1, the default of the column.
func moodleID(applications map[int64]application) int64 {
	for id, a := range applications {
		if a.name == moodle.name {
			return id
		}
	}
	return 1
}
