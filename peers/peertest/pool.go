package peertest

import (
	"context"
	"net"
	"sync"
)

// Pool is a number of workers that sites share, as the virtual hosts of one PHP-FPM pool do. A
// request waits for a worker and keeps it until it is answered, including its call-backs to other
// sites.
type Pool struct {
	workers chan struct{}
	prefork bool
}

// NewPool makes a pool of n workers, each occupied for the time of one request.
func NewPool(n int) *Pool { return &Pool{workers: make(chan struct{}, n)} }

// NewPreforkPool makes a pool of n workers, each occupied as long as a connection is open, as in
// Apache's prefork module with mod_php.
func NewPreforkPool(n int) *Pool { return &Pool{workers: make(chan struct{}, n), prefork: true} }

// work waits for a worker for a request; done frees it.
func (p *Pool) work(ctx context.Context) (done func(), err error) {
	if p == nil || p.prefork {
		return func() {}, nil
	}
	select {
	case p.workers <- struct{}{}:
		return func() { <-p.workers }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// listen makes connections wait for a worker if the pool gives its workers to connections.
func (p *Pool) listen(l net.Listener) net.Listener {
	if p == nil || !p.prefork {
		return l
	}
	return &preforkListener{Listener: l, pool: p, closed: make(chan struct{})}
}

type preforkListener struct {
	net.Listener
	pool   *Pool
	once   sync.Once
	closed chan struct{}
}

// Accept leaves further connections in the kernel's queue as long as no worker is free.
func (l *preforkListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	select {
	case l.pool.workers <- struct{}{}:
		return &preforkConn{Conn: conn, free: func() { <-l.pool.workers }}, nil
	case <-l.closed:
		_ = conn.Close()
		return nil, net.ErrClosed
	}
}

func (l *preforkListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type preforkConn struct {
	net.Conn
	once sync.Once
	free func()
}

func (c *preforkConn) Close() error {
	defer c.once.Do(c.free)
	return c.Conn.Close()
}
