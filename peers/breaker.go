package peers

import (
	"sync"
	"time"

	"renew_mnetkeys/rotate"
)

// openFor is how long a peer that did not answer is not called again.
const openFor = time.Minute

// breaker is a circuit breaker: it remembers which peers did not answer a moment ago. In an array
// with hundreds of tenants, each tenant calls the same peers. A peer that swallows packets would
// cost each tenant all its tries, a few at a time as limits allows, and the run would end before
// the last tenants have called the peers that do answer. With the breaker, the peer costs only the
// tenants that call it at the moment: those that wait for a place meanwhile, and those that come
// within openFor, get the failure of these calls.
//
// The breaker opens only if all tries of an exchange have failed, because retries are for short
// failures. An interrupted call is no evidence, and any answer closes the breaker. It does not
// apply to a site that calls itself: such calls are repeated to see when the site begins to use a
// key. It is safe for concurrent use.
type breaker struct {
	now func() time.Time

	mu      sync.Mutex
	outages map[breakerKey]outage
}

// breakerKey names a peer that did not answer, and whether it did not answer sealed calls only: a
// peer that calls this site back in vain before it answers a sealed call still answers a keyswap.
type breakerKey struct {
	wwwroot, node string // each node of a site has its own breaker
	sealed        bool
}

func keyOf(t target, sealed bool) breakerKey { return breakerKey{t.peer, t.node, sealed} }

// outage is how the last tries ended.
type outage struct {
	at      time.Time
	failure *rotate.Failure
}

func newBreaker(now func() time.Time) *breaker {
	return &breaker{now: now, outages: map[breakerKey]outage{}}
}

// failure is the failure of a call that must not be made; nil if the call may be made.
func (b *breaker) failure(t target) *rotate.Failure {
	b.mu.Lock()
	defer b.mu.Unlock()
	last, known := b.outages[keyOf(t, false)]
	if !known && t.sealed {
		last, known = b.outages[keyOf(t, true)]
	}
	if !known || b.now().Sub(last.at) >= openFor {
		return nil
	}
	f := failed(last.failure.Reason, last.failure.Err, "not tried again, it did not answer a moment ago: %s", last.failure.Detail)
	f.Suppressed = true
	return f
}

// record notes how an exchange, with all its tries, ended.
func (b *breaker) record(t target, f *rotate.Failure) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case t.peer == "" || f != nil && (f.Suppressed || f.Reason == rotate.ReasonInterrupted):
	case f == nil || !f.Reason.Row().Unanswered:
		delete(b.outages, keyOf(t, false))
		delete(b.outages, keyOf(t, true))
	default:
		b.outages[keyOf(t, t.sealed && f.Reason == rotate.ReasonTimeout)] = outage{b.now(), f}
	}
}
