package rotate

import (
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
	if err := r.Starter.StartMNet(ctx); err != nil {
		return nil, fmt.Errorf("start MNet: %w", err)
	}
	r.Log.Info().Str("wwwroot", t.Wwwroot).Msg("MNet started")
	if err := r.Cache.Drop(ctx, WidthEntry); err != nil {
		// The same entries are dropped again once the key is stored, and proven.
		r.Log.Debug().Err(err).Msg("cache not dropped after MNet was started")
	}
	if t, err = r.Store.Read(ctx); err != nil {
		return nil, fmt.Errorf("read the tenant: %w", err)
	}
	return t, nil
}

// mayStart finds what must stop the start of MNet, and changes nothing.
func (r *Renewal) mayStart(ctx context.Context, t *Tenant) error {
	if err := r.allowed(ctx); err != nil {
		return err
	}
	if t.Own != nil {
		if err := t.checkOwnRow(); err != nil {
			return err
		}
	}
	if r.SelfCheck == SelfCheckRequire {
		if f := r.Network.Reachable(ctx, Peer{Wwwroot: t.Wwwroot, ServerURL: ownServerURL}); f != nil {
			return fmt.Errorf("%w: %w", ErrOwnUnreachable, f)
		}
	}
	return nil
}

// preflight finds what must stop a renewal while nothing has changed, and asks
// the own site whether it is coherent.
func (r *Renewal) preflight(ctx context.Context, t *Tenant) (SelfCheck, error) {
	if !t.MNetOn() {
		return SelfSkipped, ErrMNetOff
	}
	if err := t.checkOwnRow(); err != nil {
		return SelfSkipped, err
	}
	if err := r.allowed(ctx); err != nil {
		return SelfSkipped, err
	}
	check, failure := r.checkBefore(ctx, t)
	switch {
	case check == SelfUnreachable && r.SelfCheck == SelfCheckRequire:
		return check, fmt.Errorf("%w: %w", ErrOwnUnreachable, failure)
	case failure != nil && failure.Reason == "clock":
		return check, fmt.Errorf("%w: %w", ErrOwnClock, failure)
	}
	return check, nil
}

// allowed tells whether the key could be stored and the cache be dropped, while
// nothing has changed. A cache for hands only is tried nevertheless, where the
// own site will show whether it stood in the way.
func (r *Renewal) allowed(ctx context.Context) error {
	if err := r.Store.CheckRights(ctx); err != nil {
		return fmt.Errorf("the key could not be stored: %w", err)
	}
	err := r.Cache.Check(ctx)
	if errors.Is(err, ErrCacheByHand) && r.SelfCheck != SelfCheckOff {
		r.Log.Warn().Err(err).Msg("a cache store cannot be cleared from here; the renewal will be undone if it stands in the way")
		return nil
	}
	if err != nil {
		return fmt.Errorf("the cached configuration could not be dropped afterwards: %w", err)
	}
	return nil
}
