package peers_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/peers"
	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

// pushCase is a peer, how it misbehaves, and how a forced keyswap with it must end.
type pushCase struct {
	name   string
	peer   peertest.Options
	faults []peertest.Fault
	row    func(*rotate.Peer)     // changes what our row says of the peer
	own    func(*rotate.Identity) // changes our identity
	reason string                 // "" if it answers its certificate
	detail string                 // part of the detail
	stored bool                   // it has our new certificate afterwards
}

func TestPushClassifiesWhatMNetAnswers(t *testing.T) {
	push(t, []pushCase{
		{name: "a patched Moodle stores and answers its certificate", stored: true},
		{name: "a patched Moodle 4.1 answers with raw line ends and no encoding", peer: peertest.Options{Modern: true}, stored: true},
		{name: "stock Moodle answers the same and stores nothing", peer: peertest.Options{Kind: peertest.Stock}},
		{name: "Mahara answers the same and stores nothing", peer: peertest.Options{Kind: peertest.Mahara}},
		{name: "a trailing slash makes us unknown to a patched Moodle",
			own: func(i *rotate.Identity) { i.Wwwroot += "/" }, reason: "unknown_to_peer", detail: "not one of its hosts"},
		{name: "a certificate of another name is refused by a patched Moodle",
			own:    func(i *rotate.Identity) { i.Key = peertest.NewKeyPair("http://other.example", 1024) },
			reason: "fault_0", detail: "Error writing to database"},
		{name: "a certificate of another name is refused by Moodle 4.1 with fault 17", peer: peertest.Options{Modern: true},
			own:    func(i *rotate.Identity) { i.Key = peertest.NewKeyPair("http://other.example", 1024) },
			reason: "fault_17", detail: "Internal server error"},
		{name: "Moodle with MNet off", faults: []peertest.Fault{peertest.Off}, reason: "mnet_off"},
		{name: "Mahara with networking off", peer: peertest.Options{Kind: peertest.Mahara},
			faults: []peertest.Fault{peertest.Off}, reason: "mnet_off"},
		{name: "Mahara that says so by fault 6012", peer: peertest.Options{Kind: peertest.Mahara},
			faults: []peertest.Fault{peertest.Answers(6012)}, reason: "mnet_off"},
		{name: "a dispatcher that is off", faults: []peertest.Fault{peertest.Answers(704)}, reason: "mnet_off"},
		{name: "a page that is not there is not MNet off", faults: []peertest.Fault{peertest.Status(404)},
			reason: "http_404", detail: "404 Not Found"},
		{name: "a 403 of Moodle's web server is not MNet off", faults: []peertest.Fault{peertest.Status(403)}, reason: "http_403"},
		{name: "a 403 with a page in front of Mahara is not MNet off", peer: peertest.Options{Kind: peertest.Mahara},
			faults: []peertest.Fault{peertest.Status(403)}, reason: "http_403"},
		{name: "a site in maintenance", faults: []peertest.Fault{peertest.Maintenance(300)}, reason: "http_503", detail: "maintenance"},
		{name: "an unknown virtual host", faults: []peertest.Fault{peertest.UnknownVhost},
			reason: "not_xmlrpc", detail: "unknown virtual host: VMoodling (Mysql) : No configuration for this host"},
		{name: "not encrypted, says the peer", faults: []peertest.Fault{peertest.Answers(7021)}, reason: "fault_7021"},
		{name: "no such function", faults: []peertest.Fault{peertest.Answers(7018)}, reason: "fault_7018", detail: "no such function"},
		{name: "unknown to Mahara", peer: peertest.Options{Kind: peertest.Mahara},
			faults: []peertest.Fault{peertest.Answers(6003)}, reason: "unknown_to_peer"},
		{name: "a patched Mahara whose key of us has expired", peer: peertest.Options{Kind: peertest.Mahara},
			faults: []peertest.Fault{peertest.Answers(6100)}, reason: "fault_6100", detail: "has not expired"},
	})
}

func TestPushClassifiesWhatServersAndNetworksAnswer(t *testing.T) {
	push(t, []pushCase{
		{name: "an HTML page", faults: []peertest.Fault{peertest.HTML}, reason: "not_xmlrpc", detail: "Log in to the site"},
		{name: "nothing at all", faults: []peertest.Fault{peertest.Empty}, reason: "not_xmlrpc", detail: "answered nothing"},
		{name: "a redirect is not followed", faults: []peertest.Fault{peertest.Redirect},
			reason: "http_301", detail: "redirects to http://elsewhere.example/mnet/xmlrpc/server.php"},
		{name: "a flood", faults: []peertest.Fault{peertest.Flood}, reason: "too_large"},
		{name: "a flood of header fields", faults: []peertest.Fault{peertest.FloodHeader}, reason: "too_large"},
		{name: "a gzip bomb stays packed", faults: []peertest.Fault{peertest.Gzip}, reason: "not_xmlrpc"},
		{name: "something that is not HTTP", faults: []peertest.Fault{peertest.NotHTTP}, reason: "not_xmlrpc", detail: "not HTTP"},
		{name: "a connection that is closed without an answer", faults: []peertest.Fault{peertest.Drop}, reason: "connect"},
		{name: "a connection that is closed in the middle", faults: []peertest.Fault{peertest.Truncate}, reason: "connect"},
		{name: "another site's certificate", faults: []peertest.Fault{peertest.OtherCertificate},
			reason: "bad_certificate", detail: "http://other.example"},
		{name: "garbage for a certificate", faults: []peertest.Fault{peertest.GarbageCertificate},
			reason: "bad_certificate", detail: "unreadable"},
		{name: "a host that does not exist", row: func(p *rotate.Peer) { p.Wwwroot = "http://no-such-host.invalid" }, reason: "dns"},
		{name: "a port where nobody listens", row: func(p *rotate.Peer) { p.Wwwroot = "http://127.0.0.1:1" }, reason: "connect"},
		{name: "an address that is not http", row: func(p *rotate.Peer) { p.Wwwroot = "file:///etc/passwd" },
			reason: "connect", detail: "not an http or https address"},
		{name: "plain HTTP where https should be",
			row: func(p *rotate.Peer) { p.Wwwroot = strings.Replace(p.Wwwroot, "http:", "https:", 1) }, reason: "tls"},
	})
}

