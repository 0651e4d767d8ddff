package rotate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
)

// reachable is for a site that cannot be asked which key it uses, since it has none: a web server
// must listen where the site will be asked.
func (r *Renewal) reachable(ctx context.Context, t *Tenant) error {
	if r.SelfCheck == SelfCheckOff {
		return nil
	}
	nodes, f := r.localNodes(ctx, t.localSite(""))
	var all []nodeAnswer
	for _, node := range nodes {
		f := r.Network.Reachable(ctx, node)
		if f == nil {
			return nil
		}
		all = append(all, nodeAnswer{node.Node, SelfUnreachable, f})
	}
	if len(all) > 0 {
		_, f = r.verdict(all)
	}
	return r.stopped(ctx, t, SelfUnreachable, f)
}

// preflight finds what must stop a renewal before anything has changed, and makes the local site
// use the stored pair: with a stale cache a new key would not help, and would only push the pair in
// use out of the history. t is read again if a key was found in the cache.
func (r *Renewal) preflight(ctx context.Context, t *Tenant) (SelfCheck, error) {
	check, failure, err := r.examine(ctx, t, true)
	switch {
	case err != nil:
		return check, err
	case stale(check, failure):
		return r.cure(ctx, t, failure)
	}
	return check, r.rescue(ctx, t, r.seen(t))
}

// seen is what was seen of the key of a web server that was found to use what is stored, if it could
// be asked.
func (r *Renewal) seen(t *Tenant) usage {
	if t.identity() == nil || r.SelfCheck == SelfCheckOff {
		return usesUnknown
	}
	return usesStored
}

// examine is the half of preflight that changes nothing. If the check failed without an error,
// dropping the cache may cure it; the drop shows whether the web server follows, even if a cache
// store can only be cleared manually. A web server that uses the stored key has not shown that it
// follows, and could go on with that key while the database has a new one: if the database gets one,
// the cache must be purged.
func (r *Renewal) examine(ctx context.Context, t *Tenant, purges bool) (SelfCheck, *Failure, error) {
	if err := t.mayAsk(); err != nil {
		return SelfSkipped, nil, err
	}
	var allowed error
	if purges {
		allowed = r.allowed(ctx, t)
	}
	if allowed != nil && !errors.Is(allowed, ErrCacheManual) {
		return SelfSkipped, nil, allowed
	}
	id := t.identity()
	if id == nil {
		return SelfSkipped, nil, cmp.Or(r.reachable(ctx, t), allowed)
	}
	check, failure := r.ask(ctx, t, *id, r.answersToLook())
	if err := r.stopped(ctx, t, check, failure); err != nil {
		return check, failure, err
	}
	if stale(check, failure) {
		return check, failure, nil
	}
	return check, failure, allowed
}

// cure makes a local site that uses another pair than the stored one use the stored one, and keeps
// the other pair.
func (r *Renewal) cure(ctx context.Context, t *Tenant, cause *Failure) (SelfCheck, error) {
	r.Log.Info().Str("failure", cause.Error()).Msg("the web server does not use what is stored: its cache is dropped")
	if now, err := r.load(ctx); err != nil {
		return SelfFailed, err
	} else if now.Pair != t.Pair {
		return SelfFailed, ErrConflict // it rightly uses another
	}
	if check, err := r.keepUsed(ctx, t, cause); err != nil || check == SelfProven {
		return check, err
	}
	check, err := r.waitUntilActive(ctx, t, *t.identity(), SelfSkipped)
	var lost *LocalSiteError
	switch {
	case err == nil:
		return check, nil
	case ctx.Err() != nil:
		return check, err
	case errors.As(err, &lost) && lost.Failure != nil && check == SelfUnreachable:
		return check, lost.afterHook(&UnreachableError{Wwwroot: t.address(), Failure: err, Off: lost.Failure.Reason == ReasonMNetOff, Purged: lost.Cache == nil, Nodes: lost.Failure.missing()})
	case lost != nil && lost.Elsewhere != nil:
		return check, lost.afterHook(lost.Elsewhere)
	}
	if lost != nil {
		lost.Again = cmp.Or(r.insteadOfPush(t), lost.Again)
	}
	return check, notFollowed(err)
}

// keepUsed keeps the pair that a web server uses in place of the stored one, so that the cache may be
// dropped. If no page shows that pair, the site is asked again: SelfProven says that it uses the stored
// one now, since the hook of a run that was killed has ended its work meanwhile.
func (r *Renewal) keepUsed(ctx context.Context, t *Tenant, cause *Failure) (SelfCheck, error) {
	if cause.Reason == ReasonMNetOff { // which says nothing of keys
		return SelfUnreachable, r.rescue(ctx, t, usesUnknown)
	}
	err := r.rescue(ctx, t, usesAnother)
	if errors.Is(err, errNotShown) {
		if check, f := r.ask(ctx, t, *t.identity(), r.answersForProof()); f == nil && check == SelfProven {
			return check, nil
		}
	}
	if err != nil && !errors.Is(err, ErrConflict) {
		err = fmt.Errorf("%w: %w", ErrNotFollowed, err)
	}
	return SelfFailed, err
}

// noNewKey is what a run, a dry run and a diagnosis say alike of a database that takes no changes.
const noNewKey = "the database does not accept a new key"

// allowed reports whether the key could be stored and the cache purged, before anything has
// changed.
func (r *Renewal) allowed(ctx context.Context, t *Tenant) error {
	if err := r.Store.CheckRights(ctx); err != nil {
		if over(ctx) != nil {
			return err // which says nothing of the rights
		}
		return fmt.Errorf("%s: %w", noNewKey, err)
	}
	return r.mayPurge(ctx, t)
}

func (r *Renewal) mayPurge(ctx context.Context, t *Tenant) error {
	err := r.Cache.Check(ctx, t.SiteIdentifier)
	switch {
	case errors.Is(err, ErrCacheManual): // no other user could do more
		return err
	case err != nil:
		return fmt.Errorf("this user cannot purge the cached configuration: %w", err)
	}
	return nil
}
