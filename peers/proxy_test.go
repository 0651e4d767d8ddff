package peers_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"renew_mnetkeys/peers"
	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

const proxyPassword = "p4ss:w/rd"

// aProxy is an HTTP proxy with an account, which leads every request to one site and notes the
// first lines.
type aProxy struct {
	listener net.Listener
	site     string

	mu    sync.Mutex
	lines []string
}

func newProxy(t *testing.T, serve func(*aProxy, net.Conn), site *peertest.Site) *aProxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &aProxy{listener: listener, site: site.Addr()}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { defer conn.Close(); serve(p, conn) }()
		}
	}()
	return p
}

func (p *aProxy) note(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = append(p.lines, line)
}

// used are the first lines of the requests so far.
func (p *aProxy) used() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

func (p *aProxy) settings() *rotate.Proxy {
	host, port, _ := net.SplitHostPort(p.listener.Addr().String())
	return &rotate.Proxy{Kind: rotate.ProxyHTTP, Host: host, Port: port, User: "moodle", Password: proxyPassword}
}

func (p *aProxy) pipe(from io.Reader, conn net.Conn) {
	site, err := net.Dial("tcp", p.site)
	if err != nil {
		return
	}
	defer site.Close()
	go func() { _, _ = io.Copy(site, from) }()
	_, _ = io.Copy(conn, site)
}

func serveHTTP(p *aProxy, conn net.Conn) {
	from := bufio.NewReader(conn)
	r, err := http.ReadRequest(from)
	if err != nil {
		return
	}
	p.note(r.Method + " " + r.RequestURI)
	account := &http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}
	if user, password, _ := account.BasicAuth(); user != "moodle" || password != proxyPassword {
		_, _ = io.WriteString(conn, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
		return
	}
	if r.Method == http.MethodConnect {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n")
		p.pipe(from, conn)
		return
	}
	site, err := net.Dial("tcp", p.site)
	if err != nil {
		return
	}
	defer site.Close()
	r.Header.Del("Proxy-Authorization")
	_ = r.Write(site)
	_, _ = io.Copy(conn, site)
}

// serveSOCKS is a SOCKS5 proxy with an account (RFC 1928, RFC 1929).
func serveSOCKS(p *aProxy, conn net.Conn) {
	from := bufio.NewReader(conn)
	read := func(n int) []byte {
		b := make([]byte, n)
		_, _ = io.ReadFull(from, b)
		return b
	}
	read(int(read(2)[1]))
	_, _ = conn.Write([]byte{5, 2})
	user := read(int(read(2)[1]))
	password := read(int(read(1)[0]))
	if string(user) != "moodle" || string(password) != proxyPassword {
		_, _ = conn.Write([]byte{1, 1})
		return
	}
	_, _ = conn.Write([]byte{1, 0})
	switch head := read(4); head[3] {
	case 1:
		ip, _ := netip.AddrFromSlice(read(4))
		p.note("SOCKS " + ip.String())
	case 3:
		p.note("SOCKS " + string(read(int(read(1)[0]))))
	}
	read(2)
	_, _ = conn.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	p.pipe(from, conn)
}

// walled is a client on a machine that reaches only the proxy.
func walled(t *testing.T, p *aProxy) *peers.Client {
	return client(t, quick(func(o *peers.Options) {
		o.Retries = -1
		o.Resolve = func(_ context.Context, host string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("192.0.2.7")}, nil
		}
		o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr != p.listener.Addr().String() {
				return nil, &net.OpError{Op: "dial", Err: errors.New("not allowed to leave")}
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		}
	}))
}

func TestAKeyswapGoesThroughTheProxyAndASealedCallDoesNot(t *testing.T) {
	for name, c := range map[string]struct {
		options peertest.Options
		serve   func(*aProxy, net.Conn)
		kind    string
		line    string
	}{
		"HTTP proxy, http":    {options: peertest.Options{Wwwroot: "http://peer.example/moodle"}, serve: serveHTTP, kind: rotate.ProxyHTTP, line: "POST http://peer.example/moodle/mnet/xmlrpc/server.php"},
		"HTTP proxy, https":   {options: peertest.Options{Wwwroot: "https://peer.example", TLS: selfSigned(t)}, serve: serveHTTP, kind: rotate.ProxyHTTP, line: "CONNECT peer.example:443"},
		"SOCKS5 proxy, http":  {options: peertest.Options{Wwwroot: "http://peer.example"}, serve: serveSOCKS, kind: rotate.ProxySOCKS5, line: "SOCKS 192.0.2.7"},
		"SOCKS5, its names":   {options: peertest.Options{Wwwroot: "http://peer.example"}, serve: serveSOCKS, kind: rotate.ProxySOCKS5H, line: "SOCKS peer.example"},
		"SOCKS5 proxy, https": {options: peertest.Options{Wwwroot: "https://peer.example", TLS: selfSigned(t)}, serve: serveSOCKS, kind: rotate.ProxySOCKS5, line: "SOCKS 192.0.2.7"},
	} {
		t.Run(name, func(t *testing.T) {
			own, peer := peertest.Run(t, peertest.Options{}), peertest.Run(t, c.options)
			introduce(t, own, peer)
			proxy := newProxy(t, c.serve, peer)
			id := identity(t, own)
			id.Proxy = proxy.settings()
			id.Proxy.Kind = c.kind

			push := walled(t, proxy).Push(t.Context(), id, row(peer))
			if push.Failure != nil || push.PeerCertificate == nil || proxy.used() != c.line {
				t.Fatalf("the keyswap ended with %v, by %q; want %q", push.Failure, proxy.used(), c.line)
			}
			for _, proof := range []rotate.Proof{
				walled(t, proxy).Prove(t.Context(), id, row(peer), push.PeerCertificate, true),
				walled(t, proxy).Prove(t.Context(), id, row(peer), nil, true),
			} {
				f := proof.Failure
				if f == nil || f.Reason != rotate.ReasonConnect || !f.Pending || f.Next != rotate.NextBehindProxy {
					t.Errorf("the sealed call ended with %v (next %q), want connect and that Moodle's own fail as well", f, f.Next)
				}
			}
			for _, sent := range peer.Requests() {
				if sent.Sealed {
					t.Error("a sealed call went through the proxy")
				}
			}
		})
	}
}

