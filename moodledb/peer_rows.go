package moodledb

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strings"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/moodledb/dialect"
	"renew_mnetkeys/rotate"
)

// host is a row of mnet_host with the data of its row in mnet_application. The all-hosts row has
// the wwwroot ""; sslverification is 0 if the column does not exist yet.
type host struct {
	rotate.Peer
	applicationID int64
	deleted       bool
}

// application is a row of mnet_application.
type application struct{ name, serverURL string }

// moodle is the application of a host whose application is not known: the only one before
// mnet_application, and the default of the column.
var moodle = application{name: "moodle", serverURL: "/mnet/xmlrpc/server.php"}

// hosts reads all rows of mnet_host. It reads all columns, because their set depends on Moodle's
// version.
func (t *Tenant) hosts(ctx context.Context, tx *sql.Tx) ([]host, error) {
	return t.hostsWhere(ctx, tx, "")
}

func (t *Tenant) hostsWhere(ctx context.Context, tx *sql.Tx, condition string, args ...any) ([]host, error) {
	applications, err := t.applications(ctx, tx)
	if err != nil {
		return nil, err
	}
	const op = "read table mnet_host"
	rows, err := tx.QueryContext(ctx, t.sql("SELECT * FROM {mnet_host} "+condition), args...)
	if err != nil {
		return nil, t.explain(op, err)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		return nil, t.explain(op, err)
	}
	values := make([]sql.NullString, len(columns))
	into := make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	var hosts []host
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, t.explain(op, err)
		}
		row := make(map[string]string, len(columns))
		for i, column := range columns {
			row[strings.ToLower(column)] = values[i].String
		}
		hosts = append(hosts, newHost(row, applications))
	}
	if err := rows.Err(); err != nil {
		return nil, t.explain(op, err)
	}
	return hosts, nil
}

func newHost(row map[string]string, applications map[int64]application) host {
	h := host{
		Peer: rotate.Peer{
			ID:              int64(number(row["id"])),
			Wwwroot:         row["wwwroot"],
			Name:            row["name"],
			IPAddress:       row["ip_address"],
			Certificate:     row["public_key"],
			Expires:         int64(number(row["public_key_expires"])),
			SSLVerification: int(number(row["sslverification"])),
		},
		applicationID: int64(number(row["applicationid"])),
		deleted:       number(row["deleted"]) != 0,
	}
	runs := runsOn(applications, h.applicationID)
	h.Application, h.ServerURL = runs.name, runs.serverURL
	return h
}

func runsOn(applications map[int64]application, id int64) application {
	if runs := applications[id]; runs.serverURL != "" {
		return runs
	}
	return moodle
}

// applications are none if the table does not exist: it is younger than MNet.
func (t *Tenant) applications(ctx context.Context, tx *sql.Tx) (map[int64]application, error) {
	const op = "read table mnet_application"
	applications := map[int64]application{}
	err := t.dialect.Try(ctx, tx, func() error {
		rows, err := tx.QueryContext(ctx, t.sql("SELECT id, name, xmlrpc_server_url FROM {mnet_application}"))
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var id int64
			var a application
			if err := rows.Scan(&id, &a.name, &a.serverURL); err != nil {
				return err
			}
			applications[id] = a
		}
		return rows.Err()
	})
	if is(err, dialect.NoTable) {
		return nil, nil
	}
	if err != nil {
		return nil, t.explain(op, err)
	}
	return applications, nil
}

// localRows are the rows of mnet_host that are not another site's.
type localRows struct {
	own, allHosts int64
	wwwroot       string // the tenant's
}

// contains says whether a row is one of them. A row with the site's own wwwroot is never a peer,
// whatever its id: sites that were moved or cloned have one.
func (n localRows) contains(id int64, wwwroot string) bool {
	return id == n.own || id == n.allHosts || wwwroot == "" || envelope.SameWwwroot(wwwroot, n.wwwroot)
}

// sortHosts gives s its local host row, other rows with its wwwroot, its peers, and the wwwroots of
// deleted rows.
func sortHosts(s *rotate.Tenant, hosts []host, others localRows) {
	for _, h := range hosts {
		switch {
		case h.ID == others.own:
			s.Own = &h.Peer
		case h.ID == others.allHosts || h.Wwwroot == "":
		case others.contains(h.ID, h.Wwwroot):
			s.Namesakes = append(s.Namesakes, h.ID)
		case h.deleted:
			s.Deleted = append(s.Deleted, h.Wwwroot)
		default:
			s.Peers = append(s.Peers, h.Peer)
		}
	}
	slices.SortFunc(s.Peers, byWwwroot)
}

func byWwwroot(a, b rotate.Peer) int {
	return cmp.Or(cmp.Compare(a.Wwwroot, b.Wwwroot), cmp.Compare(a.ID, b.ID))
}
