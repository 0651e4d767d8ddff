package peers

import (
	"sync"
	"time"

	"renew_mnetkeys/rotate"
)

// silentFor is how long a peer that did not answer is not asked again.
const silentFor = time.Minute

// silence remembers which peers did not answer a moment ago. Of an array with hundreds of tenants each tells the same
// peers. One that swallows packets would cost each of them all its tries, a few at a time as limits lets them, and the
// run would be over before the tenants at the end of that queue have told those that do answer. So it costs those that
// ask at the moment: who waits for a place meanwhile, and who comes within silentFor, is told what they found.
//
// All tries of an exchange must have failed: retrying is for what passes. What was interrupted is no
// evidence, and any answer ends a silence. A site that calls itself is not told: it is asked over and over to see when
// it comes to use a key. It is safe for concurrent use.
type silence struct {
	now func() time.Time

	mu    sync.Mutex
	since map[silentTo]silent
}

// silentTo is who did not answer, and whether only to sealed calls: a peer that
// calls us back in vain before it answers one takes a keyswap all the same.
type silentTo struct {
	wwwroot, node string // nodes of one site are silent each for itself
	sealed        bool
}

// at is how a target is remembered.
func at(t target, sealed bool) silentTo { return silentTo{t.peer, t.node, sealed} }

// silent is what the last tries came to.
type silent struct {
	at      time.Time
	failure *rotate.Failure
}

func newSilence(now func() time.Time) *silence {
	return &silence{now: now, since: map[silentTo]silent{}}
}

// of gives the failure of a call that is not made, nil where it is to be made.
func (s *silence) of(t target) *rotate.Failure {
	s.mu.Lock()
	defer s.mu.Unlock()
	last, known := s.since[at(t, false)]
	if !known && t.sealed {
		last, known = s.since[at(t, true)]
	}
	if !known || s.now().Sub(last.at) >= silentFor {
		return nil
	}
	f := failed(last.failure.Reason, last.failure.Err, "not tried again, it did not answer a moment ago: %s", last.failure.Detail)
	f.Suppressed = true
	return f
}

// heard notes what an exchange with all its tries came to.
func (s *silence) heard(t target, f *rotate.Failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case t.peer == "" || f != nil && (f.Suppressed || f.Reason == rotate.ReasonInterrupted):
	case f == nil || !f.Reason.Row().Unanswered:
		delete(s.since, at(t, false))
		delete(s.since, at(t, true))
	default:
		s.since[at(t, t.sealed && f.Reason == rotate.ReasonTimeout)] = silent{s.now(), f}
	}
}
