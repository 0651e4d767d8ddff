package peers_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"testing"

	"renew_mnetkeys/peers"
	"renew_mnetkeys/peers/peertest"
)

func TestAnInternationalisedNameIsCalledByItsALabels(t *testing.T) {
	for _, c := range []struct{ wwwroot, asked string }{
		{"http://schüle.example", "xn--schle-mva.example"},
		{"https://Schüle.example:8443/moodle", "xn--schle-mva.example"},
		{"https://straße.example", "xn--strae-oqa.example"}, // nontransitional, as curl
		{"https://ünder_score.example", "xn--nder_score-8db.example"},
		{"https://xn--schle-mva.example", "xn--schle-mva.example"},
		{"https://under_score.example", "under_score.example"},
	} {
		t.Run(c.wwwroot, func(t *testing.T) {
			var sni, asked string
			o := peertest.Options{Wwwroot: c.wwwroot}
			if c.wwwroot[:5] == "https" {
				o.TLS = newAuthority(t).issue(t, c.asked, "", true)
				o.TLS.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
					sni = hello.ServerName
					return nil, nil
				}
			}
			own, peer := peertest.Run(t, peertest.Options{}), peertest.Run(t, o)
			introduce(t, own, peer)
			to := row(peer)
			caller := client(t, quick(func(o *peers.Options) {
				o.Resolve = func(_ context.Context, host string) ([]netip.Addr, error) {
					asked = host
					return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
				}
				o.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, network, peer.Addr())
				}
			}))
			push := caller.Push(t.Context(), identity(t, own), to)
			if push.Failure != nil {
				t.Fatal(push.Failure)
			}
			if f := caller.Prove(t.Context(), identity(t, own), to, push.PeerCertificate, true).Failure; f != nil {
				t.Fatal(f)
			}
			if asked != c.asked || o.TLS != nil && sni != c.asked {
				t.Errorf("looked up %q and named %q in TLS, want %q", asked, sni, c.asked)
			}
			for _, r := range peer.Requests() {
				if host, _, _ := net.SplitHostPort(r.Host + ":"); host != "" && host != c.asked {
					t.Errorf("the Host field is %q, want %q", r.Host, c.asked)
				}
			}
		})
	}
}

func TestANameThatHasNoALabelsIsNotLookedUp(t *testing.T) {
	c := client(t, quick(func(o *peers.Options) {
		o.Resolve = func(context.Context, string) ([]netip.Addr, error) {
			t.Error("it was looked up")
			return nil, context.Canceled
		}
	}))
	if _, f := c.Nodes(t.Context(), "http://a\u200d.ü.example"); reason(f) != "dns" || !f.Pending {
		t.Errorf("it is %v, want dns", f)
	}
}
