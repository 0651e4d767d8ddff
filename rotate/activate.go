package rotate

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ladder is how the local web server is made to use a stored key: the cache entry
// alone, dropped again a few times because a request under way may refill it with
// what it had read before; then the whole definition; then Moodle itself. The
// waits stand before each try and add up to less than five seconds.
var ladder = []rung{
	{width: WidthEntry, waits: []time.Duration{0, 100 * time.Millisecond, 400 * time.Millisecond}},
	{width: WidthDefinition, waits: []time.Duration{0, 500 * time.Millisecond}},
	{width: WidthPHP, waits: []time.Duration{0, time.Second, 2 * time.Second}},
}

// hookLadder is the same for a [HookedCache]. A web server that reloads has the time
// to end before it is made to reload again, and a request under way to end before
// the cache that it refilled is dropped once more: that is what the second run is
// for. Seven seconds in all.
var hookLadder = []rung{
	{width: WidthEntry, waits: []time.Duration{0, 250 * time.Millisecond, 750 * time.Millisecond}, once: true},
	{width: WidthDefinition, waits: []time.Duration{time.Second, time.Second}, once: true},
	{width: WidthPHP, waits: []time.Duration{time.Second, time.Second, 2 * time.Second}, once: true},
}

type rung struct {
	width Width
	waits []time.Duration // before the site is asked
	once  bool            // dropped before the first question alone
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

// waitUntilActive drops the cached configuration until the local site, asked each time,
// uses the pair of id. Of a site that was proven before, only a proof counts; of
// one without RC4 that it shows the key, and of one that may not be called that
// its page does. A site that does not answer is waited for: a web server that is
// just reloading proves nothing. With --self-check=off the cache is dropped, and
// nothing is known.
func (r *Renewal) waitUntilActive(ctx context.Context, t *Tenant, id Identity, before SelfCheck) (SelfCheck, error) {
	check := SelfSkipped
	lost := &OwnSiteError{}
	for _, step := range r.ladder() {
		if check == SelfUnreachable {
			step.width = WidthEntry // no wider store is the cause, and several sites may share it
		}
		for i, wait := range step.waits {
			if err := r.Sleep(ctx, wait); err != nil {
				return SelfFailed, fmt.Errorf("wait for the local site: %w", err)
			}
			if i == 0 || !step.once {
				lost.Cache = r.drop(ctx, t, step.width)
			}
			check, lost.Failure = r.ask(ctx, t, id, r.answersForProof())
			switch {
			case r.SelfCheck == SelfCheckOff && lost.Cache != nil:
				return check, lost
			case check == SelfProven, check == SelfSkipped, check == SelfNoRC4 && before != SelfProven:
				return check, nil
			case t.stopping(check, lost.Failure) != nil && check != SelfUnreachable:
				return check, lost // no cache is the cause
			}
		}
	}
	return check, lost
}

func (r *Renewal) drop(ctx context.Context, t *Tenant, width Width) error {
	err := r.Cache.Drop(ctx, t.SiteIdentifier, width)
	if err != nil {
		r.Log.Debug().Err(err).Msg("cache not dropped")
	}
	return err
}

// undo puts the old pair back, and the new one to the end of the history.
func (r *Renewal) undo(ctx context.Context, t *Tenant, stored Stored, history []Retired, report *TenantReport) (SelfCheck, error) {
	now, err := r.Store.Read(ctx)
	if err != nil {
		return SelfFailed, fmt.Errorf("read the tenant: %w", err)
	}
	if now.Pair != stored {
		return SelfFailed, ErrConflict
	}
	if err := r.Store.StoreKey(ctx, now, Keys{Stored: t.Pair, Expires: t.expires(), History: history}); err != nil {
		return SelfFailed, fmt.Errorf("store the key: %w", err)
	}
	report.restored(t.Pair, len(history))
	id := t.identity()
	if id == nil {
		return SelfSkipped, r.Cache.Drop(ctx, now.SiteIdentifier, WidthDefinition)
	}
	back := t.with(id)
	return r.waitUntilActive(ctx, back, *id, SelfSkipped)
}

// with is the tenant once the pair of id is stored.
func (t *Tenant) with(id *Identity) *Tenant {
	stored := *t
	own := Peer{}
	if t.Own != nil {
		own = *t.Own
	}
	own.Certificate, own.Expires = id.Key.Certificate.PEM, id.Key.Certificate.NotAfter.Unix()
	stored.Pair = Stored{Certificate: id.Key.Certificate.PEM, PrivateKey: id.Key.PEM}
	stored.Own = &own
	return &stored
}

// activate stores the new key and sees to it that the local site uses it:
// database, cache, proof, in this order. It returns an error when nobody may be
// told of the key; then the old one is back, or the report says that it is not.
func (r *Renewal) activate(ctx context.Context, t *Tenant, next Identity, history []Retired, before SelfCheck, report *TenantReport) error {
	// From here to the proof a signal must not leave a stored key unused.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), safePointLimit)
	defer cancel()

	keys := Keys{
		Stored:  Stored{Certificate: next.Key.Certificate.PEM, PrivateKey: next.Key.PEM},
		Expires: next.Key.Certificate.NotAfter.Unix(),
		History: history,
	}
	if err := r.Store.StoreKey(ctx, t, keys); err != nil {
		switch {
		case errors.Is(err, ErrUncertain):
			report.SelfCheck, report.Exit = SelfFailed, ExitOwnSite
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
		report.warn(fmt.Sprintf("the key history is full (%d keys): the oldest one was dropped", MaxHistory))
	}
	check, err := r.waitUntilActive(ctx, t.with(&next), next, before)
	report.SelfCheck = check
	if err == nil {
		return nil
	}
	if done, conflict := r.supersededByMoodle(ctx, t, next, report); done {
		return conflict
	}
	return r.giveUp(ctx, t, keys, err, report)
}

// giveUp puts the old pair back where the local site was not proven to use the new
// one. Where that fails, or there is none, an operator has to act.
func (r *Renewal) giveUp(ctx context.Context, t *Tenant, keys Keys, cause error, report *TenantReport) error {
	report.skipPeers(t, "not pushed: the local site does not use the new key")
	if t.Pair.Present() {
		// Whatever time settling took, putting the old key back has its own.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), safePointLimit)
		defer cancel()
		check, err := r.undo(ctx, t, keys.Stored, t.historyWithUndone(keys.Stored), report)
		if err == nil {
			report.Outcome, report.SelfCheck, report.Exit = Undone, check, ExitNotRenewed
			return fmt.Errorf("%w: %w", ErrUndone, cause)
		}
		cause = fmt.Errorf("%w; putting the old key back failed as well: %w", cause, err)
	}
	report.Outcome, report.SelfCheck, report.Exit = Failed, SelfFailed, ExitOwnSite
	return fmt.Errorf("%w: %w", ErrNotFollowed, cause)
}

// safePointLimit bounds the work between storing a key and knowing that the own
// site uses it, which a cancelled context must not cut in two.
const safePointLimit = 5 * time.Minute
