package rotate

import (
	"context"
	"time"

	"renew_mnetkeys/envelope"
)

// DuePolicy says when a key is renewed. The zero value renews always.
type DuePolicy struct {
	OnlyIfDue bool
	// Before is how long before its expiry a key is renewed; 0 is a third of its
	// life, or the gap of VMoodle's own renewal where that is larger.
	Before time.Duration
}

// atLeastBefore keeps us ahead of Moodle's own renewal at expiry, however short a
// time was asked for: jobs run once a day.
const atLeastBefore = 36 * time.Hour

// due tells whether the tenant's key is to be renewed now. A pair that cannot be
// read, or that is not the one of the own row, is due: renewing is the cure.
func (p DuePolicy) due(t *Tenant, now time.Time) bool {
	if !p.OnlyIfDue {
		return true
	}
	c, err := envelope.ParseCertificate(t.Pair.Certificate)
	if err != nil || t.identity() == nil || t.Own == nil || t.Own.Certificate != t.Pair.Certificate {
		return true
	}
	return !now.Before(p.renewAt(t, c))
}

// renewAt is when the key becomes due. No key is due in the first third of its
// life, whatever was asked for: it would be renewed at every run, and the history
// be emptied of what peers hold.
func (p DuePolicy) renewAt(t *Tenant, c *envelope.Certificate) time.Time {
	third := c.NotAfter.Sub(c.NotBefore) / 3
	before := p.Before
	if before == 0 {
		before = max(third, t.AutoRenewGap)
	}
	before = min(before, 2*third)
	return t.ends(c).Add(-max(before, min(atLeastBefore, third)))
}

// ends is when Moodle takes the key for expired and renews it by itself: by what
// stands in the own row, where that comes first.
func (t *Tenant) ends(c *envelope.Certificate) time.Time {
	if t.Own != nil && t.Own.Expires < c.NotAfter.Unix() {
		return time.Unix(t.Own.Expires, 0)
	}
	return c.NotAfter
}

// checkUp is the renewal of a key that is not due: the own site is looked at,
// and peers that are not proven are pushed to.
func (r *Renewal) checkUp(ctx context.Context, t *Tenant, report *TenantReport) error {
	id, err := r.keep(ctx, t, report)
	if err != nil {
		return err
	}
	return r.distribute(ctx, t, *id, r.lookAtPeers, report)
}

// lookAtPeers proves each peer, and tells those that are not proven.
func (r *Renewal) lookAtPeers(ctx context.Context, own Identity, peers []Peer) []PeerReport {
	return r.workOn(peers, func(p Peer) PeerReport {
		started := r.Now()
		proof := r.Network.Prove(ctx, own, p, nil, false)
		if proof.Failure != nil {
			if report := r.pushToPeer(ctx, own, &p); report.Attempts > 0 {
				return report
			}
			// Nothing was sent to a peer that had not answered a moment ago.
		}
		report := PeerReport{Wwwroot: p.Wwwroot, Application: p.Application}
		report.prove(Push{}, proof)
		r.keepCertificate(ctx, &p, proof, &report)
		r.verifyBack(ctx, own, p, &report)
		report.TookMS = r.Now().Sub(started).Milliseconds()
		return report
	})
}