func push(t *testing.T, cases []pushCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			own, peer := peertest.Run(t, peertest.Options{}), peertest.Run(t, c.peer)
			introduce(t, own, peer)
			renew(t, own, true)
			peer.Misbehave(c.faults...)
			who, to := identity(t, own), row(peer)
			if c.own != nil {
				c.own(&who)
			}
			if c.row != nil {
				c.row(&to)
			}
			got := client(t, quick()).Push(context.Background(), who, to)

			if reason(got.Failure) != c.reason {
				t.Fatalf("failure is %v, want reason %q", got.Failure, c.reason)
			}
			if (got.PeerCertificate == nil) != (got.Failure != nil) {
				t.Errorf("answered a certificate: %v; failure: %v", got.PeerCertificate != nil, got.Failure)
			}
			if got.PeerCertificate != nil && got.PeerCertificate.PEM != peer.Certificate() {
				t.Error("answered another certificate than the peer's")
			}
			if got.Failure != nil && !strings.Contains(got.Failure.Detail, c.detail) {
				t.Errorf("detail is %q, want %q in it", got.Failure.Detail, c.detail)
			}
			if got.Failure != nil && strings.Contains(got.Failure.Detail, "session") {
				t.Errorf("detail tells a query: %q", got.Failure.Detail)
			}
			if stored := peer.Held(own.Wwwroot()) == own.Certificate(); stored != c.stored {
				t.Errorf("peer stored our new certificate: %v, want %v", stored, c.stored)
			}
		})
	}
}

func TestPushReportsASilentPeerAsTimeout(t *testing.T) {
	own, peer := peertest.Run(t, peertest.Options{}), peertest.Run(t, peertest.Options{})
	introduce(t, own, peer)
	peer.Misbehave(peertest.Hang)
	c := client(t, quick(func(o *peers.Options) { o.Timeout = 50 * time.Millisecond; o.Retries = -1 }))
	got := c.Push(context.Background(), identity(t, own), row(peer))
	if reason(got.Failure) != "timeout" || !got.Failure.Pending || got.Attempts != 1 {
		t.Errorf("got %v after %d attempts, want a pending timeout after 1", got.Failure, got.Attempts)
	}
}

func TestPushEndsWithTheContext(t *testing.T) {
	own, peer := peertest.Run(t, peertest.Options{}), peertest.Run(t, peertest.Options{})
	introduce(t, own, peer)
	peer.Misbehave(peertest.Hang)
	who := identity(t, own)
	started := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	got := client(t, quick()).Push(ctx, who, row(peer))
	if reason(got.Failure) != "interrupted" || !got.Failure.Pending || got.Attempts != 1 || time.Since(started) > 20*time.Second {
		t.Errorf("got %v after %d attempts and %v, want interrupted after 1 attempt", got.Failure, got.Attempts, time.Since(started))
	}
}

func TestAnInterruptedPushSaysSo(t *testing.T) {
	own, peer := peertest.Run(t, peertest.Options{}), peertest.Run(t, peertest.Options{})
	introduce(t, own, peer)
	peer.Misbehave(peertest.Hang)
	who := identity(t, own)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	got := client(t, quick()).Push(ctx, who, row(peer))
	if reason(got.Failure) != "interrupted" || !got.Failure.Pending || !errors.Is(got.Failure, context.Canceled) {
		t.Errorf("failure is %v (%v), want interrupted", got.Failure, got.Failure.Err)
	}
}

func TestAnEmptyForbiddenIsMNetOffOfMaharaAlone(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer server.Close()
	who := identity(t, peertest.Run(t, peertest.Options{}))
	for application, want := range map[string]string{"mahara": "mnet_off", "moodle": "http_403"} {
		got := client(t, quick()).Push(t.Context(), who, rotate.Peer{Wwwroot: server.URL, Application: application})
		if reason(got.Failure) != want {
			t.Errorf("%s: failure is %v, want %s", application, got.Failure, want)
		}
	}
}

func TestKeyswapLooksLikeMoodles(t *testing.T) {
	for _, c := range []struct {
		name   string
		force  bool
		params int
	}{
		{"a forced keyswap has four parameters", true, 4},
		{"a plain keyswap has three", false, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			own, peer := peertest.Run(t, peertest.Options{}), peertest.Run(t, peertest.Options{})
			introduce(t, own, peer)
			swap := client(t, quick()).Keyswap
			if c.force {
				swap = client(t, quick()).Push
			}
			swap(context.Background(), identity(t, own), row(peer))
			requests := peer.Requests()
			if len(requests) != 1 {
				t.Fatalf("peer was sent %d requests, want 1", len(requests))
			}
			want := peertest.Request{
				Method: "system/keyswap", From: own.Wwwroot(), Params: c.params, Force: c.force,
				Fault: peertest.NoFault, Status: 200, Whole: true, UserAgent: "Moodle", ContentType: "text/xml", Close: true,
			}
			if requests[0] != want {
				t.Errorf("peer was sent %+v, want %+v", requests[0], want)
			}
		})
	}
}
