package peers_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"renew_mnetkeys/peers"
	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

// counted is a server that counts its calls.
func counted(t *testing.T, answer http.HandlerFunc) (server *httptest.Server, calls *atomic.Int32) {
	t.Helper()
	calls = &atomic.Int32{}
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	return server, calls
}

func nothing(http.ResponseWriter, *http.Request) {}

func TestARedirectLeadsNowhere(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		inside, reached := counted(t, nothing)
		outside, called := counted(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, inside.URL+"/admin", status) })
		who := identity(t, peertest.Run(t, peertest.Options{}))
		to := rotate.Peer{Wwwroot: outside.URL, Application: "moodle", Certificate: who.Key.Certificate.PEM}
		c := client(t, quick())
		c.Push(t.Context(), who, to)
		c.Prove(t.Context(), who, to, nil, true)
		if reached.Load() != 0 || called.Load() == 0 {
			t.Errorf("%d: the address it names was called %d times, it itself %d times", status, reached.Load(), called.Load())
		}
	}
}

// The name is not one of this machine, because proxies are never used for those.
func TestNoCallGoesThroughAProxy(t *testing.T) {
	proxy, reached := counted(t, nothing)
	peer, called := counted(t, nothing)
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"} {
		t.Setenv(name, proxy.URL)
	}
	t.Setenv("NO_PROXY", "")
	t.Setenv("no_proxy", "")
	c := client(t, quick(func(o *peers.Options) {
		o.Resolve = func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		}
	}))
	_, port, err := net.SplitHostPort(strings.TrimPrefix(peer.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	c.Push(t.Context(), identity(t, peertest.Run(t, peertest.Options{})), rotate.Peer{Wwwroot: "http://peer.example:" + port, Application: "moodle"})
	if reached.Load() != 0 || called.Load() == 0 {
		t.Errorf("the proxy was called %d times, the peer %d times", reached.Load(), called.Load())
	}
}

// Each of twenty pieces arrives in time, but the last a minute after the first.
func TestAnAnswerThatComesInPiecesIsEnded(t *testing.T) {
	own, peer := peertest.Run(t, peertest.Options{}), peertest.Run(t, peertest.Options{})
	introduce(t, own, peer)
	peer.Misbehave(peertest.Drip(time.Minute))
	started := time.Now()
	got := client(t, quick(func(o *peers.Options) { o.Timeout, o.Retries = 4*time.Second, -1 })).Push(t.Context(), identity(t, own), row(peer))
	if took := time.Since(started); reason(got.Failure) != "timeout" || took > 30*time.Second {
		t.Errorf("after %v: %v", took, got.Failure)
	}
}

func TestARowThatVerifiesNothingIsWarnedOf(t *testing.T) {
	for _, c := range []struct {
		wwwroot      string
		verification int
		warned       bool
	}{{"https://127.0.0.1:1", 0, true}, {"https://127.0.0.1:1", 1, false}, {"https://127.0.0.1:1", 2, false}, {"http://127.0.0.1:1", 0, false}} {
		var log strings.Builder
		network := client(t, quick(func(o *peers.Options) { o.Log, o.Retries = zerolog.New(&log).Level(zerolog.WarnLevel), -1 }))
		network.Push(t.Context(), identity(t, peertest.Run(t, peertest.Options{})), rotate.Peer{Wwwroot: c.wwwroot, SSLVerification: c.verification})
		if warned := strings.Contains(log.String(), "TLS certificate not verified"); warned != c.warned {
			t.Errorf("%+v: %q", c, log.String())
		}
	}
}
