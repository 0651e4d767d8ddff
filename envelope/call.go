package envelope

import (
	"crypto/rsa"
	"fmt"
)

// OpenCall opens body with the first of keys that can open it, and reads the signed document in it.
// That document must name the same site as the seal (else ErrWwwroot). The caller still has to
// compare that wwwroot with the one it called, and to Verify the signature. The int is the index of
// the key that opened the seal, or -1 if none did.
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
