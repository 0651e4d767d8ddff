package peertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// Authority signs the TLS certificates of sites, which are independent of those of MNet.
type Authority struct {
	key         *ecdsa.PrivateKey // of the authority and of all certificates that it signs
	certificate *x509.Certificate
}

// NewAuthority makes an authority. It panics if it cannot.
func NewAuthority() *Authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(fmt.Sprintf("make test authority: %v", err))
	}
	a := &Authority{key: key}
	template := tlsTemplate("Test authority")
	template.IsCA, template.BasicConstraintsValid = true, true
	a.certificate, err = x509.ParseCertificate(a.sign(template, template))
	if err != nil {
		panic(fmt.Sprintf("make test authority: %v", err))
	}
	return a
}

// PEM is the authority's certificate, for clients that must trust it.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
}

// Pool contains the authority's certificate.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

func tlsTemplate(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-48 * time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
}

func (a *Authority) sign(template, parent *x509.Certificate) []byte {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, a.key.Public(), a.key)
	if err != nil {
		panic(fmt.Sprintf("make test certificate: %v", err))
	}
	return der
}

// tlsConfig gives each connection the certificate and the TLS version that its faults demand.
func (s *Site) tlsConfig() *tls.Config {
	host, _, err := net.SplitHostPort(s.host)
	if err != nil {
		host = s.host
	}
	return &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		var met faultSet
		if c, ok := hello.Conn.(*conn); ok {
			met = c.exchange.Faults
		}
		return s.o.Authority.config(host, met), nil
	}}
}

// config is the TLS configuration of a server of the given name or address.
func (a *Authority) config(host string, met faultSet) *tls.Config {
	if met.has(TLSWrongName) {
		host = "elsewhere.example"
	}
	template := tlsTemplate(host)
	if address := net.ParseIP(host); address != nil {
		template.IPAddresses = []net.IP{address}
	} else {
		template.DNSNames = []string{host}
	}
	if met.has(TLSExpired) {
		template.NotAfter = time.Now().Add(-time.Hour)
	}
	parent := a.certificate
	if met.has(TLSSelfSigned) {
		parent = template
	}
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{a.sign(template, parent)}, PrivateKey: a.key}}}
	if met.has(TLSOld) {
		config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS10
	}
	return config
}
