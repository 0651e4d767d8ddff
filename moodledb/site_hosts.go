package moodledb

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strings"

	"renew_mnetkeys/envelope"
)

// Host is a row of mnet_host with what its row in mnet_application says.
type Host struct {
	ID              int64
	Wwwroot         string // no trailing slash; "" is the all-hosts row
	Name            string // at most 80 characters
	IPAddress       string
	PublicKey       string // certificate, PEM; "" when none is held
	Expires         int64  // its notAfter, unix seconds
	ApplicationID   int64
	Application     string // moodle or mahara
	ServerURL       string // xmlrpc_server_url, to be appended to Wwwroot
	SSLVerification int    // of TLS: 0 none, 1 host name, 2 host name and chain; 0 where the column does not exist yet
	Deleted         bool
}

// application is a row of mnet_application.
type application struct{ name, serverURL string }

// moodle is what a host runs whose application is not known: the only one before mnet_application, and the default of the column.
var moodle = application{name: "moodle", serverURL: "/mnet/xmlrpc/server.php"}

// hosts reads all rows of mnet_host. All columns, because which there are depends on Moodle's version.
func (t *Tenant) hosts(ctx context.Context, tx *sql.Tx) ([]Host, error) {
	return t.hostsWhere(ctx, tx, "")
}

func (t *Tenant) hostsWhere(ctx context.Context, tx *sql.Tx, condition string, args ...any) ([]Host, error) {
	applications, err := t.applications(ctx, tx)
	if err != nil {
		return nil, err
	}
	const doing = "read table mnet_host"
	rows, err := tx.QueryContext(ctx, t.sql("SELECT * FROM {mnet_host} "+condition), args...)
	if err != nil {
		return nil, t.explain(doing, err)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		return nil, t.explain(doing, err)
	}
	values := make([]sql.NullString, len(columns))
	into := make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	var hosts []Host
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, t.explain(doing, err)
		}
		row := make(map[string]string, len(columns))
		for i, column := range columns {
			row[strings.ToLower(column)] = values[i].String
		}
		hosts = append(hosts, newHost(row, applications))
	}
	if err := rows.Err(); err != nil {
		return nil, t.explain(doing, err)
	}
	return hosts, nil
}

func newHost(row map[string]string, applications map[int64]application) Host {
	h := Host{
		ID:              int64(number(row["id"])),
		Wwwroot:         row["wwwroot"],
		Name:            row["name"],
		IPAddress:       row["ip_address"],
		PublicKey:       row["public_key"],
		Expires:         int64(number(row["public_key_expires"])),
		ApplicationID:   int64(number(row["applicationid"])),
		SSLVerification: int(number(row["sslverification"])),
		Deleted:         number(row["deleted"]) != 0,
	}
	runs := runsOn(applications, h.ApplicationID)
	h.Application, h.ServerURL = runs.name, runs.serverURL
	return h
}

func runsOn(applications map[int64]application, id int64) application {
	if runs := applications[id]; runs.serverURL != "" {
		return runs
	}
	return moodle
}

func (t *Tenant) applications(ctx context.Context, tx *sql.Tx) (map[int64]application, error) {
	const doing = "read table mnet_application"
	rows, err := tx.QueryContext(ctx, t.sql("SELECT id, name, xmlrpc_server_url FROM {mnet_application}"))
	if isNumber(err, errNoSuchTable) {
		return nil, nil
	}
	if err != nil {
		return nil, t.explain(doing, err)
	}
	defer func() { _ = rows.Close() }()
	applications := map[int64]application{}
	for rows.Next() {
		var id int64
		var a application
		if err := rows.Scan(&id, &a.name, &a.serverURL); err != nil {
			return nil, t.explain(doing, err)
		}
		applications[id] = a
	}
	if err := rows.Err(); err != nil {
		return nil, t.explain(doing, err)
	}
	return applications, nil
}

// noPeers are the rows of mnet_host that stand for no other site.
type noPeers struct {
	own, allHosts int64
	wwwroot       string // the tenant's
}

// has says so of a row. One with the own wwwroot is never a peer, whatever its id: sites that were moved or cloned have one.
func (n noPeers) has(id int64, wwwroot string) bool {
	return id == n.own || id == n.allHosts || wwwroot == "" || envelope.SameWwwroot(wwwroot, n.wwwroot)
}

// sort tells the own row and the peers from the rest.
func (s *Site) sort(hosts []Host, wwwroot string) {
	others := noPeers{s.OwnID, s.AllHostsID, wwwroot}
	for _, h := range hosts {
		switch {
		case h.ID == s.OwnID:
			s.Own = &h
		case h.Deleted || others.has(h.ID, h.Wwwroot):
		default:
			s.Peers = append(s.Peers, h)
		}
	}
	slices.SortFunc(s.Peers, func(a, b Host) int {
		return cmp.Or(cmp.Compare(a.Wwwroot, b.Wwwroot), cmp.Compare(a.ID, b.ID))
	})
}
