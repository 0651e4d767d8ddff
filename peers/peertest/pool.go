package peertest

import (
	"context"
	"net"
	"sync"
)

// Pool is a number of workers that sites share, as the virtual hosts of one PHP-FPM pool do. A
// request waits for a worker and holds it until it is answered, calls back to other sites included.
type Pool struct {
	workers chan struct{}
	prefork bool
}

// NewPool makes a pool of n workers, each held for one request.
func NewPool(n int) *Pool { return &Pool{workers: make(chan struct{}, n)} }

// NewPreforkPool makes a pool of n workers, each held for as long as a connection is open, as
// Apache's prefork module with mod_php does.
func NewPreforkPool(n int) *Pool { return &Pool{workers: make(chan struct{}, n), prefork: true} }

// work waits for a worker for a request; done gives it back.
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

// listen makes connections wait for a worker where the pool is one of connections.
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

// Accept leaves further connections in the kernel's queue while there is no worker.
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
