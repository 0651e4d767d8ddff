package rotate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
)

// read reads the tenant under its lock, and starts MNet where that was asked.
func (r *Renewal) read(ctx context.Context) (*Tenant, error) {
	t, err := r.Store.Read(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the tenant: %w", err)
	}
	if !r.NewKey || t.MNetOn() && t.Own != nil {
		return t, nil
	}
	if err := r.mayStart(ctx, t); err != nil {
		return nil, err
	}
	if err := r.Starter.StartMNet(ctx, r.ipAddress(ctx, t.Wwwroot)); err != nil {
		return nil, fmt.Errorf("start MNet: %w", err)
	}
	r.Log.Info().Str("wwwroot", t.Wwwroot).Msg("MNet started")
	if t, err = r.Store.Read(ctx); err != nil {
		return nil, fmt.Errorf("read the tenant: %w", err)
	}
	if err := r.rescue(ctx, t, usesUnknown); err != nil {
		return nil, err
	}
	if err := r.Cache.Drop(ctx, t.SiteIdentifier, WidthEntry); err != nil {
		// The same entries are dropped again once the key is stored, and proven.
		r.Log.Debug().Err(err).Msg("cache not dropped after MNet was started")
	}
	return t, nil
}

// mayStart finds what must stop the start of MNet, and changes nothing.
func (r *Renewal) mayStart(ctx context.Context, t *Tenant) error {
	if !t.MNetOn() && t.DispatcherForced {
		return ErrMNetForcedOff
	}
	if err := r.allowed(ctx, t); err != nil {
		return err
	}
	if t.Own != nil {
		if err := t.checkOwnRow(); err != nil {
			return err
		}
	}
	return r.reachable(ctx, t)
}

// reachable is for a site that cannot be asked which key it uses, since it has
// none: somebody must listen where it will be asked.
func (r *Renewal) reachable(ctx context.Context, t *Tenant) error {
	if r.SelfCheck == SelfCheckOff {
		return nil
	}
	nodes, f := r.localNodes(ctx, t.localSite(""))
	for _, node := range nodes {
		if f = r.Network.Reachable(ctx, node); f == nil {
			return nil
		}
	}
	return r.stopped(ctx, t, SelfUnreachable, f)
}

// preflight finds what must stop a renewal while nothing has changed, and sees to
// it that the local site uses the stored pair: with a stale cache a new key would
// not help, and only push out of the history what is in use. t is read anew if a
// key was found in the cache.
func (r *Renewal) preflight(ctx context.Context, t *Tenant) (SelfCheck, error) {
	check, failure, err := r.examine(ctx, t)
	switch {
	case err != nil:
		return check, err
	case failure != nil && check == SelfFailed:
		return r.cure(ctx, t, failure)
	}
	seen := usesUnknown
	if t.identity() != nil && r.SelfCheck != SelfCheckOff {
		seen = usesStored
	}
	return check, r.rescue(ctx, t, seen)
}

// examine is the half of preflight that changes nothing. A check that is failed,
// without an error, is one that dropping the cache may cure: whether the web server
// follows will show then, also where a cache store can only be cleared manually. A
// web server that uses the stored key has shown no such thing, and would go on with
// it while the database has a new one.
func (r *Renewal) examine(ctx context.Context, t *Tenant) (SelfCheck, *Failure, error) {
	if !t.MNetOn() {
		return SelfSkipped, nil, t.off()
	}
	if err := t.checkOwnRow(); err != nil {
		return SelfSkipped, nil, err
	}
	allowed := r.allowed(ctx, t)
	if allowed != nil && !errors.Is(allowed, ErrCacheByHand) {
		return SelfSkipped, nil, allowed
	}
	id := t.identity()
	if id == nil {
		return SelfSkipped, nil, cmp.Or(r.reachable(ctx, t), allowed)
	}
	check, failure := r.ask(ctx, t, *id, 1)
	if err := r.stopped(ctx, t, check, failure); err != nil {
		return check, failure, err
	}
	if failure != nil && check == SelfFailed {
		return check, failure, nil
	}
	return check, failure, allowed
}

// cure brings a local site that uses another pair than the stored one to use it,
// and keeps the other pair.
func (r *Renewal) cure(ctx context.Context, t *Tenant, cause *Failure) (SelfCheck, error) {
	r.Log.Info().Str("failure", cause.Error()).Msg("the web server does not use the stored key: its cache is dropped")
	if now, err := r.Store.Read(ctx); err != nil {
		return SelfFailed, fmt.Errorf("read the tenant: %w", err)
	} else if now.Pair != t.Pair {
		return SelfFailed, ErrConflict // it is right to use another
	}
	if err := r.rescue(ctx, t, usesAnother); errors.Is(err, ErrConflict) {
		return SelfFailed, err
	} else if err != nil {
		return SelfFailed, fmt.Errorf("%w: %w", ErrNotFollowed, err)
	}
	check, err := r.waitUntilActive(ctx, t, *t.identity(), SelfSkipped)
	var lost *OwnSiteError
	switch {
	case err == nil:
		return check, nil
	case ctx.Err() != nil:
		return check, err
	case errors.As(err, &lost) && lost.Failure != nil && (check == SelfUnreachable || lost.Failure.Reason == ReasonMNetOff):
		return check, &UnreachableError{Wwwroot: t.Wwwroot, Failure: err}
	}
	return check, fmt.Errorf("%w: %w", ErrNotFollowed, err)
}

// allowed tells whether the key could be stored and the cache be dropped, while
// nothing has changed.
func (r *Renewal) allowed(ctx context.Context, t *Tenant) error {
	if err := r.Store.CheckRights(ctx); err != nil {
		return fmt.Errorf("the key could not be stored: %w", err)
	}
	if err := r.Cache.Check(ctx, t.SiteIdentifier); err != nil {
		return fmt.Errorf("the cached configuration could not be dropped afterwards: %w", err)
	}
	return nil
}
