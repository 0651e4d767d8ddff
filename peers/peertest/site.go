// Package peertest is a fake MNet site for tests. It does not pretend: it opens the seals it is sent, verifies
// signatures under the certificates it holds, heals the way Moodle and Mahara do, and misbehaves on request.
// It has its own small XML-RPC, so that it checks package peers independently.
package peertest

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	"renew_mnetkeys/envelope"
)

// Kind is the software a site behaves as.
type Kind int

const (
	Patched Kind = iota // Moodle with VMoodle's forced keyswap
	Stock               // Moodle as released: answers a keyswap, stores nothing, heals on a sealed call
	Mahara              // Mahara 23.04
)

// Options of a site.
type Options struct {
	Kind        Kind
	Address     string        // where it listens, default "127.0.0.1:0"
	Wwwroot     string        // default http (https with TLS) and the address
	Name        string        // title of its home page, default "Site " and the wwwroot
	Store       Store         // default NewMemory with a fresh pair
	Latency     time.Duration // before anything is answered, a worker held
	Workers     int           // a pool of its own of this size, 0 = unlimited
	Pool        *Pool         // a pool shared with other sites; wins over Workers
	CallTimeout time.Duration // of one call it makes itself, default 5s
	TLS         *tls.Config
}

// Site is a running fake site.
type Site struct{}

var errTodo = errors.New("not written yet")

// Start runs a site; the caller closes it.
func Start(o Options) (*Site, error) { return nil, errTodo }

func (s *Site) Close()                                         {}
func (s *Site) Wwwroot() string                                { return "" }
func (s *Site) ServerURL() string                              { return "" }
func (s *Site) Certificate() string                            { return "" }
func (s *Site) Renew(archive bool) error                       { return errTodo }
func (s *Site) Held(wwwroot string) string                     { return "" }
func (s *Site) Know(wwwroot, certificate string) error         { return errTodo }
func (s *Site) Call(ctx context.Context, wwwroot string) error { return errTodo }
func (s *Site) Misbehave(faults ...Fault)                      {}
func (s *Site) MisbehaveTimes(n int, fault Fault)              {}
func (s *Site) Requests() []Request                            { return nil }

// Store is where a site keeps its keys and host rows.
type Store interface {
	Keys(ctx context.Context) (current *envelope.KeyPair, history []*envelope.KeyPair, err error)
	Held(ctx context.Context, wwwroot string) (certificate string, known bool, err error)
	Hold(ctx context.Context, wwwroot, certificate string) error
}

// Publisher is a Store whose host row may differ from the pair its web side uses, as with a stale cache: keyswap
// answers what Published returns. Without it keyswap answers the certificate of Keys.
type Publisher interface {
	Published(ctx context.Context) (certificate string, err error)
}

// Fault is one way to misbehave.
type Fault string

// Pool is a number of workers, as of one PHP-FPM pool, shared by sites.
type Pool struct{}

// NewPool makes a pool of n workers.
func NewPool(n int) *Pool { return &Pool{} }

// Request is one thing a site was sent.
type Request struct {
	Method   string // "system/keyswap", "system/listServices", "GET /mnet/publickey.php", ...
	From     string // wwwroot of the caller, "" when it did not say
	Params   int    // number of parameters
	Force    bool
	Sealed   bool
	Verified bool // its signature verified under the certificate held before or after healing
	Fault    int  // XML-RPC fault answered, -1 for none
	Status   int  // HTTP status answered
}

// NewKeyPair makes a pair and a self-signed certificate for wwwroot, cheaply; it panics when it cannot.
func NewKeyPair(wwwroot string, bits int) *envelope.KeyPair { return nil }
