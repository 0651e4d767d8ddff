package envelope_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"

	"renew_mnetkeys/envelope"
)

func TestCertificatesOfTheVectorsReadAsStored(t *testing.T) {
	for name := range expectations {
		v := loadVector(t, name)
		for wwwroot, s := range map[string]site{v.From: v.Caller, v.To: v.Callee} {
			c, err := envelope.ParseCertificate(s.Certificate)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if c.PEM != s.Certificate {
				t.Errorf("%s: PEM differs:\n%s", name, c.PEM)
			}
			if err := c.CheckWwwroot(wwwroot); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			mahara := strings.Contains(wwwroot, "mahara")
			if wantSAN := map[bool]string{true: "", false: wwwroot}[mahara]; c.SubjectAltName != wantSAN {
				t.Errorf("%s: subjectAltName %q, want %q", name, c.SubjectAltName, wantSAN)
			}
			days := map[bool]int{true: 365, false: 28}[mahara]
			if life := c.NotAfter.Sub(c.NotBefore); life != time.Duration(days)*24*time.Hour {
				t.Errorf("%s: lives %v, want %d days", name, life, days)
			}
		}
	}
}

func TestCertificatesOfTheCapturesAreRead(t *testing.T) {
	for file, wwwroot := range map[string]string{
		"keyswap_accepted_response.http":    "http://t3.bed.test:8080",
		"keyswap_forced_request.http":       "http://t1.bed.test:8080",
		"keyswap_three_params_request.http": "http://stock.bed.test:8081",
	} {
		raw, err := os.ReadFile(filepath.Join("../testdata/captures", file))
		if err != nil {
			t.Fatal(err)
		}
		if envelope.IsSealed(raw) {
			t.Errorf("%s: a keyswap is not sealed", file)
		}
		_, body, _ := strings.Cut(string(raw), "<?xml")
		end := strings.LastIndex(body, ">") // before the last chunk's length
		document := etree.NewDocument()
		if err := document.ReadFromString("<?xml" + body[:end+1]); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		var text strings.Builder
		for _, value := range document.FindElements("//string") {
			text.WriteString(value.Text())
		}
		c, err := envelope.ParseCertificate(text.String())
		if err != nil {
			t.Errorf("%s: %v", file, err)
		} else if err := c.CheckWwwroot(wwwroot); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestACertificateIsFoundHoweverItIsWrapped(t *testing.T) {
	want := testPair(t).Certificate
	lines := strings.Split(strings.TrimSpace(want.PEM), "\n")
	middle := strings.Join(lines[1:len(lines)-1], "")
	for name, text := range map[string]string{
		"as made":                   want.PEM,
		"without the last line end": strings.TrimSpace(want.PEM),
		"with CRLF":                 strings.ReplaceAll(want.PEM, "\n", "\r\n"),
		"with CR alone":             strings.ReplaceAll(want.PEM, "\n", "\r"),
		"on one line":               lines[0] + middle + lines[len(lines)-1],
		"indented":                  strings.ReplaceAll(want.PEM, "\n", "\n\t  "),
		"wrapped at 76":             lines[0] + "\n" + middle[:76] + "\n" + middle[76:] + "\n" + lines[len(lines)-1],
		"in a page":                 "<html><pre>" + want.PEM + "</pre></html>",
		"behind OpenSSL's text":     "Certificate:\n    Data:\n        Version: 3 (0x2)\n" + want.PEM,
		"behind its private key":    testPair(t).PEM + want.PEM,
		"under its old label":       strings.ReplaceAll(want.PEM, "CERTIFICATE", "X509 CERTIFICATE"),
	} {
		c, err := envelope.ParseCertificate(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !c.Equal(want) || c.PEM != want.PEM {
			t.Errorf("%s: read as another", name)
		}
	}
}

func TestWhatIsNotOneRSACertificateIsRefused(t *testing.T) {
	good := testPair(t).Certificate
	ed25519 := oddCertificate{key: tlv(0x30, tlv(0x30, tlv(0x06, []byte("\x2b\x65\x70"))), tlv(0x03, make([]byte, 33)))}
	armor := func(der []byte) string {
		return "-----BEGIN CERTIFICATE-----\n" + base64.StdEncoding.EncodeToString(der) + "\n-----END CERTIFICATE-----\n"
	}
	for name, text := range map[string]string{
		"nothing":                       "",
		"no PEM":                        "hello",
		"a private key":                 testPair(t).PEM,
		"two certificates":              good.PEM + good.PEM,
		"one and the beginning of one":  good.PEM + "-----BEGIN CERTIFICATE-----\n",
		"no end":                        strings.Split(good.PEM, "-----END")[0],
		"the end of something else":     strings.Replace(good.PEM, "END CERTIFICATE", "END PUBLIC KEY", 1),
		"bad base64":                    strings.Replace(good.PEM, "MII", "M*I", 1),
		"no bytes":                      armor(nil),
		"a length of 8 bytes":           armor([]byte{0x30, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}),
		"an indefinite length":          armor([]byte{0x30, 0x80, 0, 0}),
		"another tag":                   armor([]byte{0x31, 0}),
		"an empty sequence":             armor([]byte{0x30, 0}),
		"a key that is not RSA":         ed25519.pem(t),
		"a modulus of 0":                oddCertificate{key: rsaInfo("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", []byte{0}, []byte{3})}.pem(t),
		"a modulus of 20000 bits":       oddCertificate{key: rsaInfo("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", bytesOf(2500, 1), []byte{3})}.pem(t),
		"an exponent of 1":              oddCertificate{key: rsaInfo("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", bytesOf(128, 1), []byte{1})}.pem(t),
		"a validity without an end":     oddCertificate{validity: tlv(0x30, tlv(0x17, []byte("260101000000Z")))}.pem(t),
		"a validity that is no time":    oddCertificate{validity: tlv(0x30, tlv(0x17, []byte("2601")), tlv(0x17, []byte("never")))}.pem(t),
		"a name whose attribute is cut": oddCertificate{subject: tlv(0x31, []byte{0x30, 0x20})}.pem(t),
		"more than a mebibyte":          strings.Repeat(" ", envelope.MaxSize) + good.PEM,
	} {
		if c, err := envelope.ParseCertificate(text); !errors.Is(err, envelope.ErrCertificate) {
			t.Errorf("%s: %v, %v, want ErrCertificate", name, c, err)
		}
	}
	for n := range good.DER {
		if _, err := envelope.ParseCertificate(armor(good.DER[:n])); !errors.Is(err, envelope.ErrCertificate) {
			t.Fatalf("first %d bytes: %v, want ErrCertificate", n, err)
		}
	}
}

func bytesOf(n int, b byte) []byte {
	return []byte(strings.Repeat(string(rune(b)), n))
}

func TestCheckWwwrootDecidesAsAPeerDoes(t *testing.T) {
	long := "https://" + strings.Repeat("a", 55) + "/moodle" // the cut leaves a slash at the end
	certificate := func(commonName, altName string) *envelope.Certificate {
		return &envelope.Certificate{CommonName: commonName, SubjectAltName: altName}
	}
	for name, c := range map[string]struct {
		certificate *envelope.Certificate
		wwwroot     string
		attribute   string // the attribute that is wrong, "" for none
	}{
		"both names are the wwwroot":                      {certificate(from, from), from, ""},
		"no subjectAltName, as Mahara makes it":           {certificate(from, ""), from, ""},
		"a long wwwroot is cut in the CN":                 {certificate(long[:64], long), long, ""},
		"a cut that ends in a slash loses it":             {certificate(long[:63], long), long, ""},
		"a CN that is cut too early":                      {certificate(long[:62], long), long, "CN"},
		"a CN that is not cut":                            {certificate(long, long), long, "CN"},
		"another site":                                    {certificate("http://evil.test", ""), from, "CN"},
		"another site by subjectAltName alone":            {certificate(from, "http://evil.test"), from, "subjectAltName"},
		"a trailing slash makes another site":             {certificate(from+"/", from+"/"), from, "subjectAltName"},
		"https is not http":                               {certificate("https://from.test", ""), from, "CN"},
		"no name at all":                                  {certificate("", ""), from, "CN"},
		"a site whose name begins like that of the other": {certificate(from, ""), from + ".evil", "CN"},
	} {
		err := c.certificate.CheckWwwroot(c.wwwroot)
		var wrong *envelope.WwwrootError
		switch {
		case c.attribute == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.attribute != "" && (!errors.As(err, &wrong) || !errors.Is(err, envelope.ErrWwwroot)):
			t.Errorf("%s: %v, want a WwwrootError", name, err)
		case c.attribute != "" && wrong.Attribute != c.attribute:
			t.Errorf("%s: %s found wrong, want %s", name, wrong.Attribute, c.attribute)
		}
	}
}

func TestAWwwrootErrorIsOneShortLine(t *testing.T) {
	err := (&envelope.Certificate{CommonName: strings.Repeat("\n\x1b[31m", 1000)}).CheckWwwroot(from)
	if text := fmt.Sprint(err); strings.ContainsAny(text, "\n\x1b") || len(text) > 600 {
		t.Errorf("%d bytes: %.200s", len(text), text)
	}
}

func TestNoCertificateEqualsNothing(t *testing.T) {
	var missing *envelope.Certificate
	c := testPair(t).Certificate
	if missing.Equal(missing) || missing.Equal(c) || c.Equal(missing) || c.Equal(otherPair(t).Certificate) || !c.Equal(c) {
		t.Error("want a certificate equal to itself alone")
	}
}
