package peers

import (
	"context"
	"errors"
	"strings"

	"renew_mnetkeys/envelope"
)

// Push is what came of telling a peer our certificate.
type Push struct {
	// Answered is the certificate the peer answered, nil unless it is readable and carries the peer's wwwroot.
	// It proves nothing: stock Moodle answers the same and stores nothing.
	Answered *envelope.Certificate
	Failure  *Failure // nil exactly when Answered is not
	Attempts int      // HTTP exchanges begun
}

// Push sends system/keyswap with our certificate. With force it has the fourth parameter that makes a Moodle patched
// for VMoodle store it; others ignore that.
func (c *Client) Push(ctx context.Context, own Identity, p Peer, force bool) Push {
	if p.SSLVerification == 0 && strings.HasPrefix(p.Wwwroot, "https:") {
		c.o.Log.Warn().Str("peer", clean(p.Wwwroot, detailLimit)).Msg("TLS certificate not verified, as its row says")
	}
	t := c.talk(own, p)
	answered, f := t.keyswap(ctx, force)
	return Push{Answered: answered, Failure: f, Attempts: t.attempts}
}

// talk is a conversation with one peer: a few exchanges, one after another.
type talk struct {
	c        *Client
	own      Identity
	peer     Peer
	attempts int
}

func (c *Client) talk(own Identity, p Peer) *talk {
	return &talk{c: c, own: own, peer: p}
}

// post sends an XML-RPC body to the peer's server, with retries, and returns the answer when its status is 200.
func (t *talk) post(ctx context.Context, body []byte) (*answer, *Failure) {
	to, f := targetOf(t.peer, t.peer.ServerURL)
	if f != nil {
		return nil, f
	}
	if !t.toOwnSite() {
		to.peer = t.peer.Wwwroot
	}
	to.sealed = envelope.IsSealed(body)
	a, attempts, f := t.c.retry(ctx, to, func(ctx context.Context) (*answer, *Failure) {
		a, f := t.c.exchange(ctx, to, "POST", body)
		if f != nil {
			return nil, f
		}
		return a, a.refusal(t.peer)
	})
	t.attempts += attempts
	return a, f
}

// toOwnSite says that we talk to ourselves.
func (t *talk) toOwnSite() bool { return envelope.SameWwwroot(t.own.Wwwroot, t.peer.Wwwroot) }

// keyswap is one plain system/keyswap: our wwwroot, our certificate, what the peer runs, and the force.
func (t *talk) keyswap(ctx context.Context, force bool) (*envelope.Certificate, *Failure) {
	params := []any{t.own.Wwwroot, t.own.Key.Certificate.PEM, t.peer.Application}
	if force {
		params = append(params, 1)
	}
	body, err := encodeCall("system/keyswap", params...)
	if err != nil {
		return nil, failed(ReasonNotXMLRPC, err, "encode keyswap: %v", err)
	}
	a, f := t.post(ctx, body)
	if f != nil {
		return nil, f
	}
	answered, f := readKeyswap(t.peer, a)
	t.warnWeak(answered)
	return answered, f
}

// readKeyswap reads the answer to a keyswap (mnet_keyswap of Moodle's mnet/xmlrpc/serverlib.php).
func readKeyswap(p Peer, a *answer) (*envelope.Certificate, *Failure) {
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
		return nil, failed(ReasonUnknownToPeer, nil, "keyswap answered an empty string")
	case bool: // Moodle patched for VMoodle; a trailing slash in our wwwroot is enough
		if !v {
			return nil, failed(ReasonUnknownToPeer, nil, "it has no host with our wwwroot")
		}
	}
	return nil, failed(ReasonBadCertificate, nil, "keyswap answered no certificate")
}

// ownCertificate reads a certificate that a peer says is its own.
func ownCertificate(p Peer, text string) (*envelope.Certificate, *Failure) {
	certificate, err := envelope.ParseCertificate(text)
	if err != nil {
		return nil, failed(ReasonBadCertificate, err, "answered an unreadable certificate")
	}
	if err := certificate.CheckWwwroot(p.Wwwroot); err != nil {
		f := failed(ReasonBadCertificate, err, "answered another site's certificate: %v", err)
		var names *envelope.WwwrootError
		if errors.As(err, &names) {
			f.Other = otherSite(names.Got, p)
		}
		return nil, f
	}
	return certificate, nil
}
