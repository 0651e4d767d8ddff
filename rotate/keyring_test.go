package rotate

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"sync"
	"testing"
	"time"
)

// keyring makes each key once for all tests of the package: keys are expensive, and tests
// distinguish pairs by their certificates. It is safe for concurrent use.
type keyring struct {
	mu   sync.Mutex
	keys map[string]*rsa.PrivateKey
	n    int
}

var testKeys = keyring{keys: map[string]*rsa.PrivateKey{}}

// testPairs are the pairs of testPair by wwwroot and time. They are as expensive.
var testPairs sync.Map

// enough is the number of renewals before a key is used again: more than any array of these tests
// has tenants.
const enough = 24

// of is the key of a site that was made at that time.
func (k *keyring) of(t *testing.T, wwwroot string, made time.Time) *rsa.PrivateKey {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	key, err := k.named(fmt.Sprint(wwwroot, " ", made.Unix()))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// next is a key for a renewal.
func (k *keyring) next(int) (*rsa.PrivateKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.n++
	return k.named(fmt.Sprint("new ", k.n%enough))
}

func (k *keyring) named(name string) (*rsa.PrivateKey, error) {
	key := k.keys[name]
	if key == nil {
		var err error
		if key, err = rsa.GenerateKey(rand.Reader, 1024); err != nil {
			return nil, err
		}
		k.keys[name] = key
	}
	return key, nil
}
