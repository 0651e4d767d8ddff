package peertest

import (
	"context"
	"crypto/tls"
	"io"
	"net"
)

// faultyListener gives each connection the faults that it meets, and commits those that need no
// request.
type faultyListener struct {
	net.Listener
	site  *Site
	nodes []int // connections go to these in turn

	accepted int
}

// conn is a connection and the exchange that it became.
type conn struct {
	net.Conn
	exchange *Exchange
	node     int
}

func (l *faultyListener) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{accepted, l.site.meet(), l.nodes[l.accepted%len(l.nodes)]}
		l.accepted++
		switch met := faultSet(c.exchange.Faults); {
		case met.has(Unaccepted):
			go l.site.leave(c)
		case met.has(ResetAtOnce):
			reset(c)
		default:
			return c, nil
		}
	}
}

// leave sends nothing to a connected client until the client or the site closes.
func (s *Site) leave(c net.Conn) {
	stop := make(chan struct{})
	go func() {
		select {
		case <-s.closed:
		case <-stop:
		}
		_ = c.Close()
	}()
	_, _ = io.Copy(io.Discard, c)
	close(stop)
}

// reset ends a connection with RST instead of FIN.
func reset(c net.Conn) {
	if t := tcp(c); t != nil {
		_ = t.SetLinger(0)
	}
	_ = c.Close()
}

// tcp is the TCP connection below TLS and below the types of this package.
func tcp(c net.Conn) *net.TCPConn {
	switch below := c.(type) {
	case *net.TCPConn:
		return below
	case *tls.Conn:
		return tcp(below.NetConn())
	case *conn:
		return tcp(below.Conn)
	case *preforkConn:
		return tcp(below.Conn)
	}
	return nil
}

type connKey struct{}

// remember is the http.Server.ConnContext from which a request learns its connection.
func remember(ctx context.Context, c net.Conn) context.Context {
	if secured, ok := c.(*tls.Conn); ok {
		c = secured.NetConn()
	}
	return context.WithValue(ctx, connKey{}, c)
}
