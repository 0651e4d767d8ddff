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
	"sync"
	"time"

	"renew_mnetkeys/envelope"
)

// NewKeyPair makes an RSA key of the given number of bits (1024 is quick; rsa1024min=0 in go.mod
// lets Go accept fewer) and a self-signed certificate as Moodle makes one: CN is the wwwroot cut to
// 64 bytes, and attribute 2.5.29.17 of the DN is the whole wwwroot. It panics if it cannot.
func NewKeyPair(wwwroot string, bits int) *envelope.KeyPair {
	return Certify(NewKey(bits), wwwroot)
}

// NewKey makes an RSA key that no other call gets, of an even number of bits. It panics if it
// cannot.
func NewKey(bits int) *rsa.PrivateKey {
	found, _ := primesOf.LoadOrStore(bits, &primes{bits: bits / 2})
	p, q := found.(*primes).pair()
	one := big.NewInt(1)
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	e := big.NewInt(exponent)
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: exponent},
		D:         e.ModInverse(e, phi), Primes: []*big.Int{p, q},
	}
	key.Precompute()
	if err := key.Validate(); err != nil {
		panic(fmt.Sprintf("make test key: %v", err))
	}
	return key
}

const exponent = 65537

// primesOf are the primes of all keys, by the keys' bits.
var primesOf sync.Map

// primes of one length. To find them is nearly all of the work for a key. So each two of them make
// one, and hundreds of keys need some dozens.
type primes struct {
	sync.Mutex
	bits  int
	found []*big.Int
	next  int // of found, to go with the last
}

// pair is two primes, in each call others.
func (p *primes) pair() (*big.Int, *big.Int) {
	p.Lock()
	defer p.Unlock()
	for p.next >= len(p.found)-1 {
		prime, err := rand.Prime(rand.Reader, p.bits)
		if err != nil {
			panic(fmt.Sprintf("make test key: %v", err))
		}
		// A key has no exponent that divides one of its primes minus 1.
		if rest := new(big.Int).Mod(prime, big.NewInt(exponent)); rest.Int64() != 1 {
			p.found, p.next = append(p.found, prime), 0
		}
	}
	p.next++
	return p.found[p.next-1], p.found[len(p.found)-1]
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
