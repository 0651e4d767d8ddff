package rotate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"renew_mnetkeys/envelope"
)

// localServerURL is where a Moodle answers MNet calls (mnet_application).
const localServerURL = "/mnet/xmlrpc/server.php"

// answersWanted is how many answers, each on a new connection, prove a web server: a load balancer
// hides nodes, and one of them may have an old key in its cache.
const answersWanted = 5

// localSite is the tenant as its own peer, with that certificate (PEM).
func (t *Tenant) localSite(certificate string) Peer {
	site := Peer{Wwwroot: t.Wwwroot, At: t.Configured, Application: "moodle", ServerURL: localServerURL, Certificate: certificate}
	if t.Own != nil {
		site.SSLVerification = t.Own.SSLVerification
	}
	return site
}

// question is one way to ask a web server of the local site which key it uses.
type question func(ctx context.Context, node Peer) (SelfCheck, *Failure)

// ask asks the local site whether it uses the pair of id, which is the stored one: by the given
// number of sealed calls to each web server. If the site's key has expired or is about to, or its
// row is not that of its pair, ask only reads the page that shows the key: a sealed call makes such
// a Moodle write by itself (mnet/environment.php). The page proves nothing: the check is
// SelfSkipped then, without a failure.
func (r *Renewal) ask(ctx context.Context, t *Tenant, id Identity, answers int) (SelfCheck, *Failure) {
	switch {
	case r.SelfCheck == SelfCheckOff:
		return SelfSkipped, nil
	case r.expiring(t) || t.Own.Certificate != id.Key.Certificate.PEM:
		return r.askNodes(ctx, t.localSite(id.Key.Certificate.PEM), answers, r.byPage(id))
	}
	byCall := r.byCall(id)
	return r.askNodes(ctx, t.localSite(id.Key.Certificate.PEM), answers, func(ctx context.Context, node Peer) (SelfCheck, *Failure) {
		check, f := byCall(ctx, node)
		if check != SelfFailed || f.Other != "" || len(r.Nodes) == 0 {
			return check, f
		}
		_, page := r.Network.PublicKey(ctx, node)
		if page != nil && page.Other == "" && r.isByName(node.Node) { // which counts only if it is this site
			return SelfUnreachable, page
		}
		return check, cmp.Or(r.otherSite(t, node, page), f)
	})
}

// otherSite reports a --node that is the web server of another site: it shows a certificate of a
// wwwroot that no key of this site has. f is the failure of its page, nil if that names this site.
func (r *Renewal) otherSite(t *Tenant, node Peer, f *Failure) *Failure {
	if f == nil || f.Other == "" || envelope.SameWwwroot(f.Other, r.MovedFrom) {
		return nil
	}
	ours := func(c *envelope.Certificate) bool { return envelope.SameWwwroot(c.SubjectAltName, f.Other) }
	if slices.ContainsFunc(t.certificates(), ours) {
		return nil
	}
	return &Failure{Reason: ReasonBadCertificate, Detail: f.Detail, Other: f.Other, Node: node.Node}
}

func (r *Renewal) expiring(t *Tenant) bool {
	soon := r.Now().Unix() + 60
	return t.Own.Expires <= soon
}

// answersForProof is how many answers prove a web server of this tenant.
func (r *Renewal) answersForProof() int {
	if r.Answers > 0 {
		return r.Answers
	}
	return answersWanted
}

// answersToLook is how many answers show whether a web server has another key in its cache, before
// the key is renewed and after it was pushed. One is enough if all web servers share the store that
// this program drops. What a hook empties may be separate on each server: one of them may have the
// only copy of a key.
func (r *Renewal) answersToLook() int {
	if r.hooked() || r.planning { // a dry run makes no proof later
		return r.answersForProof()
	}
	return 1
}

