package rotate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
)

// ladder lists the steps that make the local web server use a stored key. The first drops the cache
// entry alone, a few times, because a request under way may refill it with what it had read before.
// The next drops the whole definition, and the last asks Moodle itself. Each try comes after its
// wait; the waits add up to less than five seconds.
var ladder = []rung{
	{scope: ScopeEntry, waits: []time.Duration{0, 100 * time.Millisecond, 400 * time.Millisecond}},
	{scope: ScopeDefinition, waits: []time.Duration{0, 500 * time.Millisecond}},
	{scope: ScopePHP, waits: []time.Duration{0, time.Second, 2 * time.Second}},
}

// hookLadder is the same for a [HookedCache]. A web server that reloads has the time to finish
// before it must reload again, and a request under way has the time to finish before the cache that
// it refilled is dropped once more: the second run is for that. The waits add up to seven seconds.
var hookLadder = []rung{
	{scope: ScopeEntry, waits: []time.Duration{0, 250 * time.Millisecond, 750 * time.Millisecond}, once: true},
	{scope: ScopeDefinition, waits: []time.Duration{time.Second, time.Second}, once: true},
	{scope: ScopePHP, waits: []time.Duration{time.Second, time.Second, 2 * time.Second}, once: true},
}

type rung struct {
	scope Scope
	waits []time.Duration // before the site is asked
	once  bool            // dropped only before the first question
}

func (r *Renewal) hooked() bool {
	hooked, ok := r.Cache.(HookedCache)
	return ok && hooked.Hooked()
}

func (r *Renewal) ladder() []rung {
	if r.hooked() {
		return hookLadder
	}
	return ladder
}

// waitUntilActive drops the cached configuration until the local site uses the pair of id; it asks
// the site each time. If the site was proven before, only a proof counts; if it has no RC4, it must
// show the key; if it may not be called, its page must show it. The function waits for a site that
// does not answer: a web server that is just reloading proves nothing. With --self-check=off the
// cache is dropped, and the result is unknown.
func (r *Renewal) waitUntilActive(ctx context.Context, t *Tenant, id Identity, before SelfCheck) (SelfCheck, error) {
	check := SelfSkipped
	lost := &LocalSiteError{Hooked: r.hooked()}
	if r.SelfCheck == SelfCheckOff {
		lost.Again = "run: renew_mnetkeys push --self-check=off"
	}
	var dropping time.Duration
	for _, step := range r.ladder() {
		if lost.Unseen {
			// A larger scope cannot help, and several sites may share the store.
			step.scope = ScopeEntry
		}
		for i, wait := range step.waits {
			if err := r.Sleep(ctx, wait); err != nil {
				if errors.Is(err, context.DeadlineExceeded) && lost.Failure != nil {
					lost.Late, lost.SlowHook = context.Cause(ctx), lost.Hooked && dropping > safePointLimit/2
					return check, lost
				}
				return SelfFailed, fmt.Errorf("wait for the local site: %w", cmp.Or(context.Cause(ctx), err))
			}
			if i == 0 || !step.once {
				started := r.Now()
				lost.Cache = r.drop(ctx, t, step.scope)
				dropping += r.Now().Sub(started)
			}
			check, lost.Failure = r.ask(ctx, t, id, r.answersForProof())
			lost.Unseen = lost.Failure != nil && !stale(check, lost.Failure)
			lost.Another = lost.Failure != nil && usesAnotherKey(check, lost.Failure)
			elsewhere := t.stopping(check, lost.Failure)
			switch {
			case r.SelfCheck == SelfCheckOff && lost.Cache != nil:
				return check, lost
			case check == SelfProven, check == SelfSkipped, check == SelfNoRC4 && before != SelfProven:
				return check, nil
			case elsewhere != nil && check != SelfUnreachable:
				lost.Elsewhere = elsewhere
				return check, lost
			}
		}
	}
	lost.Kept = r.allKept(ctx, lost.Failure)
	return check, lost
}

func (r *Renewal) drop(ctx context.Context, t *Tenant, scope Scope) error {
	err := r.Cache.Drop(ctx, t.SiteIdentifier, scope)
	if err != nil {
		r.Log.Debug().Err(err).Msg("cache not dropped")
	}
	return err
}

// undo puts the old pair back, with the new one in the history. Its error is errNotPutBack or
// errNotProvenBack, by whether the old pair is stored.
func (r *Renewal) undo(ctx context.Context, t *Tenant, stored Stored, history []Retired, report *TenantReport) (SelfCheck, error) {
	now, err := r.load(ctx)
	if err == nil && now.Pair != stored {
		err = ErrConflict
	}
	if err != nil {
		return SelfFailed, fmt.Errorf("%w: %w", errNotPutBack, err)
	}
	keys := Keys{Stored: t.Pair, Expires: t.expires(), History: history, Wwwroot: now.renamed(t.Wwwroot)}
	if err := r.Store.StoreKey(ctx, now, keys); err != nil {
		return SelfFailed, fmt.Errorf("%w: store the key: %w", errNotPutBack, err)
	}
	report.restored(t.Pair, len(history))
	report.takeBack(historyFull(len(now.History)))
	check := SelfSkipped
	if id := t.identity(); id != nil {
		check, err = r.waitUntilActive(ctx, t.with(id), *id, SelfSkipped)
	} else {
		err = r.Cache.Drop(ctx, now.SiteIdentifier, ScopeDefinition)
	}
	if err != nil {
		err = fmt.Errorf("%w: %w", errNotProvenBack, err)
	}
	return check, err
}

