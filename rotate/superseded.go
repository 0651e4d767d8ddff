package rotate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Moodle's own renewal at expiry takes no locks: a request may have read pair and history before
// this program's COMMIT, and overwrite both afterwards.

// supersededByMoodle reports whether the local site rightly uses another key than the one stored by
// this run; the site has then proven that other key. The run's key was pushed to no peer.
func (r *Renewal) supersededByMoodle(ctx context.Context, t *Tenant, ours Identity, report *TenantReport) (bool, error) {
	now, err := r.Store.Read(ctx)
	if err != nil || storesKeyOf(now, ours.Key.Certificate) {
		return false, nil // giveUp reports the rest
	}
	conflict := r.keepOverwritten(ctx, ours, now)
	if now, err = r.Store.Read(ctx); err != nil || now.checkLocalRow() != nil || now.Own.Certificate != now.Pair.Certificate {
		return false, nil
	}
	id := now.identity()
	if id == nil {
		return false, nil
	}
	check, _ := r.ask(ctx, now, *id, r.answersForProof())
	if check != SelfProven && check != SelfNoRC4 {
		return false, nil
	}
	report.skipPeers(t, "not pushed: the local site does not use the new key")
	report.restored(now.Pair, len(now.History))
	report.Outcome, report.SelfCheck, report.Exit = Failed, check, ExitNotRenewed
	return true, fmt.Errorf("the local site uses a newer key: %w", conflict)
}

// keepOverwritten makes sure that a pair that is no longer the current one, as now shows, is in the
// history: if Moodle has overwritten it unseen, a peer that has learnt its certificate could
// otherwise never heal. It is put in front, since no pair there is newer. The error is ErrConflict,
// with what prevented this, if anything did.
func (r *Renewal) keepOverwritten(ctx context.Context, ours Identity, now *Tenant) error {
	overwritten := Retired{Stored: Stored{Certificate: ours.Key.Certificate.PEM, PrivateKey: ours.Key.PEM}, Expires: ours.Key.Certificate.NotAfter.Unix()}
	for tries := keepTries; ; tries-- {
		if now.has(ours.Key.Certificate) {
			return ErrConflict
		}
		err := r.Store.StoreHistory(ctx, now, slices.Insert(slices.Clone(now.History), 0, overwritten), false)
		if err == nil {
			// Another program may have left a pair of its own in the cache alone.
			if now, err = r.Store.Read(ctx); err == nil {
				err = r.rescue(ctx, now, usesUnknown)
			}
			if err == nil {
				err = r.Cache.Drop(ctx, now.SiteIdentifier, ScopeEntry)
			}
			if err != nil {
				r.Log.Debug().Err(err).Msg("cache not dropped after a pair was kept")
			}
			return ErrConflict
		}
		// Moodle was still writing, or the database is away for a moment.
		if tries == 1 || !errors.Is(err, ErrConflict) && r.Sleep(ctx, time.Second) != nil {
			return fmt.Errorf("%w; the new key could not be kept in the key history: %w", ErrConflict, err)
		}
		if again, lost := r.Store.Read(ctx); lost == nil {
			now = again
		}
	}
}

// keepTries is how many attempts are made to keep a pair, a second apart.
const keepTries = 15

// keepLost keeps a pair in the history that another program has overwritten, and reports the stored
// one instead. If the site does not use the stored one, that is the worst failure. The error is
// ErrConflict, with what prevented this, if anything did.
func (r *Renewal) keepLost(ctx context.Context, ours Identity, now *Tenant, report *TenantReport) error {
	conflict := r.keepOverwritten(ctx, ours, now)
	if again, err := r.Store.Read(ctx); err == nil {
		now = again
	}
	report.restored(now.Pair, len(now.History))
	report.SelfCheck = SelfSkipped
	if r.notToAsk(now) != nil {
		return conflict
	}
	check, failure := r.ask(ctx, now, *now.identity(), r.answersForProof())
	if report.SelfCheck = check; usesAnotherKey(check, failure) {
		report.Exit = ExitLocalSite
		return fmt.Errorf("%w; the web server does not use the stored key: %w", conflict, failure)
	}
	return conflict
}

