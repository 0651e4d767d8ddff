package rotate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"renew_mnetkeys/envelope"
)

// maxBinding bounds the hosts that are connected at the same time: each may open a database of the
// array.
const maxBinding = 8

// bindHosts connects the hosts of --bindhost before the key is pushed to any peer, and gives the
// tenant's peers together with them. Hosts that could not be connected are reported, and the key is
// pushed to the others all the same.
func (r *Renewal) bindHosts(ctx context.Context, t *Tenant, own Identity, report *TenantReport) (peers []Peer, failed []PeerReport) {
	known := make(map[string]Peer, len(t.Peers))
	for _, p := range t.Peers {
		known[envelope.FoldWwwroot(p.Wwwroot)] = p
	}
	connected := make([]Peer, len(r.Bind))
	there := make([]rowChange, len(r.Bind))
	reports := make([]*PeerReport, len(r.Bind))
	r.eachLink(func(i int, link Link) {
		host, isKnown := known[envelope.FoldWwwroot(link.Wwwroot)]
		connected[i], there[i], reports[i] = r.connect(ctx, t, own, link, host, isKnown)
	})
	peers = append(peers, t.Peers...)
	for i, link := range r.Bind {
		if reports[i] != nil {
			failed = append(failed, *reports[i])
		} else {
			here := t.changeOf(link.Wwwroot)
			report.warn(here.here(link.Wwwroot, false))
			if here != rowKept {
				peers = append(peers, connected[i])
			}
		}
		if said := there[i].there(link.Wwwroot, false); said != "" {
			report.warn(said)
		}
	}
	return peers, failed
}

// deletedRows counts the tenant's deleted rows of a host. A connection revives a single one.
func (t *Tenant) deletedRows(wwwroot string) (n int) {
	for _, deleted := range t.Deleted {
		if envelope.SameWwwroot(deleted, wwwroot) {
			n++
		}
	}
	return n
}

// nextConnect is the next step for a host that is not connected: no later run would find it.
const nextConnect = "remove the cause" + thenConnect

const thenConnect = ". Then, to connect the two sites, run: renew_mnetkeys …"

// connect registers and binds one host, on both sides if both databases are available. there is
// what became of the row on the other side, also if this side then failed.
func (r *Renewal) connect(ctx context.Context, t *Tenant, own Identity, link Link, host Peer, known bool) (_ Peer, there rowChange, _ *PeerReport) {
	report := PeerReport{Wwwroot: link.Wwwroot, Application: "moodle", Attempts: 1}
	if !known && t.deletedRows(link.Wwwroot) > 1 { // before anything is made on the other side
		report.fail(notConnected(ErrTwoRows))
		return Peer{}, rowKept, &report
	}
	change := r.changeThere(ctx, t, link)
	if change == rowNotFound {
		report.fail(notFoundThere())
		report.Detail, report.Next = join(report.Detail, "not connected as a peer"), correctThere+thenConnect
		return Peer{}, rowKept, &report
	}
	if !known {
		var failure *Failure
		if host, failure = r.Introducer.Introduce(ctx, own, link.Wwwroot); failure != nil {
			report.fail(failure)
			report.Detail, report.Next = join(report.Detail, "not connected as a peer"), nextConnect
			return Peer{}, rowKept, &report
		}
		host.IPAddress = r.ipAddress(ctx, host.Wwwroot)
	}
	var err error
	if link.Far != nil {
		us := NewPeer(t.Wwwroot)
		us.IPAddress = r.ipAddress(ctx, t.Wwwroot)
		us.Name, us.Certificate, us.Expires = t.Site, own.Key.Certificate.PEM, own.Key.Certificate.NotAfter.Unix()
		if _, err = link.Far.Connect(ctx, us); err != nil {
			err = fmt.Errorf("on its side: %w", err)
		} else {
			there = change
		}
	}
	if err == nil {
		host, err = link.Near.Connect(ctx, host)
	}
	if err != nil {
		report.fail(notConnected(err))
		return Peer{}, there, &report
	}
	r.Log.Info().Str("peer", link.Wwwroot).Bool("both_sides", link.Far != nil).Msg("connected")
	return host, there, nil
}

// notConnected is for a host whose rows could not be made. The host has not refused: a database was
// not reached, or has a problem.
func notConnected(err error) *Failure {
	f := &Failure{Reason: ReasonDatabase, Detail: "not connected as a peer: " + err.Error(), Pending: true, Next: nextConnect}
	if errors.Is(err, ErrTwoRows) {
		f.Reason, f.Pending, f.Next = ReasonTwoRows, false, ""
	}
	return f
}

// merge adds the hosts that could not be connected to the reports: to their existing report if they
// are peers already.
func merge(reports, unbound []PeerReport) []PeerReport {
	for _, u := range unbound {
		at := slices.IndexFunc(reports, func(p PeerReport) bool { return p.Wwwroot == u.Wwwroot })
		if at < 0 {
			reports = append(reports, u)
			continue
		}
		if said := reports[at].Detail; strings.HasPrefix(u.Detail, said) {
			reports[at].Detail = u.Detail
		} else {
			reports[at].Detail = join(said, u.Detail)
		}
		if u.Reason == reports[at].Reason { // one cause: a push would not bind it
			reports[at].Next = cmp.Or(u.Next, reports[at].Next)
		}
	}
	return reports
}

// ipAddress is what mnet_host says of a site's address: "" if the site has none.
func (r *Renewal) ipAddress(ctx context.Context, wwwroot string) string {
	locator, ok := r.Network.(Locator)
	if !ok {
		return ""
	}
	address, err := locator.Address(ctx, wwwroot)
	if err != nil {
		return ""
	}
	return address.String()
}
