// Package testkey makes RSA keys for tests, quickly.
package testkey

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"math/big"
	"sync"
)

// Key makes an RSA key that no other call gets, of an even number of bits. It panics if it
// cannot.
func Key(bits int) *rsa.PrivateKey {
	found, _ := primesOf.LoadOrStore(bits, &primes{bits: bits / 2})
	p, q := found.(*primes).pair()
	one := big.NewInt(1)
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	e := big.NewInt(exponent)
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: exponent},
		D:         e.ModInverse(e, phi), Primes: []*big.Int{p, q},
	}
	key.Precompute()
	if err := key.Validate(); err != nil {
		panic(fmt.Sprintf("testkey: make a key: %v", err))
	}
	return key
}

const exponent = 65537

// primesOf are the primes of all keys, by the keys' bits.
var primesOf sync.Map

// primes of one length. To find them is nearly all of the work for a key. So each two of them make
// one, and hundreds of keys need some dozens.
type primes struct {
	sync.Mutex
	bits  int
	found []*big.Int
	next  int // of found, to go with the last
}

// pair is two primes, in each call others.
func (p *primes) pair() (*big.Int, *big.Int) {
	p.Lock()
	defer p.Unlock()
	for p.next >= len(p.found)-1 {
		prime, err := rand.Prime(rand.Reader, p.bits)
		if err != nil {
			panic(fmt.Sprintf("testkey: make a key: %v", err))
		}
		// A key has no exponent that divides one of its primes minus 1.
		if rest := new(big.Int).Mod(prime, big.NewInt(exponent)); rest.Int64() != 1 {
			p.found, p.next = append(p.found, prime), 0
		}
	}
	p.next++
	return p.found[p.next-1], p.found[len(p.found)-1]
}
