package peers

import (
	"crypto/rsa"
	"sync"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/rotate"
)

// signedCall keeps the last signed call. Every peer gets the same question, and the signed document
// does not mention the peer: so all calls of one second are one document, and signing is the most
// expensive part of a call on our side.
type signedCall struct {
	mu       sync.Mutex
	key      *rsa.PrivateKey
	wwwroot  string
	second   int64
	document []byte // read only
}

// sign returns system/listServices, signed by own with the current time.
func (s *signedCall) sign(c *Client, own rotate.Identity) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := c.o.Now()
	if s.key == own.Key.Private && s.wwwroot == own.Wwwroot && s.second == now.Unix() {
		return s.document, nil
	}
	document, err := envelope.Sign(encodeCall("system/listServices"), own.Wwwroot, now, own.Key.Private)
	if err != nil {
		return nil, err
	}
	s.key, s.wwwroot, s.second, s.document = own.Key.Private, own.Wwwroot, now.Unix(), document
	return document, nil
}
