// Package peers speaks MNet to other sites over HTTP: the plain keyswap, the signed and sealed
// call, and what is read without either (publickey.php, the title of a home page). It mirrors
// mnet/xmlrpc/client.php and mnet_get_public_key() of mnet/lib.php in Moodle, and says of every
// answer what it proves: a keyswap answer nothing, a sealed answer that opens with our key and
// verifies under the peer's certificate everything, be it a fault. What a proof cannot show: the
// signature covers the payload alone, so that whoever sits between and has an answer that the peer
// once signed for him can seal it anew. Over https with a verified name nobody sits there.
//
// It refuses what a renewal has no use for: redirects, proxies, compressed answers, answers over 1
// MiB, any scheme but http and https. And it refuses what Moodle's own parser refuses: XML with
// anything before or behind it.
//
// It tells apart why a call ended: interrupted is what the caller's context ended, timeout what
// Options.Timeout did. A peer may be called on one of its nodes (Peer.Node), under the name of its
// wwwroot all the same.
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

// Options configure a Client. Where a field is zero, the default named here holds.
type Options struct {
	Timeout        time.Duration // of one HTTP exchange, from dialling to the last byte of the answer; 15s
	Concurrency    int           // exchanges at once over all; 32
	PerAddress     int           // exchanges at once with one IP address; 4
	Retries        int           // extra tries of one exchange, for what a retry can cure; 2. Negative: none
	DriftThreshold time.Duration // how far ahead of Now an answer may be stamped; 15s, as Moodle's drift_threshold
	TLSSkipVerify  bool          // verify no TLS certificate, whatever the peer's row says
	RootCAs        *x509.CertPool
	Now            func() time.Time
	Sleep          func(context.Context, time.Duration) error // returns the context's error when that ends first
	Random         io.Reader                                  // of seals and jitter; safe for concurrent use
	Dial           func(ctx context.Context, network, addr string) (net.Conn, error)
	Resolve        func(ctx context.Context, host string) ([]netip.Addr, error)
	Log            zerolog.Logger
}

// Client calls peers. It is safe for concurrent use; its limits hold over all callers together. So
// does what it knows of peers that do not answer: a peer of which all tries ended in dns, connect
// or timeout is not called for a minute, unless by itself; calls to it fail at once with that
// reason, and Attempts is 0.
type Client struct {
	o       Options
	names   *names
	limits  *limits
	breaker *breaker
	signed  signedCall
	weak    sync.Map // wwwroots of peers that were warned of, see warnWeak
}

// New makes a client. It owns no goroutine and no connection between calls.
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

// Close ends the client's use. Nothing stays open between calls, so that there is nothing to wait
// for; it is here so that a Client that one day keeps connections can be closed by those who made
// it.
func (c *Client) Close() {}

func orDefault[T int | time.Duration](v, otherwise T) T {
	if v <= 0 {
		return otherwise
	}
	return v
}
