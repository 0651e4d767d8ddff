// Package peers speaks MNet to other sites over HTTP: the plain keyswap, the signed and sealed call, and what is
// read without either (publickey.php, the title of a home page). It mirrors mnet/xmlrpc/client.php and
// mnet_get_public_key() of mnet/lib.php in Moodle, and says of every answer what it proves: a keyswap answer
// nothing, a sealed answer that opens with our key and verifies under the peer's certificate everything.
//
// It refuses what a renewal has no use for: redirects, proxies, answers over 1 MiB, any scheme but http and https.
package peers

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/rs/zerolog"

	"renew_mnetkeys/envelope"
)

// Peer is another site as the rows of this tenant describe it.
type Peer struct {
	Wwwroot         string // mnet_host.wwwroot, no trailing slash
	Application     string // mnet_application.name: "moodle" or "mahara"
	ServerURL       string // mnet_application.xmlrpc_server_url, appended to Wwwroot
	SSLVerification int    // mnet_host.sslverification: 0 nothing, 1 host name, 2 host name and chain
	Certificate     string // mnet_host.public_key, the PEM we hold; may be empty or unreadable
}

// Identity is the site that calls.
type Identity struct {
	Wwwroot  string
	Key      *envelope.KeyPair   // signs what is sent, and must open what comes back
	Archived []*envelope.KeyPair // retired pairs, newest first; they only read answers of peers that missed a renewal
}

// Options configure a Client. The zero value of each field is its default.
type Options struct {
	Timeout        time.Duration // of one HTTP exchange, from dialling to the last byte of the answer; 15s
	Concurrency    int           // exchanges at once over all; 32
	PerAddress     int           // exchanges at once to one IP address; 4
	Retries        int           // extra tries of one exchange, for what a retry can cure; 2, negative for none
	DriftThreshold time.Duration // how far ahead of Now an answer may be stamped; 15s, as Moodle's drift_threshold
	TLSSkipVerify  bool          // verify no TLS certificate, whatever the peer's row says
	RootCAs        *x509.CertPool
	Now            func() time.Time
	Sleep          func(context.Context, time.Duration) error
	Random         io.Reader // of seals and of the jitter between tries; must be safe for concurrent use
	Dial           func(ctx context.Context, network, addr string) (net.Conn, error)
	Resolve        func(ctx context.Context, host string) ([]netip.Addr, error)
	Log            zerolog.Logger
}

// Client calls peers. It is safe for concurrent use; its limits hold over all callers together.
type Client struct {
	o Options
}

// New makes a client; the caller closes it.
func New(o Options) *Client { return &Client{o: o} }

// Close drops what the client still holds open. No call may be under way.
func (c *Client) Close() {}

// Push is what came of telling a peer our certificate.
type Push struct {
	// Answered is the certificate the peer answered, nil unless it is readable and carries the peer's wwwroot.
	// It proves nothing: stock Moodle answers the same and stores nothing.
	Answered *envelope.Certificate
	Failure  *Failure // nil when the keyswap was answered with Answered
	Attempts int      // HTTP exchanges begun
	Took     time.Duration
}

// Proof is what came of a sealed round trip.
type Proof struct {
	// Certificate is the peer's certificate under which its answer verified, or nil. It may be stored in the row.
	Certificate *envelope.Certificate
	Healed      bool     // the first call was answered 7025, 710 or Mahara's fault 0, and a later one proved
	Failure     *Failure // nil: proven
	Attempts    int      // HTTP exchanges begun, a keyswap in between included
	Took        time.Duration
}

// Push sends system/keyswap with our certificate; force is VMoodle's fourth parameter.
func (c *Client) Push(ctx context.Context, own Identity, p Peer, force bool) Push {
	return Push{Failure: &Failure{Err: errTodo}}
}

// Prove makes the sealed round trip.
func (c *Client) Prove(ctx context.Context, own Identity, p Peer, answered *envelope.Certificate, mayKeyswap bool) Proof {
	return Proof{Failure: &Failure{Err: errTodo}}
}

// PublicKey reads the certificate that wwwroot/mnet/publickey.php shows.
func (c *Client) PublicKey(ctx context.Context, p Peer) (*envelope.Certificate, error) {
	return nil, errTodo
}

// Title reads the title of a site's home page, at most 80 characters.
func (c *Client) Title(ctx context.Context, wwwroot string, sslVerification int) (string, error) {
	return "", errTodo
}

// Reachable connects (TCP, and TLS for https) and sends nothing.
func (c *Client) Reachable(ctx context.Context, p Peer) error { return errTodo }

// Address resolves the host of a wwwroot.
func (c *Client) Address(ctx context.Context, wwwroot string) (netip.Addr, error) {
	return netip.Addr{}, errTodo
}

var errTodo = errors.New("not written yet")
