package rotate

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/internal/testkey"
)

// shape is the structure of a certificate, without its values: version, string types and order of
// the DN, extensions in order, kinds of time.
type shape struct {
	Version           int
	Issuer, Subject   []string
	NotBeforeTag      int
	NotAfterTag       int
	PublicKey         string
	Extensions        []string
	SelfIssued        bool
	SignatureIsSHA1   bool
	BasicConstraints  string
	SubjectKeyIDBytes int
}

// tbs follows RFC 5280 4.1.
type tbs struct {
	Version            int `asn1:"explicit,tag:0,default:0"`
	Serial             *big.Int
	SignatureAlgorithm pkix.AlgorithmIdentifier
	Issuer             asn1.RawValue
	Validity           struct{ NotBefore, NotAfter asn1.RawValue }
	Subject            asn1.RawValue
	PublicKey          struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	Extensions []pkix.Extension `asn1:"explicit,tag:3"`
}

func shapeOf(t *testing.T, certificate string) shape {
	t.Helper()
	block, _ := pem.Decode([]byte(certificate))
	var outer struct {
		TBS       tbs
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	if rest, err := asn1.Unmarshal(block.Bytes, &outer); err != nil || len(rest) > 0 {
		t.Fatalf("not a certificate: %v", err)
	}
	c := outer.TBS
	s := shape{Version: c.Version, NotBeforeTag: c.Validity.NotBefore.Tag, NotAfterTag: c.Validity.NotAfter.Tag,
		PublicKey: c.PublicKey.Algorithm.Algorithm.String(), SelfIssued: slices.Equal(c.Issuer.FullBytes, c.Subject.FullBytes),
		SignatureIsSHA1: outer.Algorithm.Algorithm.String() == "1.2.840.113549.1.1.5"}
	s.Issuer, s.Subject = nameShape(t, c.Issuer), nameShape(t, c.Subject)
	for _, e := range c.Extensions {
		s.Extensions = append(s.Extensions, fmt.Sprint(e.Id, e.Critical))
		switch {
		case e.Id.Equal(oidBasicConstraints):
			s.BasicConstraints = fmt.Sprintf("%x", e.Value)
		case e.Id.Equal(oidSubjectKeyID):
			s.SubjectKeyIDBytes = len(e.Value)
		}
	}
	return s
}

func nameShape(t *testing.T, name asn1.RawValue) []string {
	t.Helper()
	var rdns []asn1.RawValue
	if _, err := asn1.Unmarshal(name.FullBytes, &rdns); err != nil {
		t.Fatal(err)
	}
	var parts []string
	for _, rdn := range rdns {
		var attribute struct {
			OID   asn1.ObjectIdentifier
			Value asn1.RawValue
		}
		if rest, err := asn1.Unmarshal(rdn.Bytes, &attribute); err != nil || len(rest) > 0 {
			t.Fatalf("an RDN of more than one attribute: %v", err)
		}
		parts = append(parts, fmt.Sprint(attribute.OID, " tag ", attribute.Value.Tag))
	}
	return parts
}

func TestACertificateHasTheShapeOfMoodles(t *testing.T) {
	var vector struct {
		From   string
		Caller struct{ Certificate string }
	}
	text, err := os.ReadFile("../testdata/vectors/01_list_services.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &vector); err != nil {
		t.Fatal(err)
	}
	want := shapeOf(t, vector.Caller.Certificate)
	key := testkey.Key(2048)
	pair, err := Certify(key, Subject{Wwwroot: vector.From, Site: "École du Test n°1", Email: "noreply@t1.bed.test"}, clock, 28, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	got := shapeOf(t, pair.Certificate.PEM)
	if got.SignatureIsSHA1 {
		t.Error("signed with SHA-1, which no peer asks for")
	}
	want.SignatureIsSHA1 = false
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("shape\n got %+v\nwant %+v", got, want)
	}
	moodle, err := envelope.ParseCertificate(vector.Caller.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	if pair.Certificate.CommonName != moodle.CommonName || pair.Certificate.SubjectAltName != moodle.SubjectAltName {
		t.Errorf("names %q, %q; Moodle writes %q, %q", pair.Certificate.CommonName, pair.Certificate.SubjectAltName, moodle.CommonName, moodle.SubjectAltName)
	}
	if !pair.Certificate.NotBefore.Equal(clock) || !pair.Certificate.NotAfter.Equal(clock.AddDate(0, 0, 28)) {
		t.Errorf("valid %s to %s", pair.Certificate.NotBefore, pair.Certificate.NotAfter)
	}
}

func TestWhatGoesIntoACertificate(t *testing.T) {
	long := "https://" + strings.Repeat("long", 20) + ".example/moodle"
	for _, c := range []struct {
		name     string
		subject  Subject
		cn, san  string
		contains string // among the DER's strings
	}{
		{"a long wwwroot is cut in CN and whole in subjectAltName", Subject{Wwwroot: long}, long[:64], long, ""},
		{"no site name falls back to the host", Subject{Wwwroot: ownURL}, ownURL, ownURL, "own.example"},
		{"a name of 70 umlauts is cut to 64", Subject{Wwwroot: ownURL, Site: strings.Repeat("ü", 70)}, ownURL, ownURL, strings.Repeat("ü", 64)},
		{"an address that IA5String cannot encode falls back", Subject{Wwwroot: ownURL, Email: "ü@own.example"}, ownURL, ownURL, "noreply@own.example"},
		{"a host name that IA5String cannot encode falls back, and the wwwroot keeps it", Subject{Wwwroot: "https://schüle.example"}, "https://schüle.example", "https://schüle.example", "noreply@localhost"},
		{"broken UTF-8 in the name is dropped", Subject{Wwwroot: ownURL, Site: "a\xffb"}, ownURL, ownURL, "ab"},
	} {
		t.Run(c.name, func(t *testing.T) {
			key := testkey.Key(1024)
			pair, err := Certify(key, c.subject, clock, 28, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			if got := pair.Certificate; got.CommonName != c.cn || got.SubjectAltName != c.san || !strings.Contains(string(got.DER), c.contains) {
				t.Errorf("CN %q, subjectAltName %q", got.CommonName, got.SubjectAltName)
			}
			if strings.Contains(string(pair.Certificate.DER), strings.Repeat("ü", 65)) {
				t.Error("the name is longer than 64 characters")
			}
		})
	}
}

func TestASerialIsPositiveAndNeverTwiceTheSame(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		serial, err := randomSerial(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if serial.Sign() <= 0 || serial.BitLen() > 127 || seen[serial.String()] {
			t.Fatalf("serial %s", serial)
		}
		seen[serial.String()] = true
	}
}

// A pair that a peer would refuse is not stored: it is read back first.
func TestWhatMakesNoCertificate(t *testing.T) {
	key := testkey.Key(1024)
	other := testkey.Key(1024)
	for _, c := range []struct {
		name    string
		wwwroot string
		days    int
		key     *rsa.PrivateKey
		random  io.Reader
		says    string
	}{
		{"a name that is longer in bytes than in characters, which peers cut otherwise", "https://" + strings.Repeat("ü", 60) + ".example", 28, key, rand.Reader, "check the new certificate"},
		{"a name that is no text", "https://\xff.example", 28, key, rand.Reader, "check the new certificate"},
		{"a name that is too long for a certificate that peers read", "https://" + strings.Repeat("x", envelope.MaxSize), 28, key, rand.Reader, "read the new key pair back"},
		{"a key whose halves are of two keys", ownURL, 28, &rsa.PrivateKey{PublicKey: other.PublicKey, D: key.D, Primes: key.Primes}, rand.Reader, "encode the private key"},
		{"an end beyond the year 9999", ownURL, 365 * 9000, key, rand.Reader, "make the certificate"},
		{"no randomness", ownURL, 28, key, iotest.ErrReader(errLost), "draw a serial number"},
	} {
		t.Run(c.name, func(t *testing.T) {
			pair, err := Certify(c.key, Subject{Wwwroot: c.wwwroot}, clock, c.days, c.random)
			if err == nil || pair != nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want one that says %q", err, c.says)
			}
		})
	}
}
