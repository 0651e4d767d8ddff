package envelope_test

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"renew_mnetkeys/envelope"
)

// FuzzParseKeyPair looks for a private key that makes the reader panic, that is accepted with the
// certificate of another key, or that an error shows. The database has keys in whatever form some
// PHP wrote them.
func FuzzParseKeyPair(f *testing.F) {
	pair, other := testPair(f), otherPair(f)
	pkcs1 := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(pair.Private)}))
	seeds := []string{
		pair.PEM, strings.ReplaceAll(pair.PEM, "\n", "\r\n"), strings.TrimSpace(pair.PEM), "text before\n" + pair.PEM + "text behind", pair.PEM + pair.PEM,
		other.PEM, pkcs1, "", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", strings.Replace(pair.PEM, "PRIVATE", "ENCRYPTED PRIVATE", 2),
		pair.Certificate.PEM,
	}
	for _, text := range seeds {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		read, err := envelope.ParseKeyPair(pair.Certificate.PEM, text)
		if err != nil {
			if !errors.Is(err, envelope.ErrPrivateKey) && !errors.Is(err, envelope.ErrMismatch) {
				t.Fatalf("untyped error: %v", err)
			}
			if len(err.Error()) > 200 {
				t.Fatalf("the error is long enough to show content: %v", err)
			}
			return
		}
		if !read.Private.Equal(pair.Private) || read.PEM != text {
			t.Fatal("another key is taken for that of the certificate")
		}
		if err := read.Private.Validate(); err != nil {
			t.Fatalf("a key that is none was taken: %v", err)
		}
	})
}
