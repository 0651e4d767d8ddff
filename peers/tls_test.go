package peers_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/peers"
	"renew_mnetkeys/peers/peertest"
)

// authority signs the TLS certificates of a test.
type authority struct {
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := tlsTemplate("Test CA", "")
	template.IsCA, template.BasicConstraintsValid = true, true
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{key: key, certificate: certificate}
}

func (a authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

func tlsTemplate(commonName, address string) *x509.Certificate {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: commonName},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
	}
	if address != "" {
		template.IPAddresses = []net.IP{net.ParseIP(address)}
	}
	return template
}

// issue makes a server's configuration with a certificate for that common name and that address (""
// for no subject alternative name), signed by the authority or by itself.
func (a authority) issue(t *testing.T, commonName, address string, selfSigned bool) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := tlsTemplate(commonName, address)
	parent, signer := a.certificate, a.key
	if selfSigned {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

func TestTLSIsVerifiedAsThePeersRowSays(t *testing.T) {
	const here, elsewhere = "127.0.0.1", "127.0.0.99"
	ca := newAuthority(t)
	servers := []struct {
		name   string
		config *tls.Config
		passes map[int]bool // by sslverification
	}{
		{"trusted, with the right name", ca.issue(t, "x", here, false), map[int]bool{0: true, 1: true, 2: true}},
		{"self-signed, with the right name", ca.issue(t, "x", here, true), map[int]bool{0: true, 1: true}},
		{"trusted, with another name", ca.issue(t, here, elsewhere, false), map[int]bool{0: true}},
		{"self-signed, with another name", ca.issue(t, here, elsewhere, true), map[int]bool{0: true}},
		{"self-signed, with the right name as CN alone", ca.issue(t, here, "", true), map[int]bool{0: true, 1: true}},
		{"self-signed, with another name as CN alone", ca.issue(t, elsewhere, "", true), map[int]bool{0: true}},
	}
	own := peertest.Run(t, peertest.Options{})
	verifying := client(t, quick(func(o *peers.Options) { o.RootCAs = ca.pool() }))
	skipping := client(t, quick(func(o *peers.Options) { o.TLSSkipVerify = true }))
	for _, server := range servers {
		t.Run(server.name, func(t *testing.T) {
			peer := peertest.Run(t, peertest.Options{TLS: server.config})
			introduce(t, own, peer)
			// 3 is a number that Moodle does not know: it is verified like 2.
			for verification := range 4 {
				to := row(peer)
				to.SSLVerification = verification
				want := "tls"
				if server.passes[verification] || verification == 3 && server.passes[2] {
					want = ""
				}
				got := verifying.Push(t.Context(), identity(t, own), to)
				if reason(got.Failure) != want || got.Failure != nil && !got.Failure.Pending {
					t.Errorf("sslverification %d: failure is %v, want a pending %q", verification, got.Failure, want)
				}
				if (verifying.Reachable(t.Context(), to) == nil) != (want == "") {
					t.Errorf("sslverification %d: Reachable and Push do not agree", verification)
				}
				if got := skipping.Push(t.Context(), identity(t, own), to); got.Failure != nil {
					t.Errorf("sslverification %d, not to be verified: %v", verification, got.Failure)
				}
			}
		})
	}
}

// The short keys that MNet allows are refused in TLS, whatever the row says.
func TestAShortTLSKeyIsRefused(t *testing.T) {
	for bits, want := range map[int]string{768: "tls", 1024: ""} {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		template := tlsTemplate("127.0.0.1", "127.0.0.1")
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		peer := peertest.Run(t, peertest.Options{TLS: &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}})
		for verification := range 2 {
			to := row(peer)
			to.SSLVerification = verification
			err := client(t, quick()).Reachable(t.Context(), to)
			if reasonOf(err) != want || want != "" && !strings.Contains(err.Error(), "768 bits") {
				t.Errorf("%d bits, sslverification %d: %v", bits, verification, err)
			}
		}
	}
}

func TestAPeerThatDoesNotTrustOurTLSCannotHeal(t *testing.T) {
	ca := newAuthority(t)
	own := peertest.Run(t, peertest.Options{TLS: ca.issue(t, "x", "127.0.0.1", true)})
	peer := peertest.Run(t, peertest.Options{Kind: peertest.Stock, Client: strict()})
	introduce(t, own, peer)
	renew(t, own, true)
	got := client(t, quick()).Prove(t.Context(), identity(t, own), row(peer), nil, false)
	if reason(got.Failure) != "fault_710" {
		t.Errorf("failure is %v, want fault_710", got.Failure)
	}
}
