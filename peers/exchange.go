package peers

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/rotate"
)

// headLimit bounds the status line and the header fields of an answer, in bytes, on top of
// envelope.MaxSize for the body.
const headLimit = 64 << 10

// answer is a whole HTTP answer.
type answer struct {
	status int
	header http.Header
	body   []byte // at most envelope.MaxSize bytes
}

// within runs do inside the limits: it waits for a place for the peer's address and one of all
// places, and Options.Timeout starts after that. Then it asks the breaker again, because other
// calls may have found an outage while this one waited.
func (c *Client) within(ctx context.Context, t target, do func(context.Context, []netip.Addr) *rotate.Failure) *rotate.Failure {
	if f := c.breaker.failure(t); f != nil {
		return f
	}
	addrs, f := c.names.lookup(ctx, t.dialHost)
	if f != nil {
		return f
	}
	// A host with several addresses counts under its first address, which is dialled unless it is
	// down. Behind a proxy it counts under its name: the proxy serves many.
	place := addrs[0].String()
	if t.proxy != nil {
		place = t.url.Hostname()
	}
	release, err := c.limits.acquire(ctx, place)
	if err != nil {
		return failed(rotate.ReasonInterrupted, err, "interrupted while it waited for its turn")
	}
	defer release()
	if f := c.breaker.failure(t); f != nil {
		return f
	}
	inTime, cancel := context.WithTimeoutCause(ctx, c.o.Timeout, errTimeLimit)
	defer cancel()
	return orInterrupted(ctx, inTime, do(inTime, addrs))
}

// errTimeLimit is why an exchange is ended that took longer than Options.Timeout.
var errTimeLimit = errors.New("no answer in time")

// orInterrupted returns f, or an interruption if the caller's context ended before anything else
// ended the exchange. inTime is the context of the exchange, derived from the caller's.
func orInterrupted(caller, inTime context.Context, f *rotate.Failure) *rotate.Failure {
	if f == nil || !f.Reason.Row().Unanswered || errors.Is(context.Cause(inTime), errTimeLimit) || !over(caller) {
		return f
	}
	return failed(rotate.ReasonInterrupted, whyOver(caller), "interrupted before an answer came")
}

// exchange sends one HTTP request, once, and reads the whole answer.
func (c *Client) exchange(ctx context.Context, t target, method string, body []byte) (a *answer, f *rotate.Failure) {
	started := c.o.Now()
	f = c.within(ctx, t, func(ctx context.Context, addrs []netip.Addr) *rotate.Failure {
		conn, f := c.connect(ctx, t, addrs)
		if f != nil {
			return f
		}
		defer func() { _ = conn.Close() }()
		a, f = roundTrip(ctx, conn, newRequest(ctx, t, method, body))
		return f
	})
	event := c.o.Log.Debug().Str("url", t.url.Redacted()).Str("method", method).Stringer("took", c.o.Now().Sub(started).Round(100*time.Microsecond))
	if t.node != "" {
		event.Str("node", t.node)
	}
	if f != nil {
		event.Str("reason", string(f.Reason)).Str("detail", f.Detail).Msg("exchange failed")
		return nil, f
	}
	event.Int("status", a.status).Int("bytes", len(a.body)).Msg("exchange")
	return a, nil
}

// newRequest makes a request as Moodle's client does (User-Agent, Content-Type). It asks for no
// compression, and it asks the server to close the connection afterwards.
func newRequest(ctx context.Context, t target, method string, body []byte) *http.Request {
	r := (&http.Request{
		Method: method,
		URL:    t.url,
		Host:   t.url.Host,
		Header: http.Header{"User-Agent": {"Moodle"}, "Accept": {"*/*"}},
		Close:  true,
	}).WithContext(ctx)
	if body != nil {
		r.Header.Set("Content-Type", "text/xml")
		r.Body = io.NopCloser(bytes.NewReader(body))
		r.ContentLength = int64(len(body))
	}
	if t.byProxy() { // the request line has the whole address (RFC 9112 §3.2.2)
		r.URL = &url.URL{Opaque: t.url.String()}
		t.authorize(r)
	}
	return r
}

// roundTrip writes the request and reads the answer on a connection of its own, which the caller
// closes.
//
// It uses no http.Transport, because too much of it would have to be switched off: a kept-alive
// connection occupies a worker of a preforking web server as long as a call does, outside the limit
// per address that protects PHP pools; redirects, proxies of the environment, compression and
// HTTP/2 would have to be off as well. Only the proxy of the site's own settings is used, and not
// for sealed calls: Moodle's use none (mnet/xmlrpc/client.php), so a proof through a proxy would
// prove a path that Moodle does not take.
func roundTrip(ctx context.Context, conn net.Conn, r *http.Request) (*answer, *rotate.Failure) {
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	// A server may answer (503, 413) and close without having read the request: its answer counts.
	sent := r.Write(conn)
	limited := &io.LimitedReader{R: conn, N: envelope.MaxSize + headLimit}
	response, err := readResponse(bufio.NewReader(limited), r)
	if err == nil {
		defer func() { _ = response.Body.Close() }()
		a := &answer{status: response.StatusCode, header: response.Header}
		a.body, err = io.ReadAll(io.LimitReader(response.Body, envelope.MaxSize+1))
		if err == nil && len(a.body) <= envelope.MaxSize {
			return a, nil
		}
	}
	var broken *net.OpError
	switch {
	case limited.N <= 0 || err == nil:
		return nil, failed(rotate.ReasonTooLarge, nil, "answered more than %d bytes", envelope.MaxSize)
	case ctx.Err() == nil && sent != nil:
		return nil, networkFailure(ctx, sent, "send")
	case ctx.Err() != nil || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.As(err, &broken):
		return nil, networkFailure(ctx, err, "read the answer")
	}
	return nil, failed(rotate.ReasonNotXMLRPC, err, "answered something that is not HTTP")
}

// readResponse skips the informational answers (1xx) that may precede the real one.
func readResponse(from *bufio.Reader, r *http.Request) (*http.Response, error) {
	for {
		response, err := http.ReadResponse(from, r)
		if err != nil || response.StatusCode >= 200 {
			return response, err
		}
	}
}
