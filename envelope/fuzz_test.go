package envelope_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"renew_mnetkeys/envelope"
)

func TestFuzzingStartsFromSeeds(t *testing.T) {
	for _, target := range []string{"FuzzOpen", "FuzzParseCertificate"} {
		seeds, err := os.ReadDir(filepath.Join("testdata/fuzz", target))
		if err != nil || len(seeds) < 4 {
			t.Errorf("%s has %d seeds, want 4 at least: %v", target, len(seeds), err)
		}
	}
}

// isOne says whether err is one of the package's errors for documents.
func isOne(err error) bool {
	for _, target := range []error{
		envelope.ErrMalformed, envelope.ErrDoubled, envelope.ErrTooLarge, envelope.ErrDTD, envelope.ErrCannotOpen, envelope.ErrDigest,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// FuzzOpen reads the input as a sealed document to the test pair, and as a signed one. What was
// read must be the same after it was written and read again.
func FuzzOpen(f *testing.F) {
	pair := testPair(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		opened, err := envelope.Open(body, pair.Private)
		if err == nil {
			again, err := envelope.Seal(opened.Document, opened.Wwwroot, pair.Certificate.PublicKey, counting{})
			if err != nil {
				t.Fatal(err)
			}
			reopened, err := envelope.Open(again, pair.Private)
			if err != nil || !bytes.Equal(reopened.Document, opened.Document) || reopened.Wwwroot != opened.Wwwroot {
				t.Fatalf("opened %+v, after sealing it again %+v, %v", opened, reopened, err)
			}
			body = opened.Document
		} else if !isOne(err) {
			t.Fatalf("untyped error: %v", err)
		}

		signed, err := envelope.ParseSigned(body)
		if err != nil {
			if !isOne(err) {
				t.Fatalf("untyped error: %v", err)
			}
			return
		}
		again, err := envelope.Sign(signed.Payload, signed.Wwwroot, signed.Stamped, pair.Private)
		if err != nil {
			t.Fatal(err)
		}
		resigned, err := envelope.ParseSigned(again)
		if err != nil || !bytes.Equal(resigned.Payload, signed.Payload) || resigned.Wwwroot != signed.Wwwroot || !resigned.Stamped.Equal(signed.Stamped) {
			t.Fatalf("read %+v, after signing it again %+v, %v", signed, resigned, err)
		}
	})
}

// FuzzParseCertificate reads the input as PEM if it says so, else as DER. crypto/x509 is stricter:
// what it reads, this package must read too, with the same result.
func FuzzParseCertificate(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		der := ""
		if !strings.Contains(text, "-----") {
			der = text
			text = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte(der)}))
		}
		c, err := envelope.ParseCertificate(text)
		if err != nil {
			if !errors.Is(err, envelope.ErrCertificate) {
				t.Fatalf("untyped error: %v", err)
			}
			if std, stdErr := x509.ParseCertificate([]byte(der)); stdErr == nil {
				if key, ok := std.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() <= 16384 {
					t.Fatalf("crypto/x509 reads it, we say %v", err)
				}
			}
			return
		}
		again, err := envelope.ParseCertificate(c.PEM)
		if err != nil || !again.Equal(c) || again.CommonName != c.CommonName || !again.NotAfter.Equal(c.NotAfter) {
			t.Fatalf("read %+v, from its PEM %+v, %v", c, again, err)
		}
		_ = c.CheckWwwroot(c.CommonName)
		if std, err := x509.ParseCertificate(c.DER); err == nil && std.PublicKeyAlgorithm == x509.RSA {
			if !std.NotAfter.Equal(c.NotAfter) || !c.PublicKey.Equal(std.PublicKey) {
				t.Fatalf("crypto/x509 reads otherwise: %v, %v", std.NotAfter, c.NotAfter)
			}
		}
	})
}
