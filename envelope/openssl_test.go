package envelope_test

import (
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/envelope"
)

func TestOpenSSLReadsOddCertificatesAsWeDo(t *testing.T) {
	for name, odd := range oddCertificates(t) {
		t.Run(name, func(t *testing.T) { compareWithOpenSSL(t, odd.pem(t)) })
	}
}

func TestCertificatesThatOpenSSLMakesAreRead(t *testing.T) {
	const name = "[req]\ndistinguished_name = dn\nprompt = no\nutf8 = yes\n"
	const moodle = "[dn]\nC = NZ\nO = École & Co, \"Ltd\"\nOU = Moodle\nCN = http://école.test\nsubjectAltName = http://école.test\nemailAddress = noreply@ecole.test\n"
	for _, c := range []struct {
		name, config string
		args         []string
		cn           string
	}{
		{"MD5", name + moodle, []string{"-md5"}, "http://école.test"},
		{"SHA-1", name + moodle, []string{"-sha1"}, "http://école.test"},
		{"1024 bits", name + moodle, []string{"-nodes", "-keyout", os.DevNull, "-newkey", "rsa:1024"}, "http://école.test"},
		{"serial 0", name + moodle, []string{"-set_serial", "0"}, "http://école.test"},
		{"T61String", name + "string_mask = nombstr\n" + moodle, nil, "http://école.test"},
		{"BMPString", name + "string_mask = MASK:0x800\n[dn]\nCN = http://école.test\nsubjectAltName = http://école.test\n", nil, "http://école.test"},
		{"UniversalString", name + "string_mask = MASK:0x100\n[dn]\nCN = http://école.test\nsubjectAltName = http://école.test\n", nil, "http://école.test"},
		{"UTF8String alone", name + "string_mask = utf8only\n" + moodle, nil, "http://école.test"},
		{"a year after 2049", name + moodle, []string{"-days", "12000"}, "http://école.test"},
		{"two CNs, the first counts", name + "[dn]\n0.CN = first\n1.CN = second\nsubjectAltName = http://école.test\n", nil, "first"},
		{"PSS for its signature", name + moodle, []string{"-sigopt", "rsa_padding_mode:pss"}, "http://école.test"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config, key := filepath.Join(t.TempDir(), "req.cnf"), filepath.Join(t.TempDir(), "key.pem")
			if err := errors.Join(os.WriteFile(config, []byte(c.config), 0o600), os.WriteFile(key, []byte(testPair(t).PEM), 0o600)); err != nil {
				t.Fatal(err)
			}
			args := append([]string{"req", "-x509", "-config", config, "-key", key}, c.args...)
			got := compareWithOpenSSL(t, string(tool(t, nil, "openssl", args...)))
			if got.CommonName != c.cn || got.SubjectAltName != "http://école.test" {
				t.Errorf("CN %q, subjectAltName %q", got.CommonName, got.SubjectAltName)
			}
		})
	}
}

// compareWithOpenSSL reads text with this package and with `openssl x509`, and expects the same
// from both.
func compareWithOpenSSL(t *testing.T, text string) *envelope.Certificate {
	t.Helper()
	c, err := envelope.ParseCertificate(text)
	if err != nil {
		t.Fatal(err)
	}
	out := string(tool(t, []byte(text), "openssl", "x509", "-fingerprint", "-sha256", "-modulus", "-dates", "-dateopt", "iso_8601",
		"-subject", "-nameopt", "sname,sep_multiline,utf8"))
	said := map[string]string{}
	for line := range strings.Lines(strings.ReplaceAll(out, " + ", "\n")) { // openssl joins the attributes of one RDN
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if _, twice := said[name]; !twice { // the first CN counts
			said[name] = value
		}
	}
	for name, want := range map[string]string{
		"sha256 Fingerprint": strings.ToUpper(c.Fingerprint()),
		"Modulus":            strings.ToUpper(c.PublicKey.N.Text(16)),
		"notBefore":          c.NotBefore.Format(time.DateTime) + "Z",
		"notAfter":           c.NotAfter.Format(time.DateTime) + "Z",
		"CN":                 c.CommonName,
		"subjectAltName":     c.SubjectAltName,
	} {
		if got := strings.ReplaceAll(said[name], ":", ""); got != strings.ReplaceAll(want, ":", "") {
			t.Errorf("%s: OpenSSL says %q, we %q", name, said[name], want)
		}
	}
	if block, _ := pem.Decode([]byte(out)); block == nil || !strings.HasSuffix(out, c.PEM) {
		t.Errorf("OpenSSL writes it as\n%s\nwe as\n%s", out, c.PEM)
	}
	return c
}

func TestPrivateKeysThatOpenSSLWritesAreRead(t *testing.T) {
	pair := testPair(t)
	for name, c := range map[string]struct {
		args []string
		want string // text of the error, "" for none
	}{
		"PKCS #1":                   {[]string{"rsa", "-traditional"}, ""},
		"PKCS #8":                   {[]string{"pkey"}, ""},
		"PKCS #8 with a passphrase": {[]string{"pkcs8", "-topk8", "-passout", "pass:secret"}, "passphrase"},
		"PKCS #1 with a passphrase": {[]string{"rsa", "-traditional", "-aes128", "-passout", "pass:secret"}, "passphrase"},
		"behind its text":           {[]string{"pkey", "-text"}, ""},
		"its public half":           {[]string{"pkey", "-pubout"}, "0 PEM blocks"},
	} {
		text := string(tool(t, []byte(pair.PEM), "openssl", c.args...))
		read, err := envelope.ParseKeyPair(pair.Certificate.PEM, text)
		switch {
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %s", name, err, c.want)
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want == "" && (!read.Private.Equal(pair.Private) || read.PEM != text):
			t.Errorf("%s: read as another", name)
		}
	}
}
