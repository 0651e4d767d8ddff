package peers

import (
	"context"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/rotate"
)

// maxCalls bounds the sealed calls of one proof. The longest honest sequence is 7023, then another
// certificate, 7025, and fault 0 of a Mahara that heals.
const maxCalls = 6

// Prove makes sealed calls until one is answered in a way that settles the matter. The peer is
// proven only if the answer opens with own.Key, is signed by the peer and names it, and its
// timestamp is at most DriftThreshold ahead and not a day behind. A fault that arrives in this way
// proves the keys of both sides as well, except a fault about the key or about MNet itself. Prove
// seals to answered, the peer's answer to a keyswap, or, if that is nil, to the peer's certificate
// in our row. If only a keyswap can show what a refusal means, Prove makes one (the plain form with
// three parameters), if it is allowed to. It may always read the peer's publickey.php, which
// changes nothing there.
//
// A peer that has our old certificate fetches the new one before it answers the first call; this is
// not visible here.
func (c *Client) Prove(ctx context.Context, own rotate.Identity, p rotate.Peer, answered *envelope.Certificate, mayKeyswap bool) rotate.Proof {
	t := c.talk(own, p)
	w := &proving{talk: t, answered: answered, mayKeyswap: mayKeyswap, again: map[int]bool{}}
	if stored, err := envelope.ParseCertificate(p.Certificate); err == nil {
		w.inRow = stored
	}
	f := w.run(ctx)
	w.behindProxy(ctx, f)
	return rotate.Proof{Certificate: w.verified, Healed: f == nil && w.healed, Fault: w.fault, Failure: f, Attempts: t.attempts}
}

// proving is the state of one proof.
type proving struct {
	*talk
	inRow, answered *envelope.Certificate // what to seal to: the row's, the keyswap's; nil if there is none
	mayKeyswap      bool
	notAnswered     *rotate.Failure       // of the keyswap that should have shown what to seal to
	shown           *envelope.Certificate // what its publickey.php shows, nil if that was not read

	unopened []*envelope.Certificate // calls sealed to these were answered with 7023
	again    map[int]bool            // faults after which the same call was repeated
	opened   bool                    // the peer opened one of our calls, so it supports RC4
	healed   bool

	verified *envelope.Certificate // see Proof.Certificate
	fault    string                // see Proof.Fault
}

// run calls under one certificate after another until a call proves or fails for good.
func (w *proving) run(ctx context.Context) *rotate.Failure {
	under, f := w.first(ctx)
	for calls := 0; f == nil; calls++ {
		if calls == maxCalls {
			return failed(rotate.ReasonFault7025, nil, "it names another key after every call")
		}
		var got *sealedAnswer
		if got, f = w.call(ctx, under); f != nil {
			return w.afterNothing(ctx, f)
		}
		w.opened = w.opened || got.signed != nil
		if got.settles() {
			return w.verifyAnswer(got, under)
		}
		under, f = w.next(ctx, got, under)
	}
	return f
}

// settles says that an answer proves the keys, provided that it can be believed: the call was
// carried out, or failed for a reason that is independent of the keys. Moodle seals a fault only
// after it has opened the call and knows the caller.
func (a *sealedAnswer) settles() bool {
	if a.fault == nil {
		return true
	}
	switch a.fault.code {
	case 7025, 710, 704, 6012:
		return false
	}
	return a.signed != nil
}

// first chooses the certificate to begin with.
func (w *proving) first(ctx context.Context) (*envelope.Certificate, *rotate.Failure) {
	switch {
	case w.answered != nil:
		return w.answered, nil
	case w.inRow != nil:
		return w.inRow, nil
	case !w.mayKeyswap:
		return nil, rotate.NoCertificate()
	}
	var f *rotate.Failure
	w.answered, f = w.keyswap(ctx, false)
	return w.answered, f
}

// verifyAnswer is the proof itself.
func (w *proving) verifyAnswer(got *sealedAnswer, under *envelope.Certificate) *rotate.Failure {
	if f := w.verifyUnder(got, under); f != nil {
		return f
	}
	if got.key != 0 {
		return failed(rotate.ReasonCannotOpen, nil, "it still uses a retired certificate of this site")
	}
	if !w.untried(under) {
		return failed(rotate.ReasonSeveralCaches, nil, "opens one call and not another, sealed to one certificate: its web servers work with different keys, or it has just changed its key")
	}
	if got.fault != nil {
		w.fault = clean(got.fault.refusal().Error(), detailLimit)
	}
	return nil
}

// verifyUnder verifies an answer, and remembers the certificate under which one verified.
func (w *proving) verifyUnder(got *sealedAnswer, under *envelope.Certificate) *rotate.Failure {
	f := w.verify(got.signed, under)
	if f == nil {
		w.verified = under
	}
	return f
}

// next says under which certificate to call again after a fault that settles nothing, or why no
// further call is made.
func (w *proving) next(ctx context.Context, got *sealedAnswer, under *envelope.Certificate) (*envelope.Certificate, *rotate.Failure) {
	code, refused := got.fault.code, got.fault.refusal()
	switch {
	case got.signed == nil && code == 7023:
		return w.afterUnopened(ctx, refused, under)
	case got.signed != nil && code == 7025:
		w.healed = true
		return w.afterRenewed(ctx, got, under)
	}
	if got.signed != nil {
		if f := w.verifyUnder(got, under); f != nil {
			return nil, f
		}
	}
	// Mahara answers the call on which it heals with a plain fault 0. A peer whose call-back to
	// this site failed answers 710 and tries again on the next call.
	if mayPass := code == 710 || code == 0; !mayPass || w.again[code] {
		return nil, refused
	}
	w.again[code] = true
	w.healed = true
	return under, nil
}
