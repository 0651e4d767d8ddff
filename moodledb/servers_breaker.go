package moodledb

import (
	"errors"
	"fmt"
	"sync"

	"renew_mnetkeys/moodledb/config"
)

// reach remembers that a server could not be reached. Each of the hundred tenants of a server that
// swallows packets would wait for its time limit, and would delay the others. So a caller that
// waits for a connection while another's attempt fails gets the same error. From then on one caller
// at a time tries again, while the others get the error at once. An answer, even a refusal, ends
// that state.
type reach struct {
	mu       sync.Mutex
	down     *AccessError // of the last attempt, nil if the server answered or no attempt was made yet
	failures int
	asking   bool // whether a caller is trying whether it is still down
}

// ask is called before waiting for anything; its result must be passed to try. An error: the server
// is down.
func (r *reach) ask(c *config.Config) (seen int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down != nil && r.asking {
		return 0, r.tell(c)
	}
	return r.failures, nil
}

// try connects, unless other callers have found meanwhile that it is useless.
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

// tell is the error for this tenant's database that was found at another tenant of the same server.
func (r *reach) tell(c *config.Config) error {
	return fmt.Errorf("connect: %w", &AccessError{Server: server(c), Problem: r.down.Problem, Advice: r.down.Advice, Err: r.down.Err})
}