// with is the tenant after the pair of id is stored.
func (t *Tenant) with(id *Identity) *Tenant {
	stored := *t
	own := Peer{}
	if t.Own != nil {
		own = *t.Own
	}
	own.Certificate, own.Expires = id.Key.Certificate.PEM, id.Key.Certificate.NotAfter.Unix()
	if id.Wwwroot == t.address() {
		stored.Wwwroot, stored.Configured = id.Wwwroot, ""
	}
	stored.Pair = Stored{Certificate: id.Key.Certificate.PEM, PrivateKey: id.Key.PEM}
	stored.Own = &own
	return &stored
}

// activate stores the new key and makes the local site use it: database, cache, proof, in this
// order. If it returns an error, the key must not be pushed to any peer; then the old key was
// restored, or the report says that it was not.
func (r *Renewal) activate(ctx context.Context, t *Tenant, next Identity, history []Retired, before SelfCheck, report *TenantReport) error {
	// From here until the proof, a signal must not leave a stored key unused.
	run := ctx
	ctx, cancel := safePoint(run)
	defer cancel()

	keys := Keys{
		Stored:  Stored{Certificate: next.Key.Certificate.PEM, PrivateKey: next.Key.PEM},
		Expires: next.Key.Certificate.NotAfter.Unix(),
		History: history,
		Wwwroot: t.renamed(next.Wwwroot),
	}
	if err := r.Store.StoreKey(ctx, t, keys); err != nil {
		switch {
		case errors.Is(err, ErrUncertain):
			report.SelfCheck, report.Exit = SelfFailed, ExitLocalSite
		case errors.Is(err, ErrOverwritten):
			if _, conflict := r.supersededByMoodle(ctx, t, next, report); conflict != nil {
				err = conflict
			}
		}
		return fmt.Errorf("store the key: %w", err)
	}
	r.Log.Debug().Str("sha256", next.Key.Certificate.Fingerprint()).Msg("stored the new key")
	report.renewed(next.Key.Certificate, len(keys.History))
	if t.dropsOne(keys) {
		report.warn(historyFull(len(keys.History)))
	}
	check, err := r.waitUntilActive(ctx, t.with(&next), next, before)
	report.SelfCheck = check
	if err == nil && r.started != "" {
		report.warn(r.started)
	}
	if err == nil {
		if original := t.otherName(); original != "" && r.MovedFrom == "" {
			report.warn(keyOfOther(original))
		}
		return nil
	}
	if done, conflict := r.supersededByMoodle(ctx, t, next, report); done {
		return conflict
	}
	return r.giveUp(run, t, keys, err, report)
}

// keyOfOther is the warning of a renewal that has replaced the key of another site. The history keeps
// that key: peers of the copy may have its certificate, and heal by nothing else. A new key of the
// original makes it useless against the peers of the original.
func keyOfOther(original string) string {
	return "the replaced key has the name of " + original + ": if this site is a copy, both sites have that key, so renew " + original + " as well. The key stays in the key history here, since peers may still need it"
}

// giveUp puts the old pair back if the local site was not proven to use the new one. If that fails,
// or there is no old pair, an operator has to act.
func (r *Renewal) giveUp(run context.Context, t *Tenant, keys Keys, cause error, report *TenantReport) error {
	report.skipPeers(t, "not pushed: the local site was not proven to use the new key")
	own := new(LocalSiteError) // of the cause, if it is one: its hint depends on what comes now
	if errors.As(cause, &own) && r.wasOff != nil {
		own.Again = runAgain
	}
	if t.Pair.Present() {
		// However long the wait for the local site took, putting the old key back has its own
		// limit.
		ctx, cancel := safePoint(run)
		defer cancel()
		check, err := r.undo(ctx, t, keys.Stored, t.historyWithUndone(keys.Stored), report)
		if err == nil {
			report.Outcome, report.SelfCheck, report.Exit, own.Undone = Undone, check, ExitNotRenewed, true
			err = fmt.Errorf("%w, because the web server was not proven to use the new one: %w", ErrUndone, cause)
			if errors.Is(run.Err(), context.Canceled) { // a signal often ends the hook or PHP that purges the cache
				err = fmt.Errorf("%w: %w", context.Cause(run), err)
			}
			return err
		}
		if !errors.Is(err, errNotPutBack) {
			restored := t
			if id := t.identity(); id != nil {
				restored = t.with(id)
			}
			own.Again = cmp.Or(r.insteadOfPush(restored), own.Again)
		}
		own.notPutBack(err)
		cause = fmt.Errorf("%w; %w", cause, err)
	}
	report.Outcome, report.SelfCheck, report.Exit = Failed, SelfFailed, ExitLocalSite
	return notFollowed(cause)
}

// insteadOfPush is the command for a stored pair that a push would refuse, as "run: COMMAND"; "" if it
// would distribute it.
func (r *Renewal) insteadOfPush(t *Tenant) string {
	switch {
	case r.wasOff != nil: // MNet is switched off again
		return runAgain
	case r.mayKeep(t) != nil:
		return "run: renew_mnetkeys"
	}
	return ""
}

// The web server was proven to use neither the new key nor the old one, which is or is not stored
// again.
var (
	errNotPutBack    = errors.New("putting the old key back failed as well")
	errNotProvenBack = errors.New("the old key is stored again, and the web server was not proven to use it either")
)

// safePointLimit bounds the work between storing a key and knowing that the local site uses it. A
// cancelled context must not cut that work in two.
const safePointLimit = 5 * time.Minute

// errSafePoint is the cause of a context whose safePointLimit has passed.
var errSafePoint = fmt.Errorf("the local site did not use the stored key within %v", safePointLimit)

// safePoint is a context for such work, whatever ends the run.
func safePoint(run context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(context.WithoutCancel(run), safePointLimit, errSafePoint)
}
