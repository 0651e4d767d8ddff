package moodledb

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strings"
)

// PeerRef is a peer without its certificate: some hundred bytes, where a [Host] has some thousand.
type PeerRef struct {
	ID              int64
	Wwwroot         string // no trailing slash
	ApplicationID   int64
	Application     string // moodle or mahara
	ServerURL       string // to be appended to Wwwroot
	SSLVerification int
}

// PeerList reads the peers that [Tenant.Read] would, in the same order.
func (t *Tenant) PeerList(ctx context.Context) ([]PeerRef, error) {
	var peers []PeerRef
	err := t.look(ctx, func(tx *sql.Tx) error {
		others, err := t.noPeers(ctx, tx)
		if err != nil {
			return err
		}
		applications, err := t.applications(ctx, tx)
		if err != nil {
			return err
		}
		peers, err = t.peerRefs(ctx, tx, applications)
		peers = slices.DeleteFunc(peers, func(p PeerRef) bool { return others.has(p.ID, p.Wwwroot) })
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(peers, func(a, b PeerRef) int {
		return cmp.Or(cmp.Compare(a.Wwwroot, b.Wwwroot), cmp.Compare(a.ID, b.ID))
	})
	return peers, nil
}

func (t *Tenant) peerRefs(ctx context.Context, tx *sql.Tx, applications map[int64]application) ([]PeerRef, error) {
	const doing = "list the peers"
	var rows *sql.Rows
	var err error
	for _, younger := range []string{"COALESCE(applicationid, 0), COALESCE(sslverification, 0)", "COALESCE(applicationid, 0), 0", "0, 0"} { // Moodle 3, 1.9, older
		rows, err = tx.QueryContext(ctx, t.sql("SELECT id, wwwroot, "+younger+" FROM {mnet_host} WHERE deleted = 0 AND wwwroot <> ''"))
		if !isNumber(err, errUnknownColumn) {
			break
		}
	}
	if err != nil {
		return nil, t.explain(doing, err)
	}
	defer func() { _ = rows.Close() }()
	var peers []PeerRef
	for rows.Next() {
		var p PeerRef
		var sslVerification string
		if err := rows.Scan(&p.ID, &p.Wwwroot, &p.ApplicationID, &sslVerification); err != nil {
			return nil, t.explain(doing, err)
		}
		p.SSLVerification = int(number(sslVerification))
		runs := runsOn(applications, p.ApplicationID)
		p.Application, p.ServerURL = runs.name, runs.serverURL
		peers = append(peers, p)
	}
	if err := rows.Err(); err != nil {
		return nil, t.explain(doing, err)
	}
	return peers, nil
}

// PeersByID reads the whole rows of some peers, in the order of their wwwroots. Those that are no longer there or are deleted
// are left out.
func (t *Tenant) PeersByID(ctx context.Context, ids []int64) ([]Host, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	s := &Site{}
	err := t.look(ctx, func(tx *sql.Tx) error {
		others, err := t.noPeers(ctx, tx)
		if err != nil {
			return err
		}
		hosts, err := t.hostsWhere(ctx, tx, "WHERE id IN ("+marks(len(ids))+")", list(ids)...)
		s.OwnID, s.AllHostsID = others.own, others.allHosts
		s.sort(hosts, others.wwwroot)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.Peers, nil
}

func (t *Tenant) noPeers(ctx context.Context, tx *sql.Tx) (noPeers, error) {
	ids, err := t.settings(ctx, tx, "read table config", "SELECT name, value FROM {config} WHERE name IN (?, ?)",
		"mnet_localhost_id", "mnet_all_hosts_id")
	return noPeers{int64(number(ids["mnet_localhost_id"])), int64(number(ids["mnet_all_hosts_id"])), t.config.Wwwroot}, err
}

// marks are the placeholders of n values.
func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

func list[T any](values []T) []any {
	all := make([]any, len(values))
	for i, v := range values {
		all[i] = v
	}
	return all
}