func TestAPeerThatIsDownIsNotExplainedByTheProxy(t *testing.T) {
	own, peer := peertest.Run(t, peertest.Options{}), peertest.Run(t, peertest.Options{Wwwroot: "http://peer.example"})
	introduce(t, own, peer)
	proxy := newProxy(t, serveHTTP, peer)
	id := identity(t, own)
	id.Proxy = proxy.settings()
	peer.Misbehave(peertest.Drop)
	if f := walled(t, proxy).Prove(t.Context(), id, row(peer), nil, true).Failure; f == nil || f.Next != "" {
		t.Errorf("it ended with %v, and the next step names the proxy", f)
	}
}

func TestAProxyThatRefusesShowsNoPassword(t *testing.T) {
	for name, c := range map[string]struct {
		options peertest.Options
		serve   func(*aProxy, net.Conn)
		kind    string
		reason  rotate.Reason
	}{
		"http":   {peertest.Options{Wwwroot: "http://peer.example"}, serveHTTP, rotate.ProxyHTTP, "http_407"},
		"https":  {peertest.Options{Wwwroot: "https://peer.example", TLS: selfSigned(t)}, serveHTTP, rotate.ProxyHTTP, "http_407"},
		"SOCKS5": {peertest.Options{Wwwroot: "http://peer.example"}, serveSOCKS, rotate.ProxySOCKS5, rotate.ReasonConnect},
	} {
		t.Run(name, func(t *testing.T) {
			own, peer := peertest.Run(t, peertest.Options{}), peertest.Run(t, c.options)
			introduce(t, own, peer)
			proxy := newProxy(t, c.serve, peer)
			id := identity(t, own)
			id.Proxy = proxy.settings()
			id.Proxy.Password, id.Proxy.Kind = "another secret", c.kind
			f := walled(t, proxy).Push(t.Context(), id, row(peer)).Failure
			if f == nil || f.Reason != c.reason {
				t.Fatalf("it ended with %v, want %s", f, c.reason)
			}
			if all := fmt.Sprintf("%v %+v %v", f, f.Err, id.Proxy); strings.Contains(all, "another secret") {
				t.Errorf("the password is shown: %s", all)
			}
			if len(peer.Requests()) > 0 {
				t.Error("the peer was reached")
			}
		})
	}
}

// The proxy's own failure says nothing about the peer: the sealed call is not held back by it.
func TestAProxyThatIsDownLeavesTheSealedCallAlone(t *testing.T) {
	own, peer := peertest.Run(t, peertest.Options{}), peertest.Run(t, peertest.Options{})
	introduce(t, own, peer)
	id := identity(t, own)
	id.Proxy = &rotate.Proxy{Host: "127.0.0.1", Port: "1"}
	c := client(t, quick())
	if f := c.Push(t.Context(), id, row(peer)).Failure; f == nil || f.Reason != rotate.ReasonConnect {
		t.Errorf("the keyswap ended with %v, want connect", f)
	}
	if f := c.Prove(t.Context(), id, row(peer), nil, true).Failure; f != nil {
		t.Errorf("the sealed call ended with %v", f)
	}
}

func TestAnExceptionGoesPastTheProxy(t *testing.T) {
	own, peer := peertest.Run(t, peertest.Options{}), peertest.Run(t, peertest.Options{})
	introduce(t, own, peer)
	proxy := newProxy(t, serveHTTP, peer)
	id := identity(t, own)
	id.Proxy = proxy.settings()
	id.Proxy.Bypass = "localhost, 127.0."
	if f := client(t, quick()).Push(t.Context(), id, row(peer)).Failure; f != nil || proxy.used() != "" {
		t.Errorf("it ended with %v, by way of %q", f, proxy.used())
	}
}

// selfSigned is a server's configuration of TLS that nobody verifies.
func selfSigned(t *testing.T) *tls.Config {
	t.Helper()
	return newAuthority(t).issue(t, "peer.example", "", true)
}

// Moodle leaves schemes of $CFG->proxyhost to curl. Those that are spoken otherwise must not get the
// account.
func TestAProxyOfAnotherKindGetsNothing(t *testing.T) {
	for _, kind := range []string{"https", "socks4", "socks", "ftp"} {
		own, peer := peertest.Run(t, peertest.Options{}), peertest.Run(t, peertest.Options{Wwwroot: "http://peer.example"})
		got := make(chan int, 1)
		proxy := newProxy(t, func(_ *aProxy, conn net.Conn) {
			n, _ := conn.Read(make([]byte, 1))
			got <- n
		}, peer)
		id := identity(t, own)
		id.Proxy = proxy.settings()
		id.Proxy.Kind = kind
		f := walled(t, proxy).Push(t.Context(), id, row(peer)).Failure
		if f == nil || f.Pending || f.Next != rotate.NextOtherProxy {
			t.Errorf("%s: the keyswap ended with %v", kind, f)
		}
		if n := <-got; n > 0 {
			t.Errorf("%s: the proxy got something", kind)
		}
	}
}
