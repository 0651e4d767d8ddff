package moodledb

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/moodledb/dialect"
	"renew_mnetkeys/rotate"
)

// Servers bounds the connections that a run over many tenants keeps open on each database server;
// servers are distinguished by [config.Config.Endpoint]. On each, one connection has the locks of
// all its tenants, on PostgreSQL one for each database and account; the other places are for
// tenants at work. It is safe for concurrent use; the caller that made it closes it, after the
// tenants that it opened.
//
// A server that cannot be reached costs its tenants one time limit together, not one for each
// tenant.
type Servers struct {
	perServer int
	sleep     func(context.Context, time.Duration) error // between two attempts to get a lock

	mu     sync.Mutex
	known  map[endpoint]*dbServer
	closed bool
}

// maxBulk is how many tenants of one server store certificates of many peers at the same time: half
// a megabyte each, and as much of undo. More of them hinder each other in the server's log; seven
// at once need a fourth longer than three.
const maxBulk = 3

// endpoint has the dialect, so that a tenant whose dbtype is wrong, and to which the server does not
// answer, keeps no others from it.
type endpoint struct {
	dialect          dialect.Dialect
	network, address string
}

// dbServer is one database server as this run sees it.
type dbServer struct {
	reach  reach
	places chan struct{}           // one element per tenant at work
	bulk   chan struct{}           // one element per StorePeerKeys at work
	turn   chan struct{}           // one element: locks is in use; a channel, so that waiting ends with its context
	locks  map[string]*lockSession // by ArrayLock.place; none before the first lock, after the last one, and after its connection was lost
}

var errServersClosed = errors.New("the run's database connections are closed already")

// NewServers allows perServer connections on each server. There are at least two: one for locks,
// one for work.
func NewServers(perServer int) *Servers {
	return &Servers{perServer: max(2, perServer), sleep: rotate.Sleep, known: map[endpoint]*dbServer{}}
}

func (s *Servers) of(c *config.Config) (*dbServer, error) {
	network, address, err := c.Endpoint()
	if err != nil {
		return nil, err
	}
	spoken, err := c.Dialect()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errServersClosed
	}
	at := endpoint{spoken, network, address}
	if s.known[at] == nil {
		s.known[at] = &dbServer{places: make(chan struct{}, s.perServer-1), bulk: make(chan struct{}, maxBulk), turn: make(chan struct{}, 1), locks: map[string]*lockSession{}}
	}
	return s.known[at], nil
}

// Open is [Open] with a single connection, after waiting for a place on the tenant's server.
// [Tenant.Close] gives the place back. [Tenant.Lock] would keep that one connection for itself: the
// lock for such a tenant is [Servers.Lock].
func (s *Servers) Open(ctx context.Context, c *config.Config) (*Tenant, error) {
	server, err := s.of(c)
	if err != nil {
		return nil, err
	}
	seen, err := server.reach.ask(c)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case server.places <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for other tenants, which use all --db-connections to the server: %w", ctx.Err())
	}
	leave := sync.OnceFunc(func() { <-server.places })
	var t *Tenant
	err = server.reach.try(c, seen, func() (err error) {
		t, err = Open(ctx, c)
		return err
	})
	if err != nil {
		leave()
		return nil, err
	}
	t.db.SetMaxOpenConns(1)
	t.leave, t.bulk = leave, server.bulk
	return t, nil
}

// Close ends the connections that have locks, and thereby the remaining locks.
func (s *Servers) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	var errs []error
	for _, server := range s.known {
		server.turn <- struct{}{} // a statement on it has its own time limit
		for _, session := range server.locks {
			errs = append(errs, session.close())
		}
		clear(server.locks)
		<-server.turn
	}
	return errors.Join(errs...)
}