// byCall asks by a sealed call. Only an answer to the first call under the very same key counts: a
// site that answers 7025 and heals has just shown that it uses another.
func (r *Renewal) byCall(id Identity) question {
	return func(ctx context.Context, node Peer) (SelfCheck, *Failure) {
		proof := r.Network.Prove(ctx, id, node, nil, false)
		f := proof.Failure
		if f == nil {
			if proof.Healed || !id.Key.Certificate.Equal(proof.Certificate) {
				return SelfFailed, &Failure{Reason: ReasonCannotOpen, Detail: "it uses another key than the stored one"}
			}
			return SelfProven, nil
		}
		switch f.Reason.Row().LocalSite {
		case SelfNoRC4:
			// Either it uses another key, or its OpenSSL has no RC4 and it fails every sealed call
			// with this fault. The certificate that it shows decides which, on several connections:
			// web servers behind one address take turns.
			for i := range answersWanted {
				shown, failure := r.Network.PublicKey(ctx, node)
				switch {
				case failure != nil, i == 0 && !id.Key.Certificate.Equal(shown):
					return SelfFailed, f
				case !id.Key.Certificate.Equal(shown):
					return SelfFailed, &Failure{Reason: ReasonSeveralCaches, Detail: ReasonSeveralCaches.Row().Means}
				}
			}
			// Or every page came from another web server than the call.
			again := r.Network.Prove(ctx, id, node, nil, false).Failure
			if again == nil {
				return SelfFailed, &Failure{Reason: ReasonSeveralCaches, Detail: ReasonSeveralCaches.Row().Means}
			}
			if shows := again.Reason.Row().LocalSite; shows != SelfNoRC4 {
				return cmp.Or(shows, SelfUnreachable), again
			}
			return SelfNoRC4, &Failure{Reason: ReasonNoRC4, Detail: f.Detail}
		case SelfFailed:
			return SelfFailed, f
		}
		return SelfUnreachable, f // what answered said nothing about keys
	}
}

// byPage asks by publickey.php, which makes no Moodle write.
func (r *Renewal) byPage(id Identity) question {
	return func(ctx context.Context, node Peer) (SelfCheck, *Failure) {
		shown, f := r.Network.PublicKey(ctx, node)
		if name := id.Key.Certificate.SubjectAltName; f != nil && f.Shown != nil && envelope.SameWwwroot(f.Other, name) {
			// The stored key has another site's name, as after its settings were copied.
			shown, f = f.Shown, nil
		}
		switch {
		case f != nil && f.Other != "":
			return SelfFailed, f
		case f != nil:
			return SelfUnreachable, f
		case !id.Key.Certificate.Equal(shown):
			return SelfFailed, &Failure{Reason: ReasonCannotOpen, Detail: "its publickey.php shows another key than the stored one"}
		}
		return SelfSkipped, nil
	}
}

// stale reports an answer that may come from a cache with another pair than the stored one, or with
// other settings: dropping the cache may cure it. A site that says that MNet is off, although the
// database says that it is on, has shown no key.
func stale(check SelfCheck, f *Failure) bool {
	if f == nil || f.Other != "" {
		return false
	}
	return f.Reason == ReasonMNetOff || usesAnotherKey(check, f)
}

// usesAnotherKey reports whether a web server was seen to use another key than the stored one. Of
// another site's web server, of one whose clock is wrong, and of one that does not know its wwwroot,
// no key of this site was seen. Of the verdict on several web servers, it reports whether one was
// seen to.
func usesAnotherKey(check SelfCheck, f *Failure) bool {
	return check == SelfFailed && f.Other == "" && f.Reason != ReasonClock && f.Reason != ReasonUnknownToPeer
}

// stopping gives the error for an answer that is not caused by a cache, nil if the run may go on.
func (t *Tenant) stopping(check SelfCheck, f *Failure) error {
	switch {
	case f == nil, check == SelfNoRC4, stale(check, f):
		return nil
	case f.Other != "":
		return &OtherNameError{Wwwroot: t.address(), Answers: f.Other, Node: f.Node, Among: f.among}
	case f.Reason == ReasonUnknownToPeer:
		return &OtherNameError{Wwwroot: t.address()}
	case f.Reason == ReasonClock:
		return fmt.Errorf("%w: %w", ErrOwnClock, f)
	}
	return &UnreachableError{Wwwroot: t.address(), Failure: f, Nodes: f.missing()}
}

// stopped is stopping for a run that has to end: it also finds out what to advise.
func (r *Renewal) stopped(ctx context.Context, t *Tenant, check SelfCheck, f *Failure) error {
	err := t.stopping(check, f)
	var away *UnreachableError
	if errors.As(err, &away) {
		away.Named, away.Hooked = len(r.Nodes) > 0, r.hooked()
	}
	const here = "127.0.0.1"
	asked := slices.ContainsFunc(r.nodes, func(n NodeReport) bool { return n.Address == here })
	if away != nil && f.Reason != ReasonStrayOutput && len(r.Nodes) == 0 && !asked && ctx.Err() == nil {
		site := t.localSite("")
		site.Node, site.SSLVerification = here, 0
		_, failure := r.Network.PublicKey(ctx, site)
		away.Loopback = failure == nil
	}
	return err
}
