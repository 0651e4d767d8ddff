package rotate

import (
	"context"
	"slices"
	"time"

	"renew_mnetkeys/envelope"
)

// Peers call the local site by its name. With --node, the name is asked beside the web servers that are
// named: behind it may be one that no --node names. It only counts if it shows a key of this site, since
// from this machine the name may lead elsewhere, which is a reason to give --node.

// ownName is what is known of the local site's name in a run with --node.
type ownName struct {
	absent bool // nothing answers there from this machine: it is not asked any more
	silent int  // how often it did not answer in time
	clear  bool // nothing is behind it: a web server cannot have been missed
	ours   bool // an answer was this site's: it does not lead elsewhere
}

// askByName is how long the name may take to accept a connection, and silentNames how often it may
// fail to: in an array the connection waits for others to the same address.
const (
	askByName   = 3 * time.Second
	silentNames = 2
)

// mayAnswer reports whether the name is worth a question.
func (n *ownName) mayAnswer(ctx context.Context, network Network, site Peer) bool {
	if n.absent {
		return false
	}
	limited, cancel := context.WithTimeout(ctx, askByName)
	defer cancel()
	f := network.Reachable(limited, site)
	switch {
	case f == nil:
		return true
	case f.Reason == ReasonTimeout, f.Reason == ReasonInterrupted:
		n.silent++
		n.absent, n.clear = n.silent >= silentNames, false
	default:
		n.absent, n.clear = true, f.Refused || f.NoRoute || f.Reason == ReasonDNS
	}
	return false
}

// see notes whether the name answers at all.
func (n *ownName) see(r *Renewal, answers []nodeAnswer) {
	answers = slices.DeleteFunc(slices.Clone(answers), func(a nodeAnswer) bool { return !r.isByName(a.node) })
	if len(answers) == 0 {
		return
	}
	n.absent = !slices.ContainsFunc(answers, func(a nodeAnswer) bool { return a.Failure == nil || a.Reason != ReasonTimeout })
	n.ours = n.ours || slices.ContainsFunc(answers, func(a nodeAnswer) bool { return !r.notOurs(a) })
}

// isByName reports whether an answer is by the name beside --node.
func (r *Renewal) isByName(node string) bool { return len(r.Nodes) > 0 && node == "" }

// notOurs reports an answer by the name that has shown no key of this site.
func (r *Renewal) notOurs(a nodeAnswer) bool {
	return r.isByName(a.node) && !a.check.good() && a.check != SelfNoRC4 && !usesAnotherKey(a.check, a.Failure)
}

// answersByName is how often the page is read by the name: behind a load balancer that chooses at random,
// one of three web servers is missed by five answers in every seventh case, by fifteen in one of 400.
const answersByName = 15

// byName is where an answer by the name beside --node came from.
const byName = "at the wwwroot, perhaps by a web server that no --node names"

// shownByName are the certificates that are shown by the name beside --node. silent is set if a web
// server of the site may be behind it that showed none, also when it was asked again: one that did not
// answer in time, or any if the name is known to lead here.
func (r *Renewal) shownByName(ctx context.Context, t *Tenant) (shown []*envelope.Certificate, silent *Failure) {
	shown, silent = r.pagesByName(ctx, t)
	if silent == nil || r.name.absent || r.Sleep(ctx, restart) != nil {
		return shown, silent
	}
	more, again := r.pagesByName(ctx, t)
	if len(more) > 0 {
		silent = again
	}
	return append(shown, more...), silent
}

// restart is how long a web server may be away that is just restarting.
const restart = 3 * time.Second

// pagesByName reads the pages once. A web server that refuses at once gets more requests of some load
// balancers than the others, so those that fail do not end it, unless they take long.
func (r *Renewal) pagesByName(ctx context.Context, t *Tenant) (shown []*envelope.Certificate, silent *Failure) {
	if len(r.Nodes) == 0 || r.SelfCheck == SelfCheckOff {
		return nil, nil
	}
	site := t.localSite("")
	if !r.name.mayAnswer(ctx, r.Network, site) {
		if r.name.clear {
			return nil, nil
		}
		return nil, &Failure{Reason: ReasonTimeout, Detail: byName, Pending: true, unnamed: true}
	}
	var failed *Failure
	slow := 0
	for range answersByName {
		started := r.Now()
		c, f := r.pageByName(ctx, t, site)
		if f == nil {
			shown, r.name.ours = append(shown, c), true
			continue
		}
		if failed == nil || f.Pending {
			failed = f
		}
		if f.Reason == ReasonTimeout || r.Now().Sub(started) > askByName {
			slow++
		}
		if slow > silentNames {
			break
		}
	}
	return shown, failed.byName(r.name.ours)
}

// pageByName is the certificate of one page. That of an old name is this site's, too.
func (r *Renewal) pageByName(ctx context.Context, t *Tenant, site Peer) (*envelope.Certificate, *Failure) {
	c, f := r.Network.PublicKey(ctx, site)
	if f == nil || f.Shown == nil || r.otherSite(t, site, f) != nil {
		return c, f
	}
	return f.Shown, nil
}

// byName is the failure of an answer by the name, nil if no web server of the site need be there: ours
// says that the name leads here.
func (f *Failure) byName(ours bool) *Failure {
	if f == nil || !f.Pending && !ours {
		return nil
	}
	where := *f
	where.Detail, where.unnamed = join(byName, f.Detail), true
	return &where
}

// leftOutWords say why a web server was left out. Beside --node only what a Moodle says by the name is
// worth a word: from this machine the name may lead elsewhere.
func leftOutWords(f *Failure, byName bool) string {
	switch {
	case !byName:
		return "no web server listens there: left out"
	case slices.Contains([]Reason{ReasonMNetOff, ReasonClock, ReasonStrayOutput, ReasonUnknownToPeer}, f.Reason):
		return "asked beside --node, it answered with " + string(f.Reason) + ": left out"
	}
	return ""
}
