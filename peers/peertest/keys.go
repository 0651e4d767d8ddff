package peertest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/internal/testkey"
)

// NewKeyPair makes an RSA key of the given number of bits (1024 is quick; rsa1024min=0 in go.mod
// lets Go accept fewer) and a self-signed certificate as Moodle makes one: CN is the wwwroot cut to
// 64 bytes, and attribute 2.5.29.17 of the DN is the whole wwwroot. It panics if it cannot.
func NewKeyPair(wwwroot string, bits int) *envelope.KeyPair {
	return Certify(testkey.Key(bits), wwwroot)
}

// Certify makes a pair with an existing key, for tests with hundreds of sites. It panics if it
// cannot.
func Certify(key *rsa.PrivateKey, wwwroot string) *envelope.KeyPair {
	return CertifyAt(key, wwwroot, time.Now().Add(-time.Hour))
}

// CertifyAt is Certify with a date from which the certificate is valid, for 28 days.
func CertifyAt(key *rsa.PrivateKey, wwwroot string, notBefore time.Time) *envelope.KeyPair {
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		panic(fmt.Sprintf("make test certificate: %v", err))
	}
	template := &x509.Certificate{
		SerialNumber: serial.Add(serial, big.NewInt(1)),
		Subject: pkix.Name{
			Organization: []string{"Test"},
			CommonName:   wwwroot[:min(len(wwwroot), 64)],
			ExtraNames:   []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: wwwroot}},
		},
		NotBefore: notBefore,
		NotAfter:  notBefore.Add(28 * 24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(fmt.Sprintf("make test certificate: %v", err))
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(fmt.Sprintf("make test key: %v", err))
	}
	pair, err := envelope.ParseKeyPair(
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	if err != nil {
		panic(fmt.Sprintf("make test pair: %v", err))
	}
	return pair
}
