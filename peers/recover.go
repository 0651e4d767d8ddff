package peers

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/rotate"
)

// afterUnopened reacts to a 7023: no key of the peer, current or retired, opens a document sealed
// to this certificate. There are three causes. The peer has lost that key; or it uses another key
// than it shows (its cache is stale, or a script replaced the key and not the row); or its OpenSSL
// has no RC4 and it opens nothing at all. Each certificate that the peer shows is tried: that of
// its keyswap, which is the one in its row, that of our row, and that of its publickey.php.
func (w *proving) afterUnopened(ctx context.Context, refused *rotate.Failure, under *envelope.Certificate) (*envelope.Certificate, *rotate.Failure) {
	w.unopened = append(w.unopened, under)
	if w.opened {
		return nil, refused // it supports RC4
	}
	if w.answered == nil && w.notAnswered == nil && w.mayKeyswap {
		w.answered, w.notAnswered = w.keyswap(ctx, false)
		if f := w.notAnswered; f != nil && f.Pending {
			return nil, w.unknown(f, refused)
		}
	}
	for _, candidate := range []*envelope.Certificate{w.answered, w.inRow} {
		if w.untried(candidate) {
			return candidate, nil
		}
	}
	return w.afterPage(ctx, refused)
}

// afterNothing finds out what an empty answer to a call means. A Moodle that has no certificate of
// this site, or an unreadable one, cannot seal its answer, and sends nothing (mnet_encrypt_message
// of mnet/lib.php returns false). So may whatever else answers at the address: only a peer that has
// shown a certificate of its own is said to lack this site's, and it may have failed otherwise. A
// Mahara answers a fault then. The row of the local site is read from the database.
func (w *proving) afterNothing(ctx context.Context, f *rotate.Failure) *rotate.Failure {
	if !errors.Is(f.Err, errNothing) || w.toLocalSite() || w.peer.Application == mahara || w.answered == nil && w.readPage(ctx) != nil {
		return f
	}
	silent := failed(rotate.ReasonCannotOpen, f.Err, "it answers the call with nothing, as a Moodle with no usable certificate of this site does")
	silent.Next = rotate.NextIfNoneStored
	if w.answered != nil {
		silent.Next = rotate.NextIfNoneFetched
	}
	return silent
}

// untried says whether a certificate is worth a call: no call sealed to it was answered with 7023.
func (w *proving) untried(c *envelope.Certificate) bool {
	return c != nil && !slices.ContainsFunc(w.unopened, c.Equal)
}

// unknown is the failure of a call that was not opened, if the exchange that should show the reason
// did not arrive: the next run asks again.
func (w *proving) unknown(f, refused *rotate.Failure) *rotate.Failure {
	unknown := failed(f.Reason, f, "%s, after it answered: %s", f.Detail, refused.Detail)
	unknown.NoRoute = f.NoRoute
	return unknown
}

// afterPage reads the certificate with which the peer's web server works. That page and the private
// key come from one setting (config_plugins mnet/openssl). A peer that does not open what is sealed
// to this certificate does not support RC4. The call is made twice, since two web servers may have
// answered, and the page is read again.
//
// It is not used for the local site: a web server that works with another pair than the stored one
// answers under that pair, which would prove exactly what is wrong.
func (w *proving) afterPage(ctx context.Context, refused *rotate.Failure) (*envelope.Certificate, *rotate.Failure) {
	if w.toLocalSite() {
		return nil, refused
	}
	why, other := "it has no page that shows the one it works with", ""
	if w.peer.Application != mahara {
		f := w.readPage(ctx)
		switch {
		case f == nil && w.untried(w.shown):
			return w.shown, nil
		case f == nil && !w.again[7023]:
			w.again[7023] = true
			return w.shown, nil
		case f == nil:
			return nil, w.opensNothing(ctx, refused)
		case f.Pending:
			return nil, w.unknown(f, refused)
		}
		why, other = fmt.Sprintf("its publickey.php cannot be read (%v)", f), f.Other
	}
	switch {
	case w.notAnswered != nil:
		return nil, failed(refused.Reason, w.notAnswered, "%s; keyswap: %v", refused.Detail, w.notAnswered)
	case w.answered == nil: // and no keyswap is allowed: the peer may have lost the key
		return nil, refused
	}
	f := failed(rotate.ReasonNoRC4, nil, "it cannot open a call that is sealed to the certificate that it answers: "+
		"its OpenSSL cannot do RC4 (legacy provider), or it works with another key; %s", why)
	f.Other = other
	return nil, f
}

