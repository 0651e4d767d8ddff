package envelope

import (
	"crypto/rsa"
	"errors"
	"time"
)

// Certificate is one X.509 certificate with an RSA key, as MNet peers exchange them.
type Certificate struct {
	PEM                 string // one block, LF, 64 columns, ends "-----\n"
	DER                 []byte
	PublicKey           *rsa.PublicKey
	CommonName          string // first CN of the subject
	SubjectAltName      string // attribute 2.5.29.17 of the DN, "" when absent
	NotBefore, NotAfter time.Time
}

var errTodo = errors.New("not written yet")

func ParseCertificate(text string) (*Certificate, error) { return nil, errTodo }
func (c *Certificate) Fingerprint() string               { return "" }
func (c *Certificate) CheckWwwroot(wwwroot string) error { return errTodo }
func (c *Certificate) Equal(o *Certificate) bool         { return false }

// KeyPair is a certificate and its private key.
type KeyPair struct {
	Certificate *Certificate
	Private     *rsa.PrivateKey
	PEM         string // the private key as stored
}

func ParseKeyPair(certificate, privateKey string) (*KeyPair, error) { return nil, errTodo }
