package peers

import (
	"context"
	"errors"
	"slices"

	"renew_mnetkeys/envelope"
)

// afterUnopened answers a 7023: no key of the peer, current or archived, opens what is sealed to this certificate.
// Either it has forgotten that key, or shows one that it does not use yet (its cache is stale), or its OpenSSL has no RC4
// and it opens nothing at all. What it answers to a keyswap tells: it must open at least what is sealed to that.
func (w *proving) afterUnopened(ctx context.Context, refused *Failure, under *envelope.Certificate) (*envelope.Certificate, *Failure) {
	w.unopened = append(w.unopened, under)
	if w.opened {
		return nil, refused // it can do RC4
	}
	if w.answered == nil {
		if !w.mayKeyswap {
			return nil, refused
		}
		answered, f := w.keyswap(ctx, false)
		switch {
		case f != nil && f.Pending(): // what was refused is not known: the next run asks again
			return nil, failed(f.Reason, f, "%s, after it answered: %s", f.Detail, refused.Detail)
		case f != nil:
			return nil, failed(refused.Reason, f, "%s; keyswap: %v", refused.Detail, f)
		}
		w.answered = answered
	}
	for _, candidate := range []*envelope.Certificate{w.answered, w.held} {
		if candidate != nil && !slices.ContainsFunc(w.unopened, candidate.Equal) {
			return candidate, nil
		}
	}
	return nil, failed(ReasonNoRC4, nil, "opens no call sealed to the certificate it shows: "+
		"its OpenSSL has no RC4 (legacy provider), or its private key is another")
}

// afterRenewed answers a 7025: the peer has a new key and names its certificate. Moodle signs that with the key we
// used, which proves it. Mahara signs with the new key: its keyswap must name the same certificate. For a key that it
// never had, Mahara names none: its keyswap tells, and the next call proves.
func (w *proving) afterRenewed(ctx context.Context, got *sealedAnswer, under *envelope.Certificate) (*envelope.Certificate, *Failure) {
	refused := got.fault.refusal()
	named, err := envelope.ParseCertificate(got.fault.text)
	if err != nil {
		return w.current(ctx, refused, under)
	}
	if err := named.CheckWwwroot(w.peer.Wwwroot); err != nil {
		return nil, failed(ReasonBadCertificate, err, "names another site's certificate: %v", err)
	}
	if named.Equal(under) {
		return nil, refused
	}
	f := w.verify(got.signed, under)
	if f == nil {
		return named, nil
	}
	if w.peer.Application != mahara || !errors.Is(f.Err, envelope.ErrSignature) || !w.mayKeyswap {
		return nil, f
	}
	if f := w.verify(got.signed, named); f != nil {
		return nil, f
	}
	shown, f := w.keyswap(ctx, false)
	if f != nil {
		return nil, f
	}
	if !shown.Equal(named) {
		return nil, failed(ReasonBadCertificate, nil, "answers a keyswap with another certificate than it names")
	}
	return named, nil
}

// current asks the peer for its certificate by keyswap, where that can be another than the one it would not take.
func (w *proving) current(ctx context.Context, refused *Failure, under *envelope.Certificate) (*envelope.Certificate, *Failure) {
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
