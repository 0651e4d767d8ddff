package peers

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// limits bounds how many exchanges are under way, in total and with one IP address.
//
// The limit per address is more than courtesy. A stock peer that must heal calls our site back
// while it occupies a worker of its PHP pool, and the hosts of one VMoodle array share one pool
// with our own site. If our calls fill the pool, no worker is left to answer the call-backs, and
// all of them wait until they time out. PHP pools start at 5 workers; 4 calls leave one free.
type limits struct {
	all        *semaphore.Weighted
	perAddress int64

	mu        sync.Mutex
	byAddress map[string]*semaphore.Weighted
}

func newLimits(all, perAddress int) *limits {
	return &limits{
		all:        semaphore.NewWeighted(int64(all)),
		perAddress: int64(perAddress),
		byAddress:  map[string]*semaphore.Weighted{},
	}
}

// acquire waits for a place. It waits for the address first, so that those who queue for a slow
// address take no place from the others.
func (l *limits) acquire(ctx context.Context, addr string) (release func(), err error) {
	l.mu.Lock()
	one := l.byAddress[addr]
	if one == nil {
		one = semaphore.NewWeighted(l.perAddress)
		l.byAddress[addr] = one
	}
	l.mu.Unlock()

	if err := one.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	if err := l.all.Acquire(ctx, 1); err != nil {
		one.Release(1)
		return nil, err
	}
	return func() {
		l.all.Release(1)
		one.Release(1)
	}, nil
}
