package envelope

import (
	"crypto/rsa"
	"io"
	"time"
)

func Sign(payload []byte, wwwroot string, stamped time.Time, key *rsa.PrivateKey) ([]byte, error) {
	return nil, errTodo
}
func Seal(document []byte, wwwroot string, to *rsa.PublicKey, random io.Reader) ([]byte, error) {
	return nil, errTodo
}
func IsSealed(body []byte) bool { return false }

// Opened is what stood in a seal.
type Opened struct {
	Document []byte
	Wwwroot  string
	Key      int // index of the key that opened it
}

func Open(body []byte, keys ...*rsa.PrivateKey) (*Opened, error) { return nil, errTodo }

// Signed is a parsed signedMessage.
type Signed struct {
	Payload           []byte
	Wwwroot           string
	Stamped           time.Time
	digest, signature []byte
}

func ParseSigned(document []byte) (*Signed, error) { return nil, errTodo }
func (s *Signed) Verify(key *rsa.PublicKey) error  { return errTodo }

func SealCall(payload []byte, from string, stamped time.Time, key *rsa.PrivateKey, to *rsa.PublicKey, random io.Reader) ([]byte, error) {
	return nil, errTodo
}
func OpenCall(body []byte, keys ...*rsa.PrivateKey) (*Signed, int, error) { return nil, -1, errTodo }
