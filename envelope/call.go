package envelope

import (
	"crypto/rsa"
	"fmt"
	"io"
	"time"
)

// SealCall signs payload with key as the site from, and seals that to the peer whose public key is to: the body of a
// sealed call, and of the answer to one.
func SealCall(payload []byte, from string, stamped time.Time, key *rsa.PrivateKey, to *rsa.PublicKey, random io.Reader) ([]byte, error) {
	signed, err := Sign(payload, from, stamped, key)
	if err != nil {
		return nil, err
	}
	return Seal(signed, from, to, random)
}

// OpenCall opens body with the first of keys that can and reads the signed document in it, which must be of the same
// site as the seal (else ErrWwwroot). The caller still has to compare that wwwroot with the one it talked to, and
// to Verify the signature. The int is the index of the key that opened the seal, -1 where none did.
func OpenCall(body []byte, keys ...*rsa.PrivateKey) (*Signed, int, error) {
	opened, err := Open(body, keys...)
	if err != nil {
		return nil, -1, err
	}
	signed, err := ParseSigned(opened.Document)
	if err != nil {
		return nil, opened.Key, err
	}
	if !SameWwwroot(signed.Wwwroot, opened.Wwwroot) {
		return nil, opened.Key, fmt.Errorf("open call: %w: signed by another than sealed it", ErrWwwroot)
	}
	return signed, opened.Key, nil
}
