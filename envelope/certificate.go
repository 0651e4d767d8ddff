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

// maxModulus is OpenSSL's OPENSSL_RSA_MAX_MODULUS_BITS, in bits. With a larger modulus, a peer
// could keep this program busy with arithmetic.
const maxModulus = 16384

// Object identifiers by their DER content.
const (
	oidCommonName     = "\x55\x04\x03"                         // 2.5.4.3
	oidSubjectAltName = "\x55\x1d\x11"                         // 2.5.29.17
	oidRSAEncryption  = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01" // 1.2.840.113549.1.1.1
	oidRSA            = "\x55\x08\x01\x01"                     // 2.5.8.1.1, X.509's old name of rsaEncryption
)

// Certificate is an X.509 certificate of an RSA key, the identity of an MNet site. It must not be
// changed after it was made.
type Certificate struct {
	PEM       string // one block in Moodle's form: LF, 64 columns, ends "-----\n"
	DER       []byte
	PublicKey *rsa.PublicKey

	CommonName string // first CN of the subject, in UTF-8
	// SubjectAltName is attribute 2.5.29.17 of the subject DN, where Moodle's mnet_generate_keypair
	// puts the whole wwwroot; it is not the extension of the same name. "" if absent.
	SubjectAltName string

	NotBefore, NotAfter time.Time // UTC
}

// ParseCertificate finds the one certificate in text and reads it as leniently as OpenSSL does: any
// signature algorithm, serial 0, any string type, empty attributes, any line ends and columns, text
// around it. It does not verify the signature, and no MNet peer does. The error is an
// ErrCertificate.
func ParseCertificate(text string) (*Certificate, error) {
	// OpenSSL's PEM_read_bio_X509 takes the second and third label too.
	_, der, err := dearmor(text, "CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	return parseX509(der)
}

// parseX509 reads RFC 5280 §4.1. Like d2i_X509 it ignores what follows the certificate, such as
// OpenSSL's own trust settings.
func parseX509(der []byte) (*Certificate, error) {
	top := newWalk(der)
	outer := top.in(tagSequence)
	tbs := outer.in(tagSequence)
	outer.next(tagSequence) // algorithm of the signature
	outer.next(tagBitString)

	if tbs.tag() == tagVersion {
		tbs.next(tagVersion)
	}
	tbs.next(tagInteger)  // serial number
	tbs.next(tagSequence) // algorithm of the signature, again
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
	bits.rest, bits.at = bits.rest[1:], bits.at+1 // number of unused bits in the last byte: none
	numbers := bits.in(tagSequence)
	// OpenSSL reads both as unsigned, whether or not the leading zero byte is missing.
	modulus := new(big.Int).SetBytes(numbers.next(tagInteger))
	exponent := new(big.Int).SetBytes(numbers.next(tagInteger))
	if modulus.BitLen() == 0 || modulus.BitLen() > maxModulus || exponent.BitLen() < 2 || exponent.BitLen() > 31 {
		w.fail("RSA key out of range")
		return nil
	}
	return &rsa.PublicKey{N: modulus, E: int(exponent.Int64())}
}

// Fingerprint is the SHA-256 of the DER, in lower-case hexadecimal.
func (c *Certificate) Fingerprint() string {
	sum := sha256.Sum256(c.DER)
	return hex.EncodeToString(sum[:])
}

// CheckWwwroot says whether a peer would accept the certificate as that of wwwroot. It decides like
// check_credentials of Moodle's mnet/peer.php: the DN's subjectAltName, if there is one, must be
// wwwroot, and the CN must be its first 64 bytes. If the cut leaves a slash at the end, Moodle
// drops it; the CN may have it or not. The error is a *WwwrootError.
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

// Equal says whether both are the same certificate, byte by byte. No certificate (nil) equals
// nothing.
func (c *Certificate) Equal(o *Certificate) bool {
	return c != nil && o != nil && bytes.Equal(c.DER, o.DER)
}
