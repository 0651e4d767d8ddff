package rotate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

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
	reports := make([]*PeerReport, len(r.Bind))
	var group errgroup.Group
	group.SetLimit(maxBinding)
	for i, link := range r.Bind {
		group.Go(func() error {
			host, isKnown := known[envelope.FoldWwwroot(link.Wwwroot)]
			connected[i], reports[i] = r.connect(ctx, t, own, link, host, isKnown)
			return nil
		})
	}
	_ = group.Wait() // each host has its own report
	peers = append(peers, t.Peers...)
	for i := range r.Bind {
		_, isKnown := known[envelope.FoldWwwroot(connected[i].Wwwroot)]
		if reports[i] != nil {
			failed = append(failed, *reports[i])
			continue
		}
		report.warn(t.bound(r.Bind[i].Wwwroot, isKnown))
		if !isKnown {
			peers = append(peers, connected[i])
		}
	}
	return peers, failed
}

// bound says what was done to the tenant's row of a host.
func (t *Tenant) bound(wwwroot string, known bool) string {
	switch {
	case known:
		return "bound the services of " + wwwroot + ", which was a peer already"
	case t.deletedRows(wwwroot) > 0:
		return "made the deleted row of " + wwwroot + " active again and bound its services"
	}
	return "connected " + wwwroot + " as a peer and bound its services"
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
const nextConnect = "remove the cause. Then, to connect the two sites, run: renew_mnetkeys …"

// connect registers and binds one host, on both sides if both databases are available.
func (r *Renewal) connect(ctx context.Context, t *Tenant, own Identity, link Link, host Peer, known bool) (Peer, *PeerReport) {
	report := PeerReport{Wwwroot: link.Wwwroot, Application: "moodle", Attempts: 1}
	if !known && t.deletedRows(link.Wwwroot) > 1 { // before anything is made on the other side
		report.fail(notConnected(ErrTwoRows))
		return Peer{}, &report
	}
	if !known {
		var failure *Failure
		if host, failure = r.Introducer.Introduce(ctx, own, link.Wwwroot); failure != nil {
			report.fail(failure)
			report.Detail, report.Next = join(report.Detail, "not connected as a peer"), nextConnect
			return Peer{}, &report
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
		}
	}
	if err == nil {
		host, err = link.Near.Connect(ctx, host)
	}
	if err != nil {
		report.fail(notConnected(err))
		return Peer{}, &report
	}
	r.Log.Info().Str("peer", link.Wwwroot).Bool("both_sides", link.Far != nil).Msg("connected")
	return host, nil
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
		reports[at].Detail = join(reports[at].Detail, u.Detail)
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
