package rotate

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sync/errgroup"
)

// localServerURL is where a Moodle answers MNet calls (mnet_application).
const localServerURL = "/mnet/xmlrpc/server.php"

// answersWanted is how many answers, each on a new connection, prove a web server:
// a load balancer hides nodes, of which one may have an old key in its cache.
const answersWanted = 5

// localSite is the tenant as its own peer, with that certificate (PEM).
func (t *Tenant) localSite(certificate string) Peer {
	site := Peer{Wwwroot: t.Wwwroot, Application: "moodle", ServerURL: localServerURL, Certificate: certificate}
	if t.Own != nil {
		site.SSLVerification = t.Own.SSLVerification
	}
	return site
}

// question is one way to ask a web server of the local site which key it uses.
type question func(ctx context.Context, node Peer) (SelfCheck, *Failure)

// ask asks the local site whether it uses the pair of id, which is the stored one:
// by sealed calls, so many to each web server. A site whose key has expired, or is
// about to, is only asked for the page that shows its key, and so is one whose row
// is not that of its pair: a sealed call makes such a Moodle write by itself
// (mnet/environment.php). The page proves nothing: the check is SelfSkipped then,
// without a failure.
func (r *Renewal) ask(ctx context.Context, t *Tenant, id Identity, answers int) (SelfCheck, *Failure) {
	switch {
	case r.SelfCheck == SelfCheckOff:
		return SelfSkipped, nil
	case r.expiring(t) || t.Own.Certificate != id.Key.Certificate.PEM:
		return r.askNodes(ctx, t.localSite(id.Key.Certificate.PEM), 1, r.byPage(id))
	}
	return r.askNodes(ctx, t.localSite(id.Key.Certificate.PEM), answers, r.byCall(id))
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

// byCall asks by a sealed call. Only an answer at the first call under the very
// key counts: a site that answers 7025 and heals has just shown that it uses
// another.
func (r *Renewal) byCall(id Identity) question {
	return func(ctx context.Context, node Peer) (SelfCheck, *Failure) {
		proof := r.Network.Prove(ctx, id, node, nil, false)
		f := proof.Failure
		if f == nil {
			if proof.Healed || !id.Key.Certificate.Equal(proof.Certificate) {
				return SelfFailed, &Failure{Reason: "cannot_open", Detail: "it uses another key than the stored one"}
			}
			return SelfProven, nil
		}
		switch f.Reason {
		case "fault_7023", "no_rc4":
			// Either it uses another key, or its OpenSSL cannot do RC4 and it fails every
			// sealed call with this fault. What it shows tells which.
			if shown, failure := r.Network.PublicKey(ctx, node); failure == nil && id.Key.Certificate.Equal(shown) {
				return SelfNoRC4, &Failure{Reason: "no_rc4", Detail: f.Detail}
			}
			return SelfFailed, f
		case "fault_7025", "fault_710", "cannot_open", "bad_signature", "bad_certificate", "unknown_to_peer", "mnet_off", "clock":
			return SelfFailed, f
		}
		return SelfUnreachable, f // whatever answered, it said nothing of keys
	}
}

// byPage asks by publickey.php, which makes no Moodle write.
func (r *Renewal) byPage(id Identity) question {
	return func(ctx context.Context, node Peer) (SelfCheck, *Failure) {
		shown, f := r.Network.PublicKey(ctx, node)
		switch {
		case f != nil && f.Other != "":
			return SelfFailed, f
		case f != nil:
			return SelfUnreachable, f
		case !id.Key.Certificate.Equal(shown):
			return SelfFailed, &Failure{Reason: "cannot_open", Detail: "its publickey.php shows another key than the stored one"}
		}
		return SelfSkipped, nil
	}
}

// nodeAnswer is what one question to one web server came to.
type nodeAnswer struct {
	node  string
	check SelfCheck
	*Failure
}

// maxAsked bounds the questions to the local site that are under way at once.
const maxAsked = 16

// askNodes asks every web server of the local site, so many times. The first
// answers decide whether the others are needed.
func (r *Renewal) askNodes(ctx context.Context, site Peer, answers int, ask question) (SelfCheck, *Failure) {
	nodes, f := r.localNodes(ctx, site)
	if f != nil {
		return SelfUnreachable, f
	}
	all := askEach(ctx, nodes, ask)
	check, f := r.verdict(all)
	if answers > 1 && check == SelfProven {
		further := make([]Peer, 0, len(nodes)*(answers-1))
		for range answers - 1 {
			further = append(further, r.answering(nodes, all)...)
		}
		check, f = r.verdict(append(all, askEach(ctx, further, ask)...))
	}
	if f != nil {
		r.Log.Debug().Str("check", string(check)).Str("failure", f.Error()).Int("nodes", len(nodes)).Msg("local site asked")
	}
	return check, f
}

func askEach(ctx context.Context, nodes []Peer, ask question) []nodeAnswer {
	answers := make([]nodeAnswer, len(nodes))
	var group errgroup.Group
	group.SetLimit(maxAsked)
	for i, node := range nodes {
		group.Go(func() error {
			check, f := ask(ctx, node)
			answers[i] = nodeAnswer{node.Node, check, f}
			return nil
		})
	}
	_ = group.Wait() // what failed stands in the answers
	return answers
}

// localNodes are the web servers of the local site: those of --node, whose TLS
// certificate is not verified since the seal is the proof, else one for each
// address of its name.
func (r *Renewal) localNodes(ctx context.Context, site Peer) ([]Peer, *Failure) {
	named := r.Nodes
	if len(named) > 0 {
		site.SSLVerification = 0
	} else {
		addresses, f := r.Network.Nodes(ctx, site.Wwwroot)
		if f != nil {
			return nil, f
		}
		if len(addresses) == 1 {
			return []Peer{site}, nil
		}
		named = addresses
	}
	nodes := make([]Peer, len(named))
	for i, name := range named {
		nodes[i] = site
		nodes[i].Node = name
	}
	return nodes, nil
}

// verdict is what the answers of all web servers come to: proven if all prove the
// key, else what stands most against it.
func (r *Renewal) verdict(answers []nodeAnswer) (SelfCheck, *Failure) {
	answers = slices.DeleteFunc(slices.Clone(answers), func(a nodeAnswer) bool { return r.elsewhere(a, answers) })
	worst := answers[0]
	good := map[string]int{}
	for _, a := range answers {
		if rankOf(a) < rankOf(worst) {
			worst = a
		}
		if a.check == SelfProven || a.check == SelfSkipped {
			good[a.node]++
		}
	}
	differ := worst.check == SelfFailed && len(good) > 0 || worst.check == SelfNoRC4 && good[worst.node] > 0
	if worst.Failure == nil || worst.Reason == "clock" || worst.Other != "" || !differ {
		return worst.check, worst.at(answers)
	}
	n := 0
	for _, of := range good {
		n += of
	}
	return SelfFailed, &Failure{Reason: reasonSeveralCaches, Detail: fmt.Sprintf(
		"its web servers use different keys: %d of %d answers were given with the stored one; %s", n, len(answers), worst.at(answers))}
}

// rankOf orders answers, the worst first.
func rankOf(a nodeAnswer) int {
	if a.Failure != nil && (a.Other != "" || a.Reason == "clock") {
		return -1
	}
	return slices.Index([]SelfCheck{SelfFailed, SelfUnreachable, SelfNoRC4, SelfSkipped, SelfProven}, a.check)
}

// at names the web server where there are several.
func (a nodeAnswer) at(answers []nodeAnswer) *Failure {
	if a.Failure == nil || a.node == "" || !slices.ContainsFunc(answers, func(b nodeAnswer) bool { return b.node != a.node }) {
		return a.Failure
	}
	f := *a.Failure
	f.Detail = join("at "+a.node, f.Detail)
	return &f
}

// elsewhere tells of an address that nobody answers at, because the site is only
// served over the other version of IP, or this machine has no way to that: a name
// with an AAAA record and a web server that listens on IPv4 alone is one site.
func (r *Renewal) elsewhere(a nodeAnswer, answers []nodeAnswer) bool {
	version := ipVersion(a.node)
	if version == 0 || len(r.Nodes) > 0 || !unconnected(a) {
		return false
	}
	other := false
	for _, b := range answers {
		if ipVersion(b.node) == version && !unconnected(b) {
			return false
		}
		other = other || ipVersion(b.node) != version && !unconnected(b)
	}
	return other
}

// unconnected tells that no connection came about.
func unconnected(a nodeAnswer) bool {
	return a.Failure != nil && (a.NoRoute || a.Reason == "connect" || a.Reason == "timeout")
}

// ipVersion is 4 or 6, 0 for what is no address.
func ipVersion(node string) int {
	address, err := netip.ParseAddr(node)
	switch {
	case err != nil:
		return 0
	case address.Is4():
		return 4
	}
	return 6
}

// answering are the nodes that are not elsewhere.
func (r *Renewal) answering(nodes []Peer, answers []nodeAnswer) []Peer {
	var found []Peer
	for i, node := range nodes {
		if !r.elsewhere(answers[i], answers) {
			found = append(found, node)
		}
	}
	return found
}

// stale tells of an answer that another pair than the stored one, or other
// settings, may be cached: dropping the cache may cure it.
func stale(check SelfCheck, f *Failure) bool {
	return check == SelfFailed && f != nil && f.Other == "" && f.Reason != "clock" && f.Reason != "unknown_to_peer"
}

// stopping gives the error for an answer that no cache is the cause of, nil where
// the run may go on.
func (t *Tenant) stopping(check SelfCheck, f *Failure) error {
	switch {
	case f == nil, check == SelfNoRC4, stale(check, f):
		return nil
	case f.Other != "":
		return &OtherNameError{Wwwroot: t.Wwwroot, Answers: f.Other}
	case f.Reason == "unknown_to_peer":
		return &OtherNameError{Wwwroot: t.Wwwroot}
	case f.Reason == "clock":
		return fmt.Errorf("%w: %w", ErrOwnClock, f)
	}
	return &UnreachableError{Wwwroot: t.Wwwroot, Failure: f, Stray: f.Reason == "stray_output"}
}

// stopped is stopping, for a run that has to end: it finds out what to advise.
func (r *Renewal) stopped(ctx context.Context, t *Tenant, check SelfCheck, f *Failure) error {
	err := t.stopping(check, f)
	var away *UnreachableError
	if errors.As(err, &away) && !away.Stray && len(r.Nodes) == 0 && ctx.Err() == nil {
		site := t.localSite("")
		site.Node, site.SSLVerification = "127.0.0.1", 0
		_, failure := r.Network.PublicKey(ctx, site)
		away.Loopback = failure == nil
	}
	return err
}
