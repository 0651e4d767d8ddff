package peers

import (
	"cmp"
	"context"
	"crypto/rsa"
	"errors"
	"time"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/rotate"
)

// sealedAnswer is the answer to a sealed call, read but not verified yet.
type sealedAnswer struct {
	fault  *fault           // nil: the call was carried out
	signed *envelope.Signed // nil: the fault came unsealed
	key    int              // index of our key that opened it: 0 the current, else a retired one
}

// call makes a sealed system/listServices, which needs no service and no permission, under the
// given certificate.
func (t *talk) call(ctx context.Context, under *envelope.Certificate) (*sealedAnswer, *rotate.Failure) {
	t.warnWeak(under)
	document, err := t.c.signed.sign(t.c, t.own)
	if err != nil {
		return nil, failed(rotate.ReasonNotXMLRPC, err, "sign the call: %v", err)
	}
	body, err := envelope.Seal(document, t.own.Wwwroot, under.PublicKey, t.c.o.Random)
	if err != nil {
		return nil, failed(rotate.ReasonBadCertificate, err, "seal to its certificate: %v", err)
	}
	a, f := t.post(ctx, body)
	if f != nil {
		return nil, f
	}
	return readSealed(t.own, a)
}

// readSealed opens the answer to a sealed call. Faults from before the peer knew who called come
// unsealed. Any other unsealed answer proves nothing and is refused.
func readSealed(own rotate.Identity, a *answer) (*sealedAnswer, *rotate.Failure) {
	if !envelope.IsSealed(a.body) {
		_, refused, err := decodeAnswer(a.body)
		switch {
		case err != nil:
			return nil, a.notXMLRPC(err)
		case refused == nil:
			f := failed(rotate.ReasonBadSignature, nil, "answered a sealed call in plain text")
			f.Next = "find out what answers at the peer's wwwroot: a Moodle or Mahara seals its answer"
			return nil, f
		}
		return &sealedAnswer{fault: refused}, nil
	}
	keys := []*rsa.PrivateKey{own.Key.Private}
	signed, key, err := envelope.OpenCall(a.body, keys...)
	if errors.Is(err, envelope.ErrCannotOpen) && own.Retired != nil {
		for _, pair := range own.Retired() {
			keys = append(keys, pair.Private)
		}
		signed, key, err = envelope.OpenCall(a.body, keys...)
	}
	if err != nil {
		return nil, openFailure(err)
	}
	_, refused, err := decodeAnswer(signed.Payload)
	if f := strayFailure(err); f != nil {
		return nil, f
	}
	if err != nil {
		return nil, failed(rotate.ReasonNotXMLRPC, err, "its sealed answer is not XML-RPC")
	}
	return &sealedAnswer{fault: refused, signed: signed, key: key}, nil
}

func openFailure(err error) *rotate.Failure {
	if f := strayFailure(err); f != nil {
		return f
	}
	switch {
	case errors.Is(err, envelope.ErrCannotOpen):
		return failed(rotate.ReasonCannotOpen, err, "it uses another certificate of this site, whose key this site does not have")
	case errors.Is(err, envelope.ErrDigest), errors.Is(err, envelope.ErrWwwroot):
		return failed(rotate.ReasonBadSignature, err, "%v", err)
	case errors.Is(err, envelope.ErrTooLarge):
		return failed(rotate.ReasonTooLarge, err, "%v", err)
	}
	return failed(rotate.ReasonNotXMLRPC, err, "its sealed answer: %v", err)
}

// oldest is how far behind our clock an answer's timestamp may be. Moodle accepts any; more than a
// day means a wrong clock, or an old answer that an attacker sends again.
const oldest = 24 * time.Hour

// verify says whether the peer signed the answer under the given certificate, with a timestamp no
// more than the threshold ahead of our clock; Moodle's client refuses later ones (drift_threshold).
// The timestamp is outside the signature, like the wwwroot: both reveal mistakes, not attackers.
func (t *talk) verify(s *envelope.Signed, under *envelope.Certificate) *rotate.Failure {
	if err := s.Verify(under.PublicKey); err != nil {
		return failed(rotate.ReasonBadSignature, err, "its answer does not verify under its certificate")
	}
	if !envelope.SameWwwroot(s.Wwwroot, t.peer.Wwwroot) {
		f := failed(rotate.ReasonBadSignature, envelope.ErrWwwroot, "its answer says it is from %s", s.Wwwroot)
		f.Other = otherSite(s.Wwwroot, t.peer)
		return f
	}
	switch ahead := s.Stamped.Sub(t.c.o.Now()).Truncate(time.Second); {
	case ahead > cmp.Or(t.own.Drift, t.c.o.DriftThreshold):
		return failed(rotate.ReasonClock, nil, "its clock is %s ahead of this machine's, or this machine's is behind", ahead)
	case ahead < -oldest:
		return failed(rotate.ReasonClock, nil, "its answer is stamped %s ago: its clock is behind, the clock of this machine is ahead, or the answer is an old one", -ahead)
	}
	return nil
}

// wwwrootLimit is the size of mnet_host.wwwroot, in characters.
const wwwrootLimit = 255

// otherSite returns named, a wwwroot in an answer, if it names another site than the peer;
// otherwise "".
func otherSite(named string, p rotate.Peer) string {
	if _, f := parseTarget(named, 0); f != nil || envelope.SameWwwroot(named, p.Wwwroot) {
		return ""
	}
	return clean(named, wwwrootLimit)
}
