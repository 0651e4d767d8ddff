package rotate

import (
	"context"
	"slices"

	"renew_mnetkeys/envelope"
)

// A page (mnet/publickey.php) shows the certificate of the pair that a web server uses. Before a purge it
// must be one whose key the database has.

// pages are what the web servers of the local site show.
type pages struct {
	shown   []*envelope.Certificate
	silent  *Failure // of a web server that showed none
	unnamed *Failure // the same of one that no --node names, if it stops a purge
	asked   bool     // each showed one, or need not be asked
}

// readPages reads the pages that decide about a purge. A hook may empty the cache of a web server that
// no --node names: one that shows nothing stops a cure, not a renewal whose calls have all met the stored
// key.
func (r *Renewal) readPages(ctx context.Context, t *Tenant, seen usage) pages {
	p := pages{asked: seen == usesStored}
	if !p.asked {
		p.shown, p.silent, p.asked = r.shown(ctx, t)
	}
	// One address may have several web servers behind it, all of which a hook empties.
	for range 2 {
		if r.hooked() && seen == usesAnother && p.asked && (len(r.Nodes) == 0 || !p.showOther(t)) {
			more, silent, _ := r.shown(ctx, t)
			p.shown = append(p.shown, more...)
			if silent != nil && silent.Reason != ReasonHTTP429 { // which is a limit of calls after five good ones
				p.silent, p.asked = silent, false
			}
		}
	}
	var behind []*envelope.Certificate
	switch {
	case !r.hooked():
	case seen == usesAnother:
		if behind, p.unnamed = r.shownByName(ctx, t); !r.name.ours {
			p.unnamed = nil
		}
	default:
		behind, _ = r.pagesByName(ctx, t)
	}
	p.shown = append(p.shown, behind...)
	return p
}

// showOther reports whether a page showed another certificate than the stored one.
func (p pages) showOther(t *Tenant) bool {
	stored := t.identity().Key.Certificate
	return slices.ContainsFunc(p.shown, func(c *envelope.Certificate) bool { return !c.Equal(stored) })
}

// shown are the certificates that the web servers of the local site show by their publickey.php;
// asked is false if one of them showed none, which silent says, or there are no web servers. Each
// address is asked on several new connections: a load balancer hides web servers, which may have a
// cache each.
func (r *Renewal) shown(ctx context.Context, t *Tenant) (shown []*envelope.Certificate, silent *Failure, asked bool) {
	if r.SelfCheck == SelfCheckOff {
		return nil, nil, false
	}
	nodes, failure := r.localNodes(ctx, t.localSite(""))
	if failure != nil {
		return nil, failure, false
	}
	nodes = slices.DeleteFunc(nodes, func(node Peer) bool { return r.leftOut(node.Node) })
	for range answersWanted {
		for _, node := range nodes {
			c, failure := r.shownBy(ctx, node)
			if failure != nil {
				failure = failure.at(node)
				if len(r.Nodes) > 0 {
					failure.asked = []string{node.Node}
				}
				return shown, failure, false
			}
			shown = append(shown, c)
		}
	}
	return shown, nil, len(shown) > 0
}

// shownBy is the certificate that a web server shows. It may have moved, and its key is still that of the
// old name.
func (r *Renewal) shownBy(ctx context.Context, node Peer) (*envelope.Certificate, *Failure) {
	c, failure := r.Network.PublicKey(ctx, node)
	if failure != nil && failure.Shown != nil {
		return failure.Shown, nil
	}
	return c, failure
}

// isShown reports whether a web server shows a certificate.
func (r *Renewal) isShown(ctx context.Context, t *Tenant, c *envelope.Certificate) bool {
	shown, _, _ := r.shown(ctx, t)
	return slices.ContainsFunc(shown, c.Equal)
}

// allKept reports whether the database has the key of every certificate that the web servers show,
// so that whoever purges their caches loses none of these. Web servers that differ were not all
// seen, unless each was named; what cannot be seen by the name may be one that was not.
func (r *Renewal) allKept(ctx context.Context, f *Failure) bool {
	if f != nil && f.Reason == ReasonSeveralCaches && len(r.Nodes) == 0 {
		return false
	}
	t, err := r.Store.Read(ctx)
	if err != nil {
		return false
	}
	lost := func(c *envelope.Certificate) bool { return !t.has(c) }
	shown, _, asked := r.shown(ctx, t)
	if !asked || slices.ContainsFunc(shown, lost) {
		return false
	}
	behind, silent := r.pagesByName(ctx, t)
	return silent == nil && !slices.ContainsFunc(behind, lost)
}
