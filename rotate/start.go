package rotate

import (
	"context"
	"errors"
	"fmt"
)

// read reads the tenant under its lock, and starts MNet if that was requested.
func (r *Renewal) read(ctx context.Context) (*Tenant, error) {
	t, err := r.load(ctx)
	if err != nil {
		return nil, err
	}
	if !r.NewKey || !t.isOff() {
		return t, nil
	}
	if err := r.mayStart(ctx, t); err != nil {
		return nil, err
	}
	if err := r.Starter.StartMNet(ctx, r.ipAddress(ctx, t.Wwwroot)); err != nil {
		return nil, fmt.Errorf("start MNet: %w", err)
	}
	if !t.MNetOn() {
		r.wasOff = t
	}
	r.Log.Info().Str("wwwroot", t.Wwwroot).Msg("MNet started")
	if t, err = r.load(ctx); err != nil {
		return nil, err
	}
	if err := r.rescue(ctx, t, usesUnknown); err != nil {
		return nil, err
	}
	if err := r.Cache.Drop(ctx, t.SiteIdentifier, ScopeEntry); err != nil {
		// The same entries are dropped again after the key is stored, and proven.
		r.Log.Debug().Err(err).Msg("cache not dropped after MNet was started")
	}
	return t, nil
}

// mayStart finds what must prevent the start of MNet, and changes nothing.
func (r *Renewal) mayStart(ctx context.Context, t *Tenant) error {
	if !t.MNetOn() && t.DispatcherForced {
		return ErrMNetForcedOff
	}
	if err := r.allowed(ctx, t); err != nil {
		return err
	}
	if t.Own != nil {
		if err := t.checkLocalRow(); err != nil {
			return err
		}
	}
	return r.reachable(ctx, t)
}

// stopAgain switches MNet off again if this run has started it and then failed, with the error
// cause, before the web server was proven to use the stored key. Only the mode goes back: the rows
// of mnet_host are those that every Moodle has from its installation on, and a peer may have fetched
// the certificate of a new pair while MNet was on, so that the pair stays.
func (r *Renewal) stopAgain(ctx context.Context, cause error) error {
	was := r.wasOff
	if cause == nil || was == nil {
		return cause
	}
	r.wasOff = nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), safePointLimit)
	defer cancel()
	err := r.Starter.StopMNet(ctx, was.DispatcherMode)
	if err == nil {
		err = r.Cache.Drop(ctx, was.SiteIdentifier, ScopeDefinition)
	}
	return &startError{cause, err}
}

// startError says that a run which had started MNet has failed, and whether MNet is off again.
type startError struct{ cause, lost error }

func (e *startError) Error() string {
	if e.lost != nil {
		return e.cause.Error() + "; MNet could not be switched off again: " + e.lost.Error()
	}
	return e.cause.Error() + "; MNet was switched off again"
}

func (e *startError) Unwrap() []error { return []error{e.cause, e.lost} }

// Hint is what to do if MNet is still on; otherwise the cause knows it.
func (e *startError) Hint() string {
	if e.lost == nil {
		return ""
	}
	return "MNet may be on now, with a key that the web server was not seen to use. Purge Moodle's caches on every web server. Then run: renew_mnetkeys …"
}

// exit is the exit code: with MNet off, nobody notices which key the web server uses.
func (e *startError) exit() int {
	if e.lost != nil || errors.Is(e.cause, ErrUncertain) || errors.Is(e.cause, errNotPutBack) {
		return ExitLocalSite
	}
	return ExitNotRenewed
}