// recheckLocalSite proves the local site once more. again is true if the site had gone back to the
// old key and was made to use the new one: peers to which the key was pushed meanwhile may have
// fetched the old certificate. A site that does not answer now is reported as such.
//
// The database is asked whether the key still is the stored one: a run whose lock was lost with its
// connection must not assume that it was the last, and a web server that answers under the key may
// read it from its cache.
func (r *Renewal) recheckLocalSite(ctx context.Context, t *Tenant, id Identity, report *TenantReport) (now *Tenant, again bool, err error) {
	check, failure := r.ask(ctx, t, id, r.answersToLook())
	if check != SelfFailed && report.SelfCheck == SelfProven {
		report.SelfCheck = check
	}
	now, err = r.Store.Read(ctx)
	another := stale(check, failure)
	if err != nil && usesAnotherKey(check, failure) {
		return now, false, fmt.Errorf("the local site does not answer with the stored key (%w), and the database does not answer either: read the tenant: %w", failure, err)
	}
	switch {
	case err != nil:
		return now, false, fmt.Errorf("%w: read the tenant: %w", errNotSeen, err)
	case !storesKeyOf(now, id.Key.Certificate):
		return now, false, r.keepLost(ctx, id, now, report) // it rightly uses another
	case !now.MNetOn():
		return now, false, fmt.Errorf("%w: %w", errNotSeen, ErrMNetOff)
	case now.Own == nil || r.expiring(now):
		return now, false, fmt.Errorf("%w: %w", errNotSeen, ErrExpired)
	case !another && (check == SelfUnreachable || check == SelfFailed):
		report.notProvenAnyMore(failure)
		return now, false, nil
	case !another:
		return now, false, nil
	}
	r.Log.Warn().Str("failure", failure.Error()).Msg("the local site does not use what is stored any more")
	switch check, err := r.keepUsed(ctx, now, failure); {
	case check == SelfProven:
		report.SelfCheck = check
		return now, true, nil
	case err != nil && failure.Reason == ReasonMNetOff && !errors.Is(err, errNowhere): // which says nothing of keys
		r.Log.Warn().Err(err).Msg("the cache was not purged at the last look")
		report.notProvenAnyMore(failure)
		return now, false, nil
	case err != nil:
		return now, false, fmt.Errorf("at the last look: %w", err)
	}
	report.SelfCheck, err = r.waitUntilActive(ctx, t, id, SelfProven)
	switch {
	case err == nil:
		return now, true, nil
	case report.SelfCheck == SelfUnreachable && failure.Reason == ReasonMNetOff: // which says nothing of keys
		report.notProvenAnyMore(failure)
		return now, false, nil
	}
	return now, false, fmt.Errorf("at the last look, the local site used another key: %w", err)
}

// notProvenAnyMore is for a local site that showed no key after the push.
func (r *TenantReport) notProvenAnyMore(failure *Failure) {
	r.SelfCheck = SelfUnreachable
	r.warn("the local site was not proven any more after the push: " + failure.Error())
}

// recheckUntilStill checks the local site again, and has the key pushed again, until the site has
// not gone back: a site that goes back repeatedly is not proven. It gives the tenant as the
// database had it at the last check.
func (r *Renewal) recheckUntilStill(ctx context.Context, t *Tenant, id Identity, report *TenantReport, push func()) (*Tenant, error) {
	for range maxLooks {
		now, again, err := r.recheckLocalSite(ctx, t, id, report)
		if err != nil || !again {
			return now, err
		}
		push()
	}
	return nil, fmt.Errorf("the local site used another key at %d looks, although its cache was purged each time", maxLooks)
}

const maxLooks = 3
