package envelope_test

import (
	"encoding/pem"
	"testing"

	"renew_mnetkeys/envelope"
)

// tlv writes one value of X.690 with a definite length.
func tlv(tag byte, parts ...[]byte) []byte {
	var content []byte
	for _, part := range parts {
		content = append(content, part...)
	}
	n := len(content)
	switch {
	case n < 0x80:
		return append([]byte{tag, byte(n)}, content...)
	case n < 0x100:
		return append([]byte{tag, 0x81, byte(n)}, content...)
	}
	return append([]byte{tag, 0x82, byte(n >> 8), byte(n)}, content...)
}

// attribute is one RDN of one attribute. The OID is given as its DER content.
func attribute(oid string, tag byte, value string) []byte {
	return tlv(0x31, tlv(0x30, tlv(0x06, []byte(oid)), tlv(tag, []byte(value))))
}

// oddCertificate is what a test changes of an otherwise plain certificate; nil means unchanged. Its
// signature is nonsense, which no MNet site looks at.
type oddCertificate struct {
	version, serial, algorithm, validity, subject, key, after []byte
}

const (
	cn  = "\x55\x04\x03"
	org = "\x55\x04\x0a"
	san = "\x55\x1d\x11"

	bitString, utf8String, printable, t61, ia5, universal, bmp = 0x03, 0x0c, 0x13, 0x14, 0x16, 0x1c, 0x1e
)

func (o oddCertificate) pem(t testing.TB) string {
	t.Helper()
	or := func(given, usual []byte) []byte {
		if given == nil {
			return usual
		}
		return given
	}
	name := tlv(0x30, or(o.subject, attribute(cn, utf8String, from)))
	algorithm := or(o.algorithm, tlv(0x30, tlv(0x06, []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b")), tlv(0x05)))
	tbs := tlv(0x30,
		or(o.version, tlv(0xa0, tlv(0x02, []byte{2}))),
		or(o.serial, tlv(0x02, []byte{1})),
		algorithm,
		name,
		or(o.validity, tlv(0x30, tlv(0x17, []byte("260101000000Z")), tlv(0x17, []byte("260129000000Z")))),
		name,
		or(o.key, publicKeyInfo(t)),
	)
	der := append(tlv(0x30, tbs, algorithm, tlv(0x03, make([]byte, 129))), o.after...)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// publicKeyInfo is the SubjectPublicKeyInfo of the test pair.
func publicKeyInfo(t testing.TB) []byte {
	t.Helper()
	return rsaInfo("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", append([]byte{0}, testPair(t).Certificate.PublicKey.N.Bytes()...), []byte{1, 0, 1})
}

func rsaInfo(oid string, modulus, exponent []byte) []byte {
	key := tlv(0x30, tlv(0x02, modulus), tlv(0x02, exponent))
	return tlv(0x30, tlv(0x30, tlv(0x06, []byte(oid)), tlv(0x05)), tlv(0x03, []byte{0}, key))
}

// oddCertificates are all accepted by OpenSSL, so this package must accept them. The value is the
// CN to be read.
func oddCertificates(t testing.TB) map[string]struct {
	oddCertificate
	cn string
} {
	modulus := testPair(t).Certificate.PublicKey.N.Bytes()
	type odd = struct {
		oddCertificate
		cn string
	}
	return map[string]odd{
		"nothing odd":                    {oddCertificate{}, from},
		"no version, as in X.509 v1":     {oddCertificate{version: []byte{}}, from},
		"serial 0":                       {oddCertificate{serial: tlv(0x02, []byte{0})}, from},
		"a negative serial":              {oddCertificate{serial: tlv(0x02, []byte{0xff})}, from},
		"a serial of 30 bytes":           {oddCertificate{serial: tlv(0x02, []byte{1}, make([]byte, 29))}, from},
		"signed with MD5":                {oddCertificate{algorithm: tlv(0x30, tlv(0x06, []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04")), tlv(0x05))}, from},
		"signed with nobody knows what":  {oddCertificate{algorithm: tlv(0x30, tlv(0x06, []byte("\x2a\x03\x04")))}, from},
		"CN as T61String in ISO 8859-1":  {oddCertificate{subject: attribute(cn, t61, "\xe9cole")}, "école"},
		"CN as BMPString":                {oddCertificate{subject: attribute(cn, bmp, "\x00a\x20\xac")}, "a€"},
		"CN as UniversalString":          {oddCertificate{subject: attribute(cn, universal, "\x00\x00\x00a\x00\x01\xf6\x00")}, "a😀"},
		"CN as IA5String":                {oddCertificate{subject: attribute(cn, ia5, from)}, from},
		"CN as PrintableString with a @": {oddCertificate{subject: attribute(cn, printable, "a@b")}, "a@b"},
		"an empty attribute before CN":   {oddCertificate{subject: append(attribute(org, printable, ""), attribute(cn, utf8String, from)...)}, from},
		"an empty CN":                    {oddCertificate{subject: attribute(cn, utf8String, "")}, ""},
		"no subject at all":              {oddCertificate{subject: []byte{}}, ""},
		"two attributes in one RDN": {oddCertificate{subject: tlv(0x31,
			tlv(0x30, tlv(0x06, []byte(org)), tlv(utf8String, []byte("o"))),
			tlv(0x30, tlv(0x06, []byte(cn)), tlv(utf8String, []byte(from))))}, from},
		"an organisation without text":    {oddCertificate{subject: append(attribute(org, bitString, "\x00o"), attribute(cn, utf8String, from)...)}, from},
		"years in full":                   {oddCertificate{validity: tlv(0x30, tlv(0x18, []byte("20260101000000Z")), tlv(0x18, []byte("20620101000000Z")))}, from},
		"the last century":                {oddCertificate{validity: tlv(0x30, tlv(0x17, []byte("500101000000Z")), tlv(0x17, []byte("991231235959Z")))}, from},
		"something behind it":             {oddCertificate{after: []byte("trust")}, from},
		"a modulus without its zero byte": {oddCertificate{key: rsaInfo("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", modulus, []byte{1, 0, 1})}, from},
		"exponent 3":                      {oddCertificate{key: rsaInfo("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", append([]byte{0}, modulus...), []byte{3})}, from},
		"X.509's own name of RSA":         {oddCertificate{key: rsaInfo("\x55\x08\x01\x01", append([]byte{0}, modulus...), []byte{1, 0, 1})}, from},
		"a key of 512 bits":               {oddCertificate{key: rsaInfo("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", append([]byte{0}, modulus[:64]...), []byte{1, 0, 1})}, from},
	}
}

func TestOddCertificatesAreRead(t *testing.T) {
	for name, odd := range oddCertificates(t) {
		t.Run(name, func(t *testing.T) {
			c, err := envelope.ParseCertificate(odd.pem(t))
			if err != nil {
				t.Fatal(err)
			}
			if c.CommonName != odd.cn {
				t.Errorf("CN %q, want %q", c.CommonName, odd.cn)
			}
			if again, err := envelope.ParseCertificate(c.PEM); err != nil || !again.Equal(c) {
				t.Errorf("its own PEM reads as %v, %v", again, err)
			}
		})
	}
}
