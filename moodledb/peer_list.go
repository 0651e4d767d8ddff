package moodledb

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/moodledb/dialect"
	"renew_mnetkeys/rotate"
)

// PeerList implements rotate.PeerRows: it lists the peers that [Tenant.Read] would read, in the
// same order, without name and certificate: some hundred bytes each, whereas a whole row has some
// thousand.
func (t *Tenant) PeerList(ctx context.Context) ([]rotate.Peer, error) {
	var peers []rotate.Peer
	err := t.look(ctx, func(tx *sql.Tx) error {
		others, err := t.readLocalRows(ctx, tx)
		if err != nil {
			return err
		}
		applications, err := t.applications(ctx, tx)
		if err != nil {
			return err
		}
		peers, err = t.peerRefs(ctx, tx, applications)
		peers = slices.DeleteFunc(peers, func(p rotate.Peer) bool { return others.contains(p.ID, p.Wwwroot) })
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(peers, byWwwroot)
	return peers, nil
}

func (t *Tenant) peerRefs(ctx context.Context, tx *sql.Tx, applications map[int64]application) (peers []rotate.Peer, err error) {
	for _, younger := range []string{"COALESCE(applicationid, 0), COALESCE(sslverification, 0)", "COALESCE(applicationid, 0), 0", "0, 0"} { // Moodle 3, 1.9, older
		err = t.dialect.Try(ctx, tx, func() error {
			rows, err := tx.QueryContext(ctx, t.sql("SELECT id, wwwroot, "+younger+" FROM {mnet_host} WHERE deleted = 0 AND wwwroot <> ''"))
			if err != nil {
				return err
			}
			peers, err = scanRefs(rows, applications)
			return err
		})
		if !is(err, dialect.NoColumn) {
			break
		}
	}
	if err != nil {
		return nil, t.explain("list the peers", err)
	}
	return peers, nil
}

// scanRefs reads and closes the rows.
func scanRefs(rows *sql.Rows, applications map[int64]application) (peers []rotate.Peer, err error) {
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var p rotate.Peer
		var application int64
		var sslVerification string
		if err := rows.Scan(&p.ID, &p.Wwwroot, &application, &sslVerification); err != nil {
			return nil, err
		}
		p.SSLVerification = int(number(sslVerification))
		runs := runsOn(applications, application)
		p.Application, p.ServerURL = runs.name, runs.serverURL
		peers = append(peers, p)
	}
	return peers, rows.Err()
}

// LoadPeers implements rotate.PeerRows: it reads the whole rows of some peers, in the order of
// their wwwroots. Those that no longer exist or are deleted are left out.
func (t *Tenant) LoadPeers(ctx context.Context, listed []rotate.Peer) (peers []rotate.Peer, err error) {
	if len(listed) == 0 {
		return nil, nil
	}
	ids := make([]any, len(listed))
	for i, p := range listed {
		ids[i] = p.ID
	}
	err = t.look(ctx, func(tx *sql.Tx) error {
		others, err := t.readLocalRows(ctx, tx)
		if err != nil {
			return err
		}
		hosts, err := t.hostsWhere(ctx, tx, "WHERE id IN ("+marks(len(ids))+")", ids...)
		var s rotate.Tenant
		sortHosts(&s, hosts, others)
		peers = s.Peers
		return err
	})
	if err != nil {
		return nil, err
	}
	return peers, nil
}

// RowsNamed implements rotate.PeerRows: it gives all rows of a wwwroot, whatever they are.
func (t *Tenant) RowsNamed(ctx context.Context, wwwroot string) (ids []int64, err error) {
	const op = "look for rows of a wwwroot"
	err = t.look(ctx, func(tx *sql.Tx) error {
		ids = nil
		rows, err := tx.QueryContext(ctx, t.sql("SELECT id, wwwroot FROM {mnet_host} WHERE "+t.maybeWwwroot()+" = ? ORDER BY id"),
			maybeSame(wwwroot))
		if err != nil {
			return t.explain(op, err)
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var id int64
			var named string
			if err := rows.Scan(&id, &named); err != nil {
				return t.explain(op, err)
			}
			if envelope.SameWwwroot(named, wwwroot) {
				ids = append(ids, id)
			}
		}
		if err := rows.Err(); err != nil {
			return t.explain(op, err)
		}
		return nil
	})
	return ids, err
}

func (t *Tenant) readLocalRows(ctx context.Context, tx *sql.Tx) (localRows, error) {
	ids, err := t.configSettings(ctx, tx, "", "mnet_localhost_id", "mnet_all_hosts_id")
	return localRows{int64(number(ids["mnet_localhost_id"])), int64(number(ids["mnet_all_hosts_id"])), t.config.Wwwroot}, err
}

// marks are the placeholders of n values.
func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }
