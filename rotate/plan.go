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
	return r.planned(ctx, "the new certificate", func(t *Tenant, report *TenantReport) error {
		if !r.Due.due(t, r.Now()) {
			report.warn("the key is not due; it would be kept, and only peers that are not proven be sent its certificate")
		}
		return nil
	})
}

// PlanDistribute is the dry run of Distribute.
func (r *Renewal) PlanDistribute(ctx context.Context) TenantReport {
	return r.planned(ctx, "the stored certificate", func(t *Tenant, _ *TenantReport) error {
		if t.identity() == nil {
			return ErrNoKey
		}
		return nil
	})
}

// PlanRollBack is the dry run of RollBack.
func (r *Renewal) PlanRollBack(ctx context.Context) TenantReport {
	return r.planned(ctx, "the former certificate", func(t *Tenant, report *TenantReport) error {
		former, _, err := t.former(r.Now())
		if err == nil {
			report.warn("would go back to " + former.Key.Certificate.Fingerprint() + ", valid until " + former.Key.Certificate.NotAfter.UTC().Format("2006-01-02 15:04 MST"))
		}
		return err
	})
}

// planned finds out what a run would meet. what is the certificate that peers
// would be sent.
func (r *Renewal) planned(ctx context.Context, what string, check func(*Tenant, *TenantReport) error) TenantReport {
	return reported(ctx, func(ctx context.Context, report *TenantReport) error {
		t, err := r.plan(ctx, report)
		if err == nil {
			err = check(t, report)
		}
		if err != nil {
			return err
		}
		report.Peers = r.tryPeers(ctx, r.planBinding(t, report), what)
		report.Outcome, report.Exit = Kept, ExitOK
		return nil
	})
}

func (r *Renewal) plan(ctx context.Context, report *TenantReport) (*Tenant, error) {
	t, err := r.Store.Read(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the tenant: %w", err)
	}
	report.describe(t)
	if err := r.allowed(ctx); err != nil {
		return nil, err
	}
	switch {
	case r.NewKey && (!t.MNetOn() || t.Own == nil):
		report.warn("MNet is off; it would be started first")
	case !t.MNetOn():
		return nil, ErrMNetOff
	case t.checkOwnRow() != nil:
		return nil, t.checkOwnRow()
	case t.Own.Certificate != t.Pair.Certificate:
		report.warn("key pair and own host row differ; a renewal would repair that")
	case r.expiring(t):
		report.warn("the key has expired; the own site is not asked, because that would make it renew by itself")
	default:
		if report.SelfCheck, err = r.preflight(ctx, t); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// planBinding says which hosts would be connected, and gives the peers with them.
func (r *Renewal) planBinding(t *Tenant, report *TenantReport) []Peer {
	peers := slices.Clone(t.Peers)
	for _, link := range r.Bind {
		report.warn("would connect " + link.Wwwroot + " as a peer and bind its services")
		if !slices.ContainsFunc(peers, func(p Peer) bool { return p.Wwwroot == link.Wwwroot }) {
			peers = append(peers, Peer{Wwwroot: link.Wwwroot, Application: "moodle", ServerURL: ownServerURL, SSLVerification: newPeerVerification})
		}
	}
	return peers
}

// tryPeers connects to every peer and says what a run would do with it.
func (r *Renewal) tryPeers(ctx context.Context, peers []Peer, what string) []PeerReport {
	return r.workOn(peers, func(p Peer) PeerReport {
		started := r.Now()
		report := PeerReport{Wwwroot: p.Wwwroot, Application: p.Application, Outcome: Skipped, Attempts: 1,
			Detail: "would be sent " + what + " and proven by a sealed call"}
		if f := r.Network.Reachable(ctx, p); f != nil {
			report.fail(f)
		}
		report.TookMS = r.Now().Sub(started).Milliseconds()
		return report
	})
}
