package envelope

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// maxModulus is OpenSSL's OPENSSL_RSA_MAX_MODULUS_BITS, in bits; arithmetic on more would be a
// peer's way to stop us.
const maxModulus = 16384

// Object identifiers by their DER content.
const (
	oidCommonName     = "\x55\x04\x03"                         // 2.5.4.3
	oidSubjectAltName = "\x55\x1d\x11"                         // 2.5.29.17
	oidRSAEncryption  = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01" // 1.2.840.113549.1.1.1
	oidRSA            = "\x55\x08\x01\x01"                     // 2.5.8.1.1, X.509's old name of the same
)

// Certificate is an X.509 certificate of an RSA key, the identity of an MNet site. It is not to be
// changed once made.
type Certificate struct {
	PEM       string // one block as Moodle wants it: LF, 64 columns, ends "-----\n"
	DER       []byte
	PublicKey *rsa.PublicKey

	CommonName string // first CN of the subject, in UTF-8
	// SubjectAltName is attribute 2.5.29.17 of the subject DN, where Moodle's mnet_generate_keypair
	// puts the whole wwwroot; not the extension of the same name. "" when absent.
	SubjectAltName string

	NotBefore, NotAfter time.Time // UTC
}

// ParseCertificate finds the one certificate in text and reads it as leniently as OpenSSL does: any
// signature algorithm, serial 0, any string type, empty attributes, any line ends and columns, text
// around it. The signature is not verified, as no MNet peer does. The error is an ErrCertificate.
func ParseCertificate(text string) (*Certificate, error) {
	// The second and third label are those OpenSSL's PEM_read_bio_X509 takes too.
	_, der, err := dearmor(text, "CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	return parseX509(der)
}

// parseX509 reads RFC 5280 §4.1. Like d2i_X509 it leaves alone what follows the certificate, such
// as OpenSSL's own trust settings.
func parseX509(der []byte) (*Certificate, error) {
	top := newWalk(der)
	outer := top.in(tagSequence)
	tbs := outer.in(tagSequence)
	outer.next(tagSequence) // algorithm of the signature
	outer.next(tagBitString)

	if tbs.tag() == tagVersion {
		tbs.next(tagVersion)
	}
	tbs.next(tagInteger)  // serial
	tbs.next(tagSequence) // algorithm again
	tbs.next(tagSequence) // issuer
	validity := tbs.in(tagSequence)
	subject := tbs.in(tagSequence)
	key := tbs.in(tagSequence)

	c := &Certificate{NotBefore: validity.time(), NotAfter: validity.time(), PublicKey: key.rsaKey()}
	c.CommonName, c.SubjectAltName = subject.names()
	if *top.err != nil {
		return nil, *top.err
	}
	c.DER = der[:len(der)-len(top.rest)]
	c.PEM = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.DER}))
	return c, nil
}

// rsaKey reads SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) with an RSAPublicKey (RFC 8017 §A.1.1) in
// it.
func (w *walk) rsaKey() *rsa.PublicKey {
	algorithm := string(w.in(tagSequence).next(tagOID))
	if *w.err == nil && algorithm != oidRSAEncryption && algorithm != oidRSA {
		w.fail("key that is not RSA")
	}
	bits := w.in(tagBitString)
	if len(bits.rest) == 0 {
		w.fail("key of no bits")
		return nil
	}
	bits.rest, bits.at = bits.rest[1:], bits.at+1 // how many bits of the last byte are unused: none
	numbers := bits.in(tagSequence)
	// OpenSSL reads both as unsigned, a forgotten leading zero byte or not.
	modulus := new(big.Int).SetBytes(numbers.next(tagInteger))
	exponent := new(big.Int).SetBytes(numbers.next(tagInteger))
	if modulus.BitLen() == 0 || modulus.BitLen() > maxModulus || exponent.BitLen() < 2 || exponent.BitLen() > 31 {
		w.fail("RSA key out of range")
		return nil
	}
	return &rsa.PublicKey{N: modulus, E: int(exponent.Int64())}
}

// Fingerprint is the SHA-256 of the DER in lower-case hexadecimal.
func (c *Certificate) Fingerprint() string {
	sum := sha256.Sum256(c.DER)
	return hex.EncodeToString(sum[:])
}

// CheckWwwroot says whether a peer would take the certificate for that of wwwroot, as
// check_credentials of Moodle's mnet/peer.php decides it: the DN's subjectAltName, if there, is
// wwwroot, and the CN its first 64 bytes, with or without the slash that Moodle drops when the cut
// leaves one at the end. The error is a *WwwrootError.
func (c *Certificate) CheckWwwroot(wwwroot string) error {
	if c.SubjectAltName != "" && c.SubjectAltName != wwwroot {
		return &WwwrootError{Attribute: "subjectAltName", Got: c.SubjectAltName, Want: wwwroot}
	}
	want := wwwroot[:min(len(wwwroot), 64)]
	if c.CommonName != want && c.CommonName != strings.TrimSuffix(want, "/") {
		return &WwwrootError{Attribute: "CN", Got: c.CommonName, Want: want}
	}
	return nil
}

// Equal says whether both are the same certificate to the byte. No certificate (nil) equals
// nothing.
func (c *Certificate) Equal(o *Certificate) bool {
	return c != nil && o != nil && bytes.Equal(c.DER, o.DER)
}
