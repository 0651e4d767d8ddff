package peers

import (
	"sync"
	"time"

	"renew_mnetkeys/rotate"
)

// openFor is how long a peer that did not answer is not called again.
const openFor = time.Minute

// breaker is a circuit breaker: it remembers which peers did not answer a moment ago. In an
// array with hundreds of tenants, each calls the same peers. A peer that swallows packets would
// cost each tenant all its tries, a few at a time as limits allows, and the run would end before
// the last tenants have called the peers that do answer. With the breaker it costs only the
// tenants that call at the moment: who waits for a place meanwhile, and who comes within
// openFor, gets their failure.
//
// All tries of an exchange must have failed: retrying is for what passes. What was interrupted
// is no evidence, and any answer closes the breaker. A site that calls itself passes it: it is
// asked over and over to see when it begins to use a key. It is safe for concurrent use.
type breaker struct {
	now func() time.Time

	mu      sync.Mutex
	outages map[breakerKey]outage
}

// breakerKey is who did not answer, and whether only to sealed calls: a peer that
// calls us back in vain before it answers one takes a keyswap all the same.
type breakerKey struct {
	wwwroot, node string // the nodes of one site have a breaker each
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

// failure is that of a call that is not to be made, nil if it is to be made.
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

// record notes how an exchange with all its tries ended.
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
