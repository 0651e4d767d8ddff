package peers

import (
	"context"
	"errors"
	"strings"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/rotate"
)

// Push implements rotate.Network: it sends system/keyswap with our certificate, and with the fourth
// parameter that makes a Moodle patched for VMoodle store it. Other sites ignore that parameter.
func (c *Client) Push(ctx context.Context, own rotate.Identity, p rotate.Peer) rotate.Push {
	return c.push(ctx, own, p, true)
}

// keyswap sends the plain system/keyswap with three parameters.
func (c *Client) keyswap(ctx context.Context, own rotate.Identity, p rotate.Peer) rotate.Push {
	return c.push(ctx, own, p, false)
}

func (c *Client) push(ctx context.Context, own rotate.Identity, p rotate.Peer, force bool) rotate.Push {
	if p.SSLVerification == 0 && strings.HasPrefix(p.Wwwroot, "https:") {
		c.o.Log.Warn().Str("peer", clean(p.Wwwroot, detailLimit)).Msg("TLS certificate not verified, as its row says")
	}
	t := c.talk(own, p)
	answered, f := t.keyswap(ctx, force)
	return rotate.Push{PeerCertificate: answered, Failure: f, Attempts: t.attempts}
}

// talk is a conversation with one peer: a few exchanges, one after another.
type talk struct {
	c        *Client
	own      rotate.Identity
	peer     rotate.Peer
	attempts int
}

func (c *Client) talk(own rotate.Identity, p rotate.Peer) *talk {
	return &talk{c: c, own: own, peer: p}
}

// post sends an XML-RPC body to the peer's server, with retries, and returns the answer if its
// status is 200.
func (t *talk) post(ctx context.Context, body []byte) (*answer, *rotate.Failure) {
	to, f := targetOf(t.peer, t.peer.ServerURL)
	if f != nil {
		return nil, f
	}
	if !t.toLocalSite() {
		to.peer = t.peer.Wwwroot
	}
	to.sealed = envelope.IsSealed(body)
	if !to.sealed {
		to = to.forKeyswap(t.own.Proxy, t.peer)
	}
	a, attempts, f := t.c.retry(ctx, to, func(ctx context.Context) (*answer, *rotate.Failure) {
		a, f := t.c.exchange(ctx, to, "POST", body)
		if f != nil {
			return nil, f
		}
		return a, a.refusal(t.peer)
	})
	t.attempts += attempts
	return a, f
}

// toLocalSite says whether the local site calls itself.
func (t *talk) toLocalSite() bool { return envelope.SameWwwroot(t.own.Wwwroot, t.peer.Wwwroot) }

// keyswap is one plain system/keyswap with our wwwroot, our certificate, what the peer runs, and
// the force.
func (t *talk) keyswap(ctx context.Context, force bool) (*envelope.Certificate, *rotate.Failure) {
	params := []any{t.own.Wwwroot, t.own.Key.Certificate.PEM, t.peer.Application}
	if force {
		params = append(params, 1)
	}
	a, f := t.post(ctx, encodeCall("system/keyswap", params...))
	if f != nil {
		return nil, f
	}
	answered, f := readKeyswap(t.peer, a)
	t.warnWeak(answered)
	return answered, f
}

// readKeyswap reads the answer to a keyswap (mnet_keyswap of Moodle's mnet/xmlrpc/serverlib.php).
func readKeyswap(p rotate.Peer, a *answer) (*envelope.Certificate, *rotate.Failure) {
	value, refused, err := decodeAnswer(a.body)
	if err != nil {
		return nil, a.notXMLRPC(err)
	}
	if refused != nil {
		return nil, refused.refusal()
	}
	switch v := value.(type) {
	case string:
		if v != "" {
			return ownCertificate(p, v)
		}
		return nil, failed(rotate.ReasonUnknownToPeer, nil, "keyswap answered an empty string")
	case nil:
		return nil, failed(rotate.ReasonUnknownToPeer, nil, "keyswap answered nothing")
	case bool: // Moodle patched for VMoodle; it answers so if our wwwroot has a trailing slash
		if !v {
			return nil, failedAs(rotate.ReasonUnknownToPeer)
		}
	}
	return nil, failed(rotate.ReasonBadCertificate, nil, "keyswap answered no certificate")
}

// ownCertificate reads a certificate that a peer says is its own.
func ownCertificate(p rotate.Peer, text string) (*envelope.Certificate, *rotate.Failure) {
	certificate, err := envelope.ParseCertificate(text)
	if err != nil {
		return nil, failed(rotate.ReasonBadCertificate, err, "answered an unreadable certificate")
	}
	if err := certificate.CheckWwwroot(p.Wwwroot); err != nil {
		f := failed(rotate.ReasonBadCertificate, err, "answered another site's certificate: %v", err)
		var names *envelope.WwwrootError
		if errors.As(err, &names) {
			f.Other, f.Shown = otherSite(names.Got, p), certificate
		}
		return nil, f
	}
	return certificate, nil
}
