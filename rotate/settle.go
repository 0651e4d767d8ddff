package rotate

import (
	"context"
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

// HookedCache is a Cache that a command of the operator's drops, which may be to
// reload a web server. It is run three times at most, at least a second apart.
type HookedCache interface {
	Cache
	Hooked() bool
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

// settle drops the cached configuration until the local site, asked each time,
// uses the pair of id. Of a site that was proven before, only a proof counts; of
// one without RC4 that it shows the key, and of one that may not be called that
// its page does. A site that does not answer is waited for: a web server that is
// just reloading proves nothing. With --self-check=off the cache is dropped, and
// nothing is known.
func (r *Renewal) settle(ctx context.Context, t *Tenant, id Identity, before SelfCheck) (SelfCheck, error) {
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
	return r.settle(ctx, back, *id, SelfSkipped)
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
