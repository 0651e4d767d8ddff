package testbed

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"sync"
	"testing"
)

// firstKeys are keys of sites that have ended. Most of the time that a site needs to be installed
// would go into its first key.
var firstKeys struct {
	sync.Mutex
	free []string // PKCS #8, PEM
}

// firstKey is a key that no other site has while the test runs.
func firstKey(t testing.TB) string {
	t.Helper()
	firstKeys.Lock()
	defer firstKeys.Unlock()
	var key string
	if n := len(firstKeys.free); n > 0 {
		key, firstKeys.free = firstKeys.free[n-1], firstKeys.free[:n-1]
	} else {
		key = newKey(t)
	}
	t.Cleanup(func() {
		firstKeys.Lock()
		defer firstKeys.Unlock()
		firstKeys.free = append(firstKeys.free, key)
	})
	return key
}

func newKey(t testing.TB) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}
