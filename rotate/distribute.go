package rotate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"renew_mnetkeys/envelope"
)

// Distribute pushes the stored key to every peer, and renews nothing.
func (r *Renewal) Distribute(ctx context.Context) TenantReport {
	return r.reported(ctx, func(ctx context.Context, report *TenantReport) error {
		release, tenant, err := r.locked(ctx, report)
		if err != nil {
			return err
		}
		defer release()
		id, err := r.keep(ctx, tenant, report)
		if err != nil {
			return stoppedOr(ctx, err)
		}
		return r.distribute(ctx, tenant, *id, r.pushToPeers, report)
	})
}

// keep makes the local site use the key that is stored: a run may have been killed between the
// database and the cache. A site that uses it already is left alone. If a site cannot be made to
// use it, the pair that the site uses is restored.
func (r *Renewal) keep(ctx context.Context, t *Tenant, report *TenantReport) (*Identity, error) {
	if err := r.mayKeep(t); err != nil {
		return nil, err
	}
	id := t.identity()
	if err := r.keepEmptied(ctx, t, report); err != nil {
		return nil, stoppedOr(ctx, fmt.Errorf("nothing was pushed: %w", err))
	}
	check, failure := r.ask(ctx, t, *id, r.answersForProof())
	report.SelfCheck = check
	if err := r.stopped(ctx, t, check, failure); err != nil {
		return nil, stoppedOr(ctx, err)
	}
	var err error
	switch {
	case stale(check, failure):
		check, err = r.cure(ctx, t, failure)
	case r.SelfCheck == SelfCheckOff:
		if err = r.rescue(ctx, t, usesUnknown); err == nil {
			check, err = r.waitUntilActive(ctx, t, *id, SelfSkipped)
		}
	}
	report.SelfCheck = check
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, stoppedOr(ctx, err) // calls that were cut short say nothing about the site
	case errors.Is(err, ErrNotFollowed):
		return nil, r.goBack(ctx, t, err, report)
	case err != nil:
		return nil, fmt.Errorf("nothing was pushed: %w", err)
	}
	report.Outcome = Kept
	return t.identity(), nil // with the keys that were found in the cache
}

// keepEmptied keeps the keys of a history that was emptied, since it was damaged: the cache may have them,
// whatever the web server answers. The history of a site that was never renewed is empty, too: a daily
// run asks no PHP, and does not say each day that a cache cannot be read.
func (r *Renewal) keepEmptied(ctx context.Context, t *Tenant, report *TenantReport) error {
	if len(t.History) > 0 {
		return nil
	}
	stored, keep := t.Pair, r.keepFound
	if r.Due.OnlyIfDue {
		keep = func(ctx context.Context, t *Tenant) error { return r.keepCached(ctx, t, false) }
	}
	err := keep(ctx, t)
	report.History = len(t.History)
	switch {
	case errors.Is(err, errUnreadCache) && r.Due.OnlyIfDue:
		r.Log.Debug().Err(err).Msg("the cache was not compared with the key history, which is empty")
	case errors.Is(err, errUnreadCache):
		report.warn("the key history is empty, and not each cache could be read: if it was emptied, retired keys may be there: " + oneLine(err))
	case err != nil:
		return err
	case r.hooked() && !r.Due.OnlyIfDue && report.History == 0:
		report.warn("the key history is empty: if it was emptied, retired keys may be in the cache of each web server, which the --cache-hook purges. Push on each of them before the next renewal")
	}
	if t.Pair != stored {
		return ErrConflict
	}
	return nil
}

// mayKeep finds what must stop a run that leaves the stored key as it is: no call may be made under
// that key, or the call would make Moodle write, or the key is another site's.
func (r *Renewal) mayKeep(t *Tenant) error {
	switch {
	case t.mayAsk() != nil:
		return t.mayAsk()
	case t.identity() == nil:
		return ErrNoKey
	case t.Own.Certificate != t.Pair.Certificate:
		return ErrIncoherent
	case t.hasOtherName():
		return ErrOtherName
	case r.expiring(t):
		return ErrExpired
	}
	return nil
}

// goBack restores the pair that the web server uses, and moves the stored one into the history.
// This completes a run that was killed after it stored a key that the web server does not take, and
// before it undid that. The site's publickey.php shows which pair it uses: a sealed call under
// another key than that of the local host row would make the site write. The proof of the pair is
// made by the undoing itself. That purges the cache, so nothing is done if the keys in the cache could
// not be kept.
func (r *Renewal) goBack(ctx context.Context, t *Tenant, cause error, report *TenantReport) error {
	report.SelfCheck, report.Exit = SelfFailed, ExitLocalSite
	used, found := r.shownPair(ctx, t)
	var own *LocalSiteError
	if !found || !errors.As(cause, &own) {
		return cause
	}
	// From here a signal must not leave the site between two keys.
	ctx, cancel := safePoint(ctx)
	defer cancel()
	before := r.named(t, used)
	history := t.exchanged(used)
	history[0].Expires = undone // the web server does not take it
	check, err := r.undo(ctx, before, t.Pair, history, report)
	if err != nil {
		own.notPutBack(err)
		return fmt.Errorf("%w; %w", cause, err)
	}
	report.Outcome, report.SelfCheck, report.Exit = Undone, check, ExitNotRenewed
	own.Undone, own.Pushed = true, true
	return fmt.Errorf("%w, because the web server still uses it: %w", ErrUndone, own)
}

// shownPair is the retired pair that all web servers of the local site show as theirs, if they
// agree on one that is still valid.
func (r *Renewal) shownPair(ctx context.Context, t *Tenant) (Stored, bool) {
	shown, _, asked := r.shown(ctx, t)
	if !asked || slices.ContainsFunc(shown, func(c *envelope.Certificate) bool { return !c.Equal(shown[0]) }) {
		return Stored{}, false
	}
	used := shown[0]
	for _, h := range t.History {
		pair, err := envelope.ParseKeyPair(h.Certificate, h.PrivateKey)
		if err == nil && pair.Certificate.Equal(used) && (used.CheckWwwroot(t.Wwwroot) == nil || r.madeForOld(used)) && used.NotAfter.After(r.Now().Add(time.Minute)) {
			return h.Stored, true
		}
	}
	return Stored{}, false
}

// pushFunc is a way to make peers use the identity's key.
type pushFunc func(ctx context.Context, own Identity, peers []Peer) []PeerReport

// distribute pushes to every peer, proves each, and checks the local site again: a web request that
// had read the old pair before it was replaced may have refilled the cache after it was dropped.
func (r *Renewal) distribute(ctx context.Context, t *Tenant, next Identity, push pushFunc, report *TenantReport) error {
	peers, unbound := r.bindHosts(ctx, t, next, report)
	report.Peers = push(ctx, next, peers)
	r.pushOnceMore(ctx, next, peers, report.Peers)
	report.Peers = merge(report.Peers, unbound)

	last, cancel := safePoint(ctx)
	defer cancel()
	proven := report.SelfCheck == SelfProven
	now, err := r.recheckUntilStill(last, t.with(&next), next, report, func() { report.Peers = merge(r.pushToPeers(ctx, next, peers), unbound) })
	if err != nil {
		report.wentBack(err)
		r.weighLinks(report, false, err)
		return fmt.Errorf("after the push: %w", err)
	}
	r.weighLinks(report, proven, nil)
	report.exitByProof()
	if len(unbound) > 0 {
		report.Exit = max(report.Exit, ExitPeers)
	}
	r.trim(ctx, now, report)
	return nil
}
