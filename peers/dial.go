package peers

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"renew_mnetkeys/rotate"
)

// connect opens a connection to the first address of the target that accepts one, including TLS.
// The context must have a deadline. Each address gets its share of the time left, so that an
// address that swallows packets leaves time for the next.
func (c *Client) connect(ctx context.Context, t target, addrs []netip.Addr) (net.Conn, *rotate.Failure) {
	var conn net.Conn
	var err error
	noRoute := true
	for i, addr := range addrs {
		conn, err = c.dialOne(ctx, net.JoinHostPort(addr.String(), t.dialTo), len(addrs)-i)
		if err == nil || ctx.Err() != nil {
			break
		}
		noRoute = noRoute && unrouted(err)
	}
	if err != nil {
		f := networkFailure(ctx, err, "connect")
		f.NoRoute = noRoute && f.Reason == rotate.ReasonConnect
		f.Refused = f.Reason == rotate.ReasonConnect && errors.Is(err, syscall.ECONNREFUSED)
		return nil, f
	}
	passed, f := c.pass(ctx, conn, t)
	if f != nil {
		_ = conn.Close()
		return nil, f
	}
	if conn = passed; t.url.Scheme == "http" {
		return conn, nil
	}
	secured := tls.Client(conn, c.tlsConfig(t))
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, handshakeFailure(ctx, err)
	}
	return secured, nil
}

// dialOne dials one address within 1/share of the time left.
func (c *Client) dialOne(ctx context.Context, addr string, share int) (net.Conn, error) {
	if deadline, ok := ctx.Deadline(); ok && share > 1 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(share))
		defer cancel()
	}
	return c.o.Dial(ctx, "tcp", addr)
}

// unrouted says whether this machine itself sent nothing. EHOSTUNREACH, "no route to host", is not
// among these errors: Linux also returns it for a neighbour that does not answer, and that may be a
// node which will be back.
func unrouted(err error) bool {
	return errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL)
}

// networkFailure classifies what went wrong below HTTP in the operation op.
func networkFailure(ctx context.Context, err error, op string) *rotate.Failure {
	var waited net.Error
	var named *net.OpError // its text names the operation itself
	switch {
	case ctx.Err() != nil || errors.As(err, &waited) && waited.Timeout():
		return failed(rotate.ReasonTimeout, err, "no answer in time (%s)", op)
	case errors.As(err, &named):
		return failed(rotate.ReasonConnect, err, "%v", named)
	}
	return failed(rotate.ReasonConnect, err, "%s: %v", op, err)
}

// Reachable connects by TCP, and for https by TLS as the peer's row demands, and sends nothing.
func (c *Client) Reachable(ctx context.Context, p rotate.Peer) *rotate.Failure {
	t, f := targetOf(p, "")
	if f != nil {
		return f
	}
	t.peer = p.Wwwroot
	_, _, f = c.retry(ctx, t, func(ctx context.Context) (*answer, *rotate.Failure) {
		return nil, c.within(ctx, t, func(ctx context.Context, addrs []netip.Addr) *rotate.Failure {
			conn, f := c.connect(ctx, t, addrs)
			if f == nil {
				_ = conn.Close()
			}
			return f
		})
	})
	return f
}
