package peers

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"time"

	"golang.org/x/net/proxy"

	"renew_mnetkeys/rotate"
)

// forKeyswap is the target of a keyswap: by way of the site's proxy, if Moodle sends it there. A
// node is named to be reached directly.
func (t target) forKeyswap(p *rotate.Proxy, peer rotate.Peer) target {
	if peer.Node != "" || !p.Serves(peer.Wwwroot) {
		return t
	}
	return t.through(p)
}

// pass makes a connection to the proxy one to the target. An HTTP proxy gets the requests for http
// themselves (CURLOPT_HTTPPROXYTUNNEL is false in mnet/lib.php), and CONNECT for https.
func (c *Client) pass(ctx context.Context, conn net.Conn, t target) (net.Conn, *rotate.Failure) {
	switch {
	case t.proxy == nil:
		return conn, nil
	case t.proxy.Kind == rotate.ProxySOCKS5, t.proxy.Kind == rotate.ProxySOCKS5H:
		return c.passSOCKS(ctx, conn, t)
	case t.proxy.Kind != rotate.ProxyHTTP: // it must not get the account, nor the request, in plain text
		f := failed(rotate.ReasonConnect, nil, "the proxy of $CFG->proxyhost is neither an HTTP nor a SOCKS5 proxy: other kinds are not supported")
		f.Pending, f.Next = false, rotate.NextOtherProxy
		return nil, f
	case t.url.Scheme == "https":
		return conn, connectThrough(ctx, conn, t)
	}
	return conn, nil
}

// passSOCKS asks a SOCKS5 proxy (RFC 1928), which looks up the name if it is of the kind for that.
func (c *Client) passSOCKS(ctx context.Context, conn net.Conn, t target) (net.Conn, *rotate.Failure) {
	host := t.url.Hostname()
	if t.proxy.Kind == rotate.ProxySOCKS5 {
		addrs, f := c.names.lookup(ctx, host)
		if f != nil {
			return nil, f
		}
		host = addrs[0].String()
	}
	var auth *proxy.Auth
	if t.proxy.User != "" {
		auth = &proxy.Auth{User: t.proxy.User, Password: t.proxy.Password}
	}
	dialer, err := proxy.SOCKS5("tcp", t.dialTo, auth, opened{conn})
	if err == nil {
		conn, err = dialer.(proxy.ContextDialer).DialContext(ctx, "tcp", net.JoinHostPort(host, t.port()))
	}
	if err != nil {
		return nil, networkFailure(ctx, err, "SOCKS5 proxy")
	}
	return conn, nil
}

// opened is a dialer whose connection exists already.
type opened struct{ net.Conn }

// Dial implements proxy.Dialer.
func (o opened) Dial(string, string) (net.Conn, error) { return o.Conn, nil }

// DialContext implements proxy.ContextDialer.
func (o opened) DialContext(context.Context, string, string) (net.Conn, error) { return o.Conn, nil }

// connectThrough asks an HTTP proxy for a tunnel (RFC 9110 §9.3.6).
func connectThrough(ctx context.Context, conn net.Conn, t target) *rotate.Failure {
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	to := net.JoinHostPort(t.url.Hostname(), t.port())
	r := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: to}, Host: to, Header: http.Header{"User-Agent": {"Moodle"}}}
	t.authorize(r)
	if err := r.Write(conn); err != nil {
		return networkFailure(ctx, err, "send to the proxy")
	}
	switch status, err := readStatus(conn); {
	case err != nil:
		return networkFailure(ctx, err, "answer of the proxy")
	case status/100 != 2:
		return failed(rotate.HTTPReason(status), nil, "the proxy of $CFG->proxyhost answered: %s", http.StatusText(status))
	}
	return nil
}

// readStatus reads the head of an answer. The server of a TLS connection waits for the client, so
// nothing that belongs to the tunnel is read.
func readStatus(from io.Reader) (status int, err error) {
	head := textproto.NewReader(bufio.NewReader(io.LimitReader(from, headLimit)))
	line, err := head.ReadLine()
	if err != nil {
		return 0, err
	}
	var minor int
	if n, _ := fmt.Sscanf(line, "HTTP/1.%d %d", &minor, &status); n != 2 || status < 100 || status > 599 {
		return 0, errors.New("not HTTP")
	}
	_, err = head.ReadMIMEHeader()
	return status, err
}

// authorize adds the account at an HTTP proxy. Of the two schemes that Moodle offers it is Basic:
// NTLM is not supported.
func (t target) authorize(r *http.Request) {
	if t.proxy != nil && t.proxy.User != "" {
		r.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(t.proxy.User+":"+t.proxy.Password)))
	}
}

// byProxy says whether the requests themselves go to an HTTP proxy.
func (t target) byProxy() bool {
	return t.proxy != nil && t.proxy.Kind == rotate.ProxyHTTP && t.url.Scheme == "http"
}

// behindProxy explains a peer that did not answer a sealed call, although it is up: it has just
// answered a keyswap through the proxy, or shows its certificate there. Moodle cannot call it
// either.
func (w *proving) behindProxy(ctx context.Context, f *rotate.Failure) {
	if f == nil || !f.Reason.Row().Unanswered || f.Reason == rotate.ReasonInterrupted || w.toLocalSite() || !w.own.Proxy.Serves(w.peer.Wwwroot) {
		return
	}
	if w.answered == nil {
		page, failure := targetOf(w.peer, "/mnet/publickey.php")
		if failure != nil {
			return
		}
		if _, _, failure = w.c.shownAt(ctx, page.forKeyswap(w.own.Proxy, w.peer), w.peer); failure != nil {
			return
		}
	}
	f.Detail, f.Next = clean("it answers through the proxy of $CFG->proxyhost, but not directly: "+f.Detail, detailLimit), rotate.NextBehindProxy
}
