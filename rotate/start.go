package rotate

import (
	"cmp"
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
	if !t.MNetOn() {
		r.wasOff = t
	}
	if err := r.Starter.StartMNet(ctx, r.ipAddress(ctx, t.Wwwroot)); err != nil {
		if now, unread := r.load(ctx); unread == nil && !now.MNetOn() {
			r.wasOff = nil // it was not started; otherwise the answer to COMMIT was lost
		}
		return nil, fmt.Errorf("start MNet: %w", err)
	}
	r.Log.Info().Str("wwwroot", t.Wwwroot).Msg("MNet started")
	_, r.started = t.start()
	if t, err = r.load(ctx); err != nil {
		return nil, err
	}
	if err := r.rescue(ctx, t, usesUnknown); err != nil {
		return nil, err
	}
	r.rescued = true
	if err := r.Cache.Drop(ctx, t.SiteIdentifier, ScopeEntry); err != nil {
		// The same entries are dropped again after the key is stored, and proven.
		r.Log.Debug().Err(err).Msg("cache not dropped after MNet was started")
	}
	return t, nil
}

// start says what the start of MNet would do to a tenant for which isOff holds, and what it did.
func (t *Tenant) start() (would, did string) {
	if t.MNetOn() {
		return ErrNoLocalRow.Error() + "; it would get one first", "the site had no mnet_host row of its own; it has one now"
	}
	return "MNet is off; it would be started first", "MNet was off; it was started"
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
// the certificate of a new pair while MNet was on, so that the pair stays. The cache is purged only
// after its keys were rescued: before, this run has not purged it either.
func (r *Renewal) stopAgain(ctx context.Context, cause error) error {
	was := r.wasOff
	if cause == nil || was == nil {
		return cause
	}
	r.wasOff = nil
	ctx, cancel := safePoint(ctx)
	defer cancel()
	failed := &startError{cause: cause}
	if err := r.Starter.StopMNet(ctx, was.DispatcherMode); err != nil {
		failed.lost = fmt.Errorf("MNet could not be switched off again: %w", err)
	} else if r.rescued {
		if err := r.Cache.Drop(ctx, was.SiteIdentifier, ScopeDefinition); err != nil {
			failed.lost = fmt.Errorf("MNet was switched off again in the database, but the cache could not be purged: %w", err)
		} else if node := r.stillOn(ctx, was); node != "" {
			failed.lost = fmt.Errorf("MNet was switched off again in the database, but the web server %s still answers MNet calls", node)
		}
	}
	return failed
}

// stillOn is a web server of the local site that shows a certificate, "" if none does: one may have
// a cache of its own, also behind a load balancer (see shown).
func (r *Renewal) stillOn(ctx context.Context, t *Tenant) string {
	if r.SelfCheck == SelfCheckOff {
		return ""
	}
	nodes, failure := r.localNodes(ctx, t.localSite(""))
	if failure != nil {
		return ""
	}
	for range answersWanted {
		for _, node := range nodes {
			if _, failure := r.shownBy(ctx, node); failure == nil {
				return cmp.Or(node.Node, t.address())
			}
		}
	}
	return ""
}

// startError says that a run which had started MNet has failed, and why MNet may still be on; lost
// is nil if it is off again.
type startError struct{ cause, lost error }

func (e *startError) Error() string {
	if e.lost != nil {
		return e.cause.Error() + "; " + e.lost.Error()
	}
	return e.cause.Error() + "; MNet was switched off again"
}

func (e *startError) Unwrap() []error { return []error{e.cause, e.lost} }

// Hint is what to do if MNet is still on; otherwise the cause knows it.
func (e *startError) Hint() string {
	if e.lost == nil {
		return ""
	}
	return "MNet may still be on at the web server, though the database says that it is off. Do not purge the caches yourself. Correct what the error names, for example a --cache-hook that fails. The next run then saves a key that only the cache has, purges the cache and tests again. Run: renew_mnetkeys …"
}

// exit is the exit code: with MNet off, nobody notices which key the web server uses.
func (e *startError) exit() int {
	if e.lost != nil || errors.Is(e.cause, ErrUncertain) || errors.Is(e.cause, errNotPutBack) || errors.Is(e.cause, errNotProvenBack) {
		return ExitLocalSite
	}
	return ExitNotRenewed
}
