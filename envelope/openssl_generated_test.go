package envelope_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"renew_mnetkeys/internal/testbed"
)

// certificates writes random certificates that are odd in ways that OpenSSL accepts.
type certificates struct{ *rand.Rand }

func pick[T any](r certificates, of ...T) T { return of[r.IntN(len(of))] }

// text is a value of a name in one of the string types, with some of the characters that the type
// allows.
func (r certificates) text() (tag byte, value string) {
	runes := []rune{'a'}
	alphabet := []rune("aZ0 .:/-@é€ñ😀")
	tag = pick[byte](r, utf8String, printable, t61, ia5, universal, bmp)
	most := map[byte]int{utf8String: 13, printable: 9, t61: 10, ia5: 9, universal: 13, bmp: 12}[tag] // length of the usable alphabet: OpenSSL reads no surrogates
	if tag == t61 {
		alphabet = []rune("aZ0 .:/-@é")
	}
	for range r.IntN(30) {
		runes = append(runes, alphabet[r.IntN(min(most, len(alphabet)))])
	}
	return tag, encode(tag, append(runes, 'a')) // OpenSSL's output loses a space at the end
}

func encode(tag byte, runes []rune) string {
	var b []byte
	for _, c := range runes {
		switch tag {
		case t61:
			b = append(b, byte(c)) // ISO 8859-1, as everyone writes it
		case universal:
			b = append(b, byte(c>>24), byte(c>>16), byte(c>>8), byte(c))
		case bmp:
			for _, unit := range utf16.Encode([]rune{c}) {
				b = append(b, byte(unit>>8), byte(unit))
			}
		default:
			b = append(b, string(c)...)
		}
	}
	return string(b)
}

// subject is a name of some attributes; one RDN sometimes has several of them.
func (r certificates) subject() []byte {
	var name []byte
	for range r.IntN(6) {
		var set []byte
		for range 1 + r.IntN(2)*r.IntN(2) {
			tag, value := r.text()
			set = append(set, tlv(0x30, tlv(0x06, []byte(pick(r, cn, org, san))), tlv(tag, []byte(value)))...)
		}
		name = append(name, tlv(0x31, set)...)
	}
	return append(name, attribute(pick(r, cn, org), utf8String, from)...)
}

func (r certificates) time() []byte {
	at := time.Unix(r.Int64N(4_000_000_000), 0).UTC()
	if at.Year() >= 2050 || at.Year() < 1950 || r.IntN(5) == 0 {
		return tlv(0x18, []byte(at.Format("20060102150405Z")))
	}
	return tlv(0x17, []byte(at.Format("060102150405Z")))
}

func (r certificates) odd(t testing.TB) oddCertificate {
	modulus := testPair(t).Certificate.PublicKey.N.Bytes()
	o := oddCertificate{subject: r.subject(), validity: tlv(0x30, r.time(), r.time())}
	if r.IntN(4) == 0 {
		o.version = []byte{} // X.509 v1
	}
	serial := make([]byte, 1+r.IntN(20))
	for i := range serial {
		serial[i] = byte(r.IntN(256))
	}
	if len(serial) == 1 || !(serial[0] == 0 && serial[1] < 0x80 || serial[0] == 0xff && serial[1] >= 0x80) { // otherwise not minimal: OpenSSL refuses it
		o.serial = tlv(0x02, serial)
	}
	o.algorithm = pick(r, nil, tlv(0x30, tlv(0x06, []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05")), tlv(0x05)), tlv(0x30, tlv(0x06, []byte("\x2a\x03\x04"))))
	o.key = pick(r, nil, rsaInfo("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", append([]byte{0}, modulus...), []byte{3}),
		rsaInfo("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", modulus, []byte{1, 0, 1}))
	return o
}

// This package must read in a certificate what OpenSSL reads in it.
func TestOpenSSLReadsGeneratedCertificatesAsWeDo(t *testing.T) {
	seed := testbed.Seed(t)
	r := certificates{rand.New(rand.NewPCG(seed, 0))}
	count := 30
	if testbed.Long() {
		count = 1000
	}
	for i := range count {
		text := r.odd(t).pem(t)
		compareWithOpenSSL(t, text)
		if t.Failed() {
			t.Fatalf("certificate %d is\n%s", i, strings.TrimSpace(text))
		}
	}
}
