package peertest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

// FullQueue listens on a port of 127.0.0.1 and never accepts; its queue is full, so a connection is
// not even established. The caller ends it. Linux leaves such a connection to its time-out; if a
// kernel does otherwise, that is an error.
func FullQueue(ctx context.Context) (addr string, end func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("full queue: %w", err)
	}
	held := []interface{ Close() error }{listener}
	end = func() {
		for _, h := range held {
			_ = h.Close()
		}
	}
	raw, err := listener.(*net.TCPListener).SyscallConn()
	if err == nil {
		err = errors.Join(raw.Control(func(fd uintptr) { err = syscall.Listen(int(fd), 0) }), err) // again, with a queue of one
	}
	const most, wait = 16, 150 * time.Millisecond
	for len(held) < most && err == nil {
		dialer := net.Dialer{Timeout: wait}
		c, failed := dialer.DialContext(ctx, "tcp", listener.Addr().String())
		if failed != nil {
			var late net.Error
			if errors.As(failed, &late) && late.Timeout() {
				return listener.Addr().String(), end, nil
			}
			err = failed
			break
		}
		held = append(held, c)
	}
	end()
	return "", nil, fmt.Errorf("full queue: %d connections did not fill it (%w)", len(held)-1, err)
}
