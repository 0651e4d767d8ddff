// Package peers speaks MNet to other sites over HTTP: the plain keyswap, the signed and sealed
// call, and what is read without either (publickey.php, the title of a home page). It mirrors
// mnet/xmlrpc/client.php and mnet_get_public_key() of mnet/lib.php in Moodle, and says of every
// answer what it proves. A keyswap answer proves nothing. A sealed answer that opens with our key
// and verifies under the peer's certificate proves everything, even if it is a fault. A proof has
// one limit: the signature covers the payload alone, so an attacker in the middle who has an answer
// that the peer once signed for him can seal that answer again. Over https with a verified name,
// there is no one in the middle.
//
// It refuses what a renewal does not need: redirects, proxies, compressed answers, answers over 1
// MiB, any scheme but http and https. It also refuses what Moodle's own parser refuses: XML with
// anything before or after it.
//
// It distinguishes why a call ended: interrupted if the caller's context ended it, timeout if
// Options.Timeout did. A peer may be called on one of its nodes (Peer.Node), but always under the
// name of its wwwroot.
package peers

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"renew_mnetkeys/rotate"

	"github.com/rs/zerolog"
)

// Options configure a Client. If a field is zero, the default named here applies.
type Options struct {
	Timeout        time.Duration // for one HTTP exchange, from dialling to the last byte of the answer; 15s
	Concurrency    int           // maximum of exchanges at the same time, in total; 32
	PerAddress     int           // maximum of exchanges at the same time with one IP address; 4
	Retries        int           // extra tries of one exchange, for failures that a retry can cure; 2. Negative: none
	DriftThreshold time.Duration // how far an answer's timestamp may be ahead of Now; 15s, as Moodle's drift_threshold
	TLSSkipVerify  bool          // verify no TLS certificate, whatever the peer's row says
	RootCAs        *x509.CertPool
	Now            func() time.Time
	Sleep          func(context.Context, time.Duration) error // returns the context's error if the context ends first
	Random         io.Reader                                  // for seals and jitter; safe for concurrent use
	Dial           func(ctx context.Context, network, addr string) (net.Conn, error)
	Resolve        func(ctx context.Context, host string) ([]netip.Addr, error)
	Log            zerolog.Logger
}

// Client calls peers. It is safe for concurrent use; its limits apply to all callers together. So
// does what it knows of peers that do not answer: if all tries of a peer ended in dns, connect or
// timeout, that peer is not called for a minute, except by itself. Calls to it fail at once with
// that reason, and Attempts is 0.
type Client struct {
	o       Options
	names   *names
	limits  *limits
	breaker *breaker
	signed  signedCall
	weak    sync.Map // wwwroots of peers that have been warned about, see warnWeak
}

// New makes a client. It has no goroutine, and no connection between calls.
func New(o Options) *Client {
	o.Timeout = orDefault(o.Timeout, 15*time.Second)
	o.Concurrency = orDefault(o.Concurrency, 32)
	o.PerAddress = orDefault(o.PerAddress, 4)
	o.DriftThreshold = orDefault(o.DriftThreshold, 15*time.Second)
	switch {
	case o.Retries == 0:
		o.Retries = 2
	case o.Retries < 0:
		o.Retries = 0
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = rotate.Sleep
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	if o.Resolve == nil {
		o.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	return &Client{o: o, names: newNames(o.Resolve, o.Timeout), limits: newLimits(o.Concurrency, o.PerAddress), breaker: newBreaker(o.Now)}
}

// Close ends the use of the client. Nothing stays open between calls, so there is nothing to wait
// for. The method exists so that callers already close a Client that might keep connections one
// day.
func (c *Client) Close() {}

func orDefault[T int | time.Duration](v, otherwise T) T {
	if v <= 0 {
		return otherwise
	}
	return v
}
