package testbed

import (
	"crypto/rand"
	"crypto/rsa"
	"testing"
	"time"
)

// KeyGeneration is the time to make one key of 2048 bits on this machine, on average.
func KeyGeneration(b *testing.B) time.Duration {
	b.Helper()
	const n = 10
	started := time.Now()
	for range n {
		if _, err := rsa.GenerateKey(rand.Reader, 2048); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(started) / n
}
