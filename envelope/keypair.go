package envelope

import (
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strings"
)

// KeyPair is a certificate and its private key: one generation of a site's identity. However it is
// printed, encoded or logged, only the certificate's fingerprint shows. fmt does not call methods
// on unexported fields: a struct must keep a pointer there.
type KeyPair struct {
	Certificate *Certificate
	Private     *rsa.PrivateKey
	PEM         string // the private key as stored
}

// ParseKeyPair reads both halves of what Moodle stores. The key is in PKCS #8 or, on old sites,
// PKCS #1. The errors are ErrCertificate, ErrPrivateKey and, if the halves belong to two keys,
// ErrMismatch; none shows any of the content.
func ParseKeyPair(certificate, privateKey string) (*KeyPair, error) {
	c, err := ParseCertificate(certificate)
	if err != nil {
		return nil, err
	}
	private, err := parsePrivateKey(privateKey)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPrivateKey, err)
	}
	if !private.PublicKey.Equal(c.PublicKey) {
		return nil, ErrMismatch
	}
	return &KeyPair{Certificate: c, Private: private, PEM: privateKey}, nil
}

// parsePrivateKey makes its own errors, because those of crypto/x509 show numbers of the key.
func parsePrivateKey(text string) (*rsa.PrivateKey, error) {
	if strings.Contains(text, "ENCRYPTED") { // the label of PKCS #8, or a header of the block
		return nil, errors.New("protected by a passphrase")
	}
	label, der, err := dearmor(text, "PRIVATE KEY", "RSA PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	defer clear(der)
	if label == "RSA PRIVATE KEY" {
		private, err := x509.ParsePKCS1PrivateKey(der)
		if err != nil {
			return nil, errors.New("not PKCS #1")
		}
		return private, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("not PKCS #8")
	}
	private, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("not an RSA key")
	}
	return private, nil
}

// String is the only text form of the pair.
func (k KeyPair) String() string {
	if k.Certificate == nil {
		return "key pair without certificate"
	}
	return "key pair " + k.Certificate.Fingerprint()
}

// Format prints String under every verb, %#v too: %x and %d would print the fields.
func (k KeyPair) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// MarshalText is String, for encoding/json, encoding/xml and loggers such as zerolog and slog.
func (k KeyPair) MarshalText() ([]byte, error) { return []byte(k.String()), nil }
