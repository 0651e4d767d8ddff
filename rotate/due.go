package rotate

import (
	"context"
	"fmt"
	"time"

	"renew_mnetkeys/envelope"
)

// DuePolicy says when a key is renewed. The zero value always renews.
type DuePolicy struct {
	OnlyIfDue bool
	// Before is how long before its expiry a key is renewed; 0 is a third of its lifetime, or the
	// gap of VMoodle's own renewal if that is larger.
	Before time.Duration
}

// RenewBeforeError says that every key would be due for its whole lifetime.
type RenewBeforeError struct {
	Before time.Duration
	Days   int // lifetime of a new certificate
}

func (e *RenewBeforeError) Error() string {
	return fmt.Sprintf("--renew-before (%s) is not shorter than the life of a new key (%s): every run would renew the key", inWords(e.Before), inWords(lifeOf(e.Days)))
}

// Hint is what to do about it.
func (e *RenewBeforeError) Hint() string {
	return "give a shorter --renew-before, leave it out, or give new keys a longer life with --days"
}

func lifeOf(days int) time.Duration { return time.Duration(days) * 24 * time.Hour }

// inWords formats a time span as it is written in options.
func inWords(d time.Duration) string {
	switch {
	case d >= 48*time.Hour && d%(24*time.Hour) == 0:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.String()
}

// checkDue refuses a setting that cannot work: a time before expiry that is not shorter than the
// lifetime of the key that a renewal would make.
func (r *Renewal) checkDue(t *Tenant) error {
	if days := r.days(t); r.Due.OnlyIfDue && r.Due.Before >= lifeOf(days) {
		return &RenewBeforeError{r.Due.Before, days}
	}
	return nil
}

// due reports whether the tenant's key is to be renewed now.
func (p DuePolicy) due(t *Tenant, now time.Time) bool { return !now.Before(p.dueAt(t)) }

// dueAt is when the tenant's key is to be renewed: the zero time, which is over, without --if-due.
// It is the same for a pair that cannot be read, or that is not the one of the local host row, or of
// another site: renewing is the cure.
func (p DuePolicy) dueAt(t *Tenant) time.Time {
	if !p.OnlyIfDue {
		return time.Time{}
	}
	c, err := envelope.ParseCertificate(t.Pair.Certificate)
	if err != nil || t.identity() == nil || t.hasOtherName() || t.Own == nil || t.Own.Certificate != t.Pair.Certificate {
		return time.Time{}
	}
	return p.renewAt(t, c)
}

// renewAt is when the key becomes due: the configured time before its expiry. With the automatic
// default no key is due in the first third of its lifetime, whatever VMoodle's gap.
func (p DuePolicy) renewAt(t *Tenant, c *envelope.Certificate) time.Time {
	third := c.NotAfter.Sub(c.NotBefore) / 3
	before := p.Before
	if before == 0 {
		before = min(max(third, t.AutoRenewGap), 2*third)
	}
	return t.ends(c).Add(-before)
}

// ends is when Moodle considers the key expired and renews it by itself: at the expiry in the local
// host row, if that is earlier than the certificate's.
func (t *Tenant) ends(c *envelope.Certificate) time.Time {
	if t.Own != nil && t.Own.Expires < c.NotAfter.Unix() {
		return time.Unix(t.Own.Expires, 0)
	}
	return c.NotAfter
}

// checkUp is what a renewal does with a key that is not due: it checks the local site, and pushes
// to peers that are not proven.
func (r *Renewal) checkUp(ctx context.Context, t *Tenant, report *TenantReport) error {
	report.NotDue, report.DueAt = true, r.Due.dueAt(t)
	id, err := r.keep(ctx, t, report)
	if err != nil {
		return err
	}
	return r.distribute(ctx, t, *id, r.lookAtPeers, report)
}

// lookAtPeers proves each peer, and pushes to those that are not proven.
func (r *Renewal) lookAtPeers(ctx context.Context, own Identity, peers []Peer) []PeerReport {
	return r.workOn(peers, func(p Peer) PeerReport {
		started := r.Now()
		far := r.farSide(ctx, p)
		if far.broken != nil {
			return r.pushToPeer(ctx, own, &p)
		}
		proof := r.Network.Prove(ctx, own, p, nil, false)
		if proof.Failure != nil {
			if report := r.pushToPeer(ctx, own, &p); report.Attempts > 0 {
				return report
			}
			// Nothing was sent to the peer, because it had not answered a moment ago.
		}
		report := PeerReport{Wwwroot: p.Wwwroot, Application: p.Application}
		report.prove(Push{}, proof)
		r.keepCertificate(ctx, &p, proof, &report)
		r.verifyFarSide(ctx, own, p, far, proof, &report)
		report.TookMS = r.Now().Sub(started).Milliseconds()
		return report
	})
}

// WhyNotDue says why keys are not renewed ([TenantReport.NotDue]), behind the number n of their
// tenants.
func WhyNotDue(onlyIfDue, dryRun bool, n int) string {
	whose := "their keys are"
	if n == 1 {
		whose = "its key is"
	}
	switch {
	case onlyIfDue:
		return "not due"
	case dryRun:
		return "would only be pushed (" + whose + " younger than --fresh)"
	}
	return "not renewed again (" + whose + " younger than --fresh)"
}
