package moodledb

import (
	"errors"
	"fmt"
	"sync"

	"renew_mnetkeys/moodledb/config"
)

// reach remembers that a server could not be reached. Of the hundred tenants of a server that
// swallows packets each would wait for its time limit, and keep the others waiting. So who waits
// for a connection while another's attempt fails is told the same, and from then on one at a time
// asks again, while the others are told at once. An answer, even one that refuses, ends that.
type reach struct {
	mu       sync.Mutex
	down     *AccessError // of the last attempt, nil when the server answered or nobody has asked yet
	failures int
	asking   bool // somebody finds out whether it still is down
}

// ask is called before waiting for anything; what it returns belongs into try. An error: the server
// is down.
func (r *reach) ask(c *config.Config) (seen int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down != nil && r.asking {
		return 0, r.tell(c)
	}
	return r.failures, nil
}

// try connects, unless others have found meanwhile that it is of no use.
func (r *reach) try(c *config.Config, seen int, connect func() error) error {
	r.mu.Lock()
	if r.down != nil && (r.asking || r.failures != seen) {
		defer r.mu.Unlock()
		return r.tell(c)
	}
	mine := r.down != nil
	r.asking = mine
	r.mu.Unlock()

	err := connect()

	r.mu.Lock()
	defer r.mu.Unlock()
	if mine {
		r.asking = false
	}
	var access *AccessError
	switch {
	case err == nil, isAnswer(err):
		r.down = nil
	case errors.As(err, &access): // an attempt that the caller cancelled gives none
		r.down = access
		r.failures++
	}
	return err
}

// tell says of this tenant's database what was found out about the server at another's.
func (r *reach) tell(c *config.Config) error {
	return fmt.Errorf("connect: %w", &AccessError{Server: server(c), Problem: r.down.Problem, Advice: r.down.Advice, Err: r.down.Err})
}
