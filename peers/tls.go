package peers

import (
	"context"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"renew_mnetkeys/rotate"
)

// tlsConfig verifies the peer's TLS certificate as its row demands (mnet_host.sslverification,
// which mnet/xmlrpc/client.php passes to curl): 0 not at all, 1 the host name only, 2 host name and
// chain. A number that Moodle does not know means full verification. TLS certificates are
// independent of MNet's own.
func (c *Client) tlsConfig(t target) *tls.Config {
	host := t.url.Hostname()
	config := &tls.Config{ServerName: host, RootCAs: c.o.RootCAs, VerifyConnection: refuseWeak}
	switch {
	case c.o.TLSSkipVerify || t.verification == 0:
		config.InsecureSkipVerify = true
	case t.verification == 1:
		config.InsecureSkipVerify = true // the chain only; the name is verified below
		config.VerifyConnection = func(state tls.ConnectionState) error {
			return errors.Join(refuseWeak(state), verifyHostname(state.PeerCertificates[0], host))
		}
	}
	return config
}

// refuseWeak refuses in TLS the short keys that rsa1024min=0 allows for MNet (see warnWeak): no
// authority signs them, and an attacker who breaks one can pose as the server.
func refuseWeak(state tls.ConnectionState) error {
	for _, c := range state.PeerCertificates {
		if key, ok := c.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() < weakBits {
			return fmt.Errorf("TLS certificate has a key of %d bits", key.N.BitLen())
		}
	}
	return nil
}

// verifyHostname is curl's VERIFYHOST: it compares subject alternative names and, in a certificate
// that has none, the common name. Go no longer reads the common name, rightly if a chain is
// verified. Without a chain, the check protects against mistakes only, and the self-signed
// certificates for which sslverification=1 is chosen often have nothing else.
func verifyHostname(certificate *x509.Certificate, host string) error {
	if len(certificate.DNSNames)+len(certificate.IPAddresses) > 0 {
		return certificate.VerifyHostname(host)
	}
	if !strings.EqualFold(certificate.Subject.CommonName, host) {
		return fmt.Errorf("certificate is for %q, not %q", certificate.Subject.CommonName, host)
	}
	return nil
}

// handshakeFailure distinguishes a handshake that was refused from a network that failed during it.
func handshakeFailure(ctx context.Context, err error) *rotate.Failure {
	// crypto/tls wraps alerts in a net.OpError too; Op is then "local error" or "remote error".
	var broken *net.OpError
	network := errors.As(err, &broken) && (broken.Op == "read" || broken.Op == "write")
	if ctx.Err() != nil || errors.Is(err, io.EOF) || network {
		return networkFailure(ctx, err, "TLS handshake")
	}
	return failed(rotate.ReasonTLS, err, "TLS handshake: %v", err)
}
