package testbed

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"renew_mnetkeys/internal/testkey"
)

// handKey gives the site the key of its next renewal. OpenSSL takes ten times as long as the rest
// of what PHP does for it; a site that has none makes its own.
func (s *Site) handKey(t testing.TB) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(testkey.Key(2048))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(filepath.Dir(s.Dataroot), "keys")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file, err := os.CreateTemp(dir, "*.pem")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if err := pem.Encode(file, &pem.Block{Type: "PRIVATE KEY", Bytes: der}); err != nil {
		t.Fatal(err)
	}
}