// opensNothing is the failure of a peer that opens no call, not even one sealed to the certificate
// that it shows. It has no RC4, unless a load balancer hides web servers with different keys: then
// the page came from one and the calls went to others. So the page is read on some new connections.
func (w *proving) opensNothing(ctx context.Context, refused *rotate.Failure) *rotate.Failure {
	for range pagesForNoRC4 {
		shown, attempts, f := w.c.publicKey(ctx, w.peer)
		w.attempts += attempts
		switch {
		case f != nil && f.Pending:
			return w.unknown(f, refused)
		case f != nil:
			return refused
		case !shown.Equal(w.shown):
			return failed(rotate.ReasonSeveralCaches, nil, "its publickey.php shows different certificates: its web servers work with different keys, or it has just changed its key")
		}
	}
	return failed(rotate.ReasonNoRC4, nil, "it cannot open any call, not even one sealed to the certificate of its publickey.php: "+
		"its OpenSSL cannot do RC4 (legacy provider)")
}

// pagesForNoRC4 is how often a page must show the same certificate again.
const pagesForNoRC4 = 4

// readPage reads publickey.php, once.
func (w *proving) readPage(ctx context.Context) (f *rotate.Failure) {
	if w.shown == nil {
		var attempts int
		w.shown, attempts, f = w.c.publicKey(ctx, w.peer)
		w.attempts += attempts
	}
	return f
}

// afterRenewed reacts to a 7025: the peer has a new key and names its certificate. Moodle signs
// that answer with the key that we used, which proves it. Mahara signs with the new key, so its
// keyswap must name the same certificate. If Mahara never had the key that we used, it names no
// certificate: its keyswap names it, and the next call proves it.
func (w *proving) afterRenewed(ctx context.Context, got *sealedAnswer, under *envelope.Certificate) (*envelope.Certificate, *rotate.Failure) {
	refused := got.fault.refusal()
	named, err := envelope.ParseCertificate(got.fault.text)
	if err != nil {
		return w.current(ctx, refused, under)
	}
	if err := named.CheckWwwroot(w.peer.Wwwroot); err != nil {
		return nil, failed(rotate.ReasonBadCertificate, err, "names another site's certificate: %v", err)
	}
	if named.Equal(under) {
		return nil, refused
	}
	f := w.verifyUnder(got, under)
	if f == nil {
		return named, nil
	}
	if w.peer.Application != mahara || !errors.Is(f.Err, envelope.ErrSignature) || !w.mayKeyswap {
		return nil, f
	}
	// The answer names the key and is signed with it: that shows nothing until a call is answered
	// under that key.
	if f := w.verify(got.signed, named); f != nil {
		return nil, f
	}
	shown, f := w.keyswap(ctx, false)
	if f != nil {
		return nil, f
	}
	if !shown.Equal(named) {
		return nil, failed(rotate.ReasonBadCertificate, nil, "answers a keyswap with another certificate than it names")
	}
	return named, nil
}

// current asks the peer for its certificate by keyswap, if that can differ from the certificate
// that the peer refused.
func (w *proving) current(ctx context.Context, refused *rotate.Failure, under *envelope.Certificate) (*envelope.Certificate, *rotate.Failure) {
	if !w.mayKeyswap {
		return nil, refused
	}
	shown, f := w.keyswap(ctx, false)
	if f != nil {
		return nil, f
	}
	if shown.Equal(under) {
		return nil, refused
	}
	return shown, nil
}
