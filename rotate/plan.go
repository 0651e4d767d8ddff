package rotate

import (
	"context"
	"fmt"
	"slices"
)

// Plan is the dry run: what Run would do, found out without changing anything
// here or at a peer. It takes no lock, makes no key, writes no row, and sends no
// keyswap; peers are only connected to. The own site is asked by a sealed call
// where pair and host row agree - where they do not, the call itself would make
// the site repair its row.
func (r *Renewal) Plan(ctx context.Context) TenantReport {
	report := TenantReport{Outcome: Failed, SelfCheck: SelfSkipped, Exit: ExitNotRenewed, Peers: []PeerReport{}}
	if err := r.plan(ctx, &report); err != nil {
		report.Err, report.Error = err, err.Error()
		report.Exit = exitFor(err, report.Exit)
		return report
	}
	report.Outcome, report.Exit = Kept, ExitOK
	return report
}

func (r *Renewal) plan(ctx context.Context, report *TenantReport) error {
	t, err := r.Store.Read(ctx)
	if err != nil {
		return fmt.Errorf("read the tenant: %w", err)
	}
	report.describe(t)
	if err := r.allowed(ctx); err != nil {
		return err
	}
	switch {
	case r.NewKey && (!t.MNetOn() || t.Own == nil):
		report.warn("MNet is off; it would be started first")
	case !t.MNetOn():
		return ErrMNetOff
	case t.checkOwnRow() != nil:
		return t.checkOwnRow()
	case t.Own.Certificate != t.Pair.Certificate:
		report.warn("key pair and own host row differ; a renewal would repair that")
	case r.expiring(t):
		report.warn("the key has expired; the own site is not asked, because that would make it renew by itself")
	default:
		if report.SelfCheck, err = r.preflight(ctx, t); err != nil {
			return err
		}
	}
	peers := slices.Clone(t.Peers)
	for _, link := range r.Bind {
		report.warn("would connect " + link.Wwwroot + " as a peer and bind its services")
		if !slices.ContainsFunc(peers, func(p Peer) bool { return p.Wwwroot == link.Wwwroot }) {
			peers = append(peers, Peer{Wwwroot: link.Wwwroot, Application: "moodle", ServerURL: ownServerURL, SSLVerification: newPeerVerification})
		}
	}
	report.Peers = r.tryPeers(ctx, peers)
	return nil
}

// tryPeers connects to every peer and says what a renewal would do with it.
func (r *Renewal) tryPeers(ctx context.Context, peers []Peer) []PeerReport {
	return r.workOn(peers, func(p Peer) PeerReport {
		started := r.Now()
		report := PeerReport{Wwwroot: p.Wwwroot, Application: p.Application, Outcome: Skipped, Attempts: 1,
			Detail: "would be sent the new certificate and proven by a sealed call"}
		if f := r.Network.Reachable(ctx, p); f != nil {
			report.fail(f)
		}
		report.TookMS = r.Now().Sub(started).Milliseconds()
		return report
	})
}
