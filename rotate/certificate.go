package rotate

import (
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // RFC 5280 4.2.1.2 derives the key identifier by SHA-1; nothing is authenticated by it
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/url"
	"strings"
	"time"

	"renew_mnetkeys/envelope"
)

// Limits of the DN attributes, in characters (X.520 upper bounds, which OpenSSL enforces and to
// which Moodle truncates), and of emailAddress (PKCS #9 ub-emailaddress).
const (
	maxOrganization = 64
	maxCommonName   = 64
	maxEmail        = 128
)

// Object identifiers of the DN in Moodle's order (mnet/lib.php, mnet_generate_keypair) and of the
// extensions OpenSSL adds by default.
var (
	oidCountry        = asn1.ObjectIdentifier{2, 5, 4, 6}
	oidProvince       = asn1.ObjectIdentifier{2, 5, 4, 8}
	oidLocality       = asn1.ObjectIdentifier{2, 5, 4, 7}
	oidOrganization   = asn1.ObjectIdentifier{2, 5, 4, 10}
	oidUnit           = asn1.ObjectIdentifier{2, 5, 4, 11}
	oidCommonName     = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidSubjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidEmail          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}

	oidSubjectKeyID     = asn1.ObjectIdentifier{2, 5, 29, 14}
	oidAuthorityKeyID   = asn1.ObjectIdentifier{2, 5, 29, 35}
	oidBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
)

// Subject is what a tenant's certificate says about the tenant.
type Subject struct {
	Wwwroot string // whole URL without trailing slash; peers compare it byte by byte
	Site    string // course.fullname of id 1; "" falls back to the host name
	Email   string // noreply address; if IA5String cannot encode it, noreply@host or noreply@localhost is used
}

// Certify makes the self-signed certificate that Moodle would make for key: the same attributes,
// order, string types and extensions as mnet_generate_keypair. It differs only in what no peer
// checks: SHA-256, and a positive random serial (RFC 5280 4.1.2.2). The pair it returns has been
// read back and checked by the rules by which a peer would refuse it.
func Certify(key *rsa.PrivateKey, s Subject, now time.Time, days int, random io.Reader) (*envelope.KeyPair, error) {
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode the private key: %w", err)
	}
	defer clear(pkcs8)
	der, err := certify(key, s, now, days, random)
	if err != nil {
		return nil, fmt.Errorf("make the certificate: %w", err)
	}
	pair, err := envelope.ParseKeyPair(pemBlock("CERTIFICATE", der), pemBlock("PRIVATE KEY", pkcs8))
	if err != nil {
		return nil, fmt.Errorf("read the new key pair back: %w", err)
	}
	if err := pair.Certificate.CheckWwwroot(s.Wwwroot); err != nil {
		return nil, fmt.Errorf("check the new certificate: %w", err)
	}
	return pair, nil
}

func certify(key *rsa.PrivateKey, s Subject, now time.Time, days int, random io.Reader) ([]byte, error) {
	serial, err := randomSerial(random)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:       serial,
		RawSubject:         encode(distinguishedName(s)),
		NotBefore:          now,
		NotAfter:           now.AddDate(0, 0, days),
		SignatureAlgorithm: x509.SHA256WithRSA,
		ExtraExtensions:    moodleExtensions(&key.PublicKey),
	}
	return x509.CreateCertificate(random, template, template, &key.PublicKey, key)
}

// distinguishedName is both subject and issuer. Moodle itself puts the subjectAltName among the
// attributes of the DN instead of among the extensions.
func distinguishedName(s Subject) pkix.RDNSequence {
	host := "localhost"
	if u, err := url.Parse(s.Wwwroot); err == nil && u.Hostname() != "" {
		host = u.Hostname()
	}
	site := strings.ToValidUTF8(s.Site, "")
	if site == "" {
		site = host
	}
	email := s.Email
	if !isIA5(email) || email == "" || len(email) > maxEmail {
		email = "noreply@" + host
	}
	if !isIA5(email) { // the host name has other letters than those of ASCII
		email = "noreply@localhost"
	}
	var name pkix.RDNSequence
	add := func(oid asn1.ObjectIdentifier, tag int, value string) {
		raw := asn1.RawValue{Class: asn1.ClassUniversal, Tag: tag, Bytes: []byte(value)}
		name = append(name, pkix.RelativeDistinguishedNameSET{{Type: oid, Value: raw}})
	}
	add(oidCountry, asn1.TagPrintableString, "NZ")
	add(oidProvince, asn1.TagUTF8String, "Wellington")
	add(oidLocality, asn1.TagUTF8String, "Wellington")
	add(oidOrganization, asn1.TagUTF8String, truncate(site, maxOrganization))
	add(oidUnit, asn1.TagUTF8String, "Moodle")
	add(oidCommonName, asn1.TagUTF8String, truncate(strings.TrimSuffix(s.Wwwroot, "/"), maxCommonName))
	add(oidSubjectAltName, asn1.TagUTF8String, s.Wwwroot)
	add(oidEmail, asn1.TagIA5String, email)
	return name
}

// moodleExtensions are those of OpenSSL's default v3_ca section, in its order:
// subjectKeyIdentifier, authorityKeyIdentifier (keyid), basicConstraints.
func moodleExtensions(key *rsa.PublicKey) []pkix.Extension {
	id := sha1.Sum(x509.MarshalPKCS1PublicKey(key))
	type keyID struct {
		ID []byte `asn1:"tag:0"`
	}
	return []pkix.Extension{
		{Id: oidSubjectKeyID, Value: encode(id[:])},
		{Id: oidAuthorityKeyID, Value: encode(keyID{id[:]})},
		{Id: oidBasicConstraints, Critical: true, Value: encode(struct{ IsCA bool }{true})},
	}
}

// encode is for values of fixed types whose strings are raw: no text of a tenant can make it fail.
func encode(value any) []byte {
	der, err := asn1.Marshal(value)
	if err != nil {
		panic("rotate: encode a part of a certificate: " + err.Error())
	}
	return der
}

// randomSerial is a positive number of 127 bits, never 0.
func randomSerial(random io.Reader) (*big.Int, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return nil, fmt.Errorf("draw a serial number: %w", err)
	}
	b[0] = b[0]&0x7f | 0x40
	return new(big.Int).SetBytes(b[:]), nil
}

// pemBlock writes base64 lines of 64 characters and LF, which is all that Moodle's certificate
// cleaning accepts.
func pemBlock(kind string, der []byte) string {
	text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	defer clear(text)
	return string(text)
}

// truncate shortens s to at most n characters and never splits one.
func truncate(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}

func isIA5(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
