package rotate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrUnderWay: a web server does not use what is stored, and another run, which has the lock, may be
// the cause.
var ErrUnderWay = error(&hinted{"another run is changing the key of this tenant: it is not known yet whether the web server will use it",
	"wait for the other run to end, then run: renew_mnetkeys …"})

// underWayTries is how many times a tenant is looked at whose key another run is changing, a second
// apart. A cache-hook that reloads a web server takes a few seconds.
const underWayTries = 10

// askSettled is ask for commands that only look. Between storing a key and its proof a run has a
// stored key that the web server does not use: as long as another run has the lock, that says
// nothing. t is read again before each further question, the last of which comes after the lock
// was seen to be free. With an error, nothing is known of the site.
func (r *Renewal) askSettled(ctx context.Context, t *Tenant) (SelfCheck, *Failure, error) {
	free := false
	for tries := underWayTries; ; tries-- {
		check, f := r.ask(ctx, t, *t.identity(), r.answersForProof())
		if free || !stale(check, f) || over(ctx) != nil {
			return check, f, nil
		}
		free = !r.anotherRuns(ctx)
		if !free && tries == 0 {
			return SelfSkipped, nil, ErrUnderWay
		}
		if !free {
			if err := r.Sleep(ctx, time.Second); err != nil {
				return SelfSkipped, nil, fmt.Errorf("wait for another run: %w", Ended(ctx, err))
			}
		}
		now, err := r.load(ctx)
		if err == nil {
			err = r.mayKeep(now)
		}
		if err != nil {
			return SelfSkipped, nil, err
		}
		*t = *now
	}
}

// anotherRuns reports whether another run has the tenant's lock.
func (r *Renewal) anotherRuns(ctx context.Context) bool {
	return r.Locker != nil && AnotherRuns(ctx, r.Locker)
}

// AnotherRuns reports whether another run has a lock. If none has, the lock is taken for a moment:
// there is no other way to find out that all database servers have.
func AnotherRuns(ctx context.Context, locker Locker) bool {
	ctx, cancel := context.WithTimeout(ctx, lookAtLock) // all connections may be in use, one of them here
	defer cancel()
	release, err := locker.Lock(ctx, glance) // another command may look at this moment
	if err == nil {
		release()
	}
	return errors.Is(err, ErrLocked)
}

const lookAtLock = 3 * time.Second

// noteOtherRuns says of refused links that another run is working on one of their sites: a key that
// it has stored, and that it has not pushed yet, looks like a fault of a key. It is for commands that
// only look.
func (r *Renewal) noteOtherRuns(ctx context.Context, report *TenantReport) {
	ctx, cancel := context.WithTimeout(ctx, lookAtLock) // for all looks: they only choose words
	defer cancel()
	own := sync.OnceValue(func() bool {
		if r.Busy != nil {
			return r.Busy(ctx, report.Wwwroot)
		}
		return r.anotherRuns(ctx)
	})
	for i := range report.Peers {
		p := &report.Peers[i]
		switch {
		case p.Outcome != Refused, !p.Reason.ofKeys():
		case own():
			p.whileAnotherRuns("this site")
		case r.Busy != nil && r.Busy(ctx, p.Wwwroot):
			p.whileAnotherRuns("the peer")
		}
	}
}

// ofKeys reports whether a key that one site has and the other has not yet can be the reason.
func (r Reason) ofKeys() bool {
	row := r.Row()
	return row.SettlesSoon || row.Outdated || r == ReasonSeveralCaches
}

func (p *PeerReport) whileAnotherRuns(site string) {
	p.Detail, p.Next = join("another run is working on "+site, p.Detail), HintOf(ErrUnderWay)
}

// lockFunc is a Locker that is a function.
type lockFunc func(ctx context.Context, wait time.Duration) (release func(), err error)

// Lock implements Locker.
func (lock lockFunc) Lock(ctx context.Context, wait time.Duration) (func(), error) {
	return lock(ctx, wait)
}
