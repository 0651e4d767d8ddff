package rotate

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"renew_mnetkeys/envelope"
)

// rowChange is what a connection does to a site's row of another one.
type rowChange int

const (
	rowKept    rowChange = iota // it is active already: only its services are bound
	rowRevived                  // it was deleted
	rowMade
	rowNotFound // it is active, but Moodle does not find it ([NotFound]): the sites are not connected
)

// changeOf is what a connection does to the tenant's row of a host.
func (t *Tenant) changeOf(wwwroot string) rowChange {
	switch {
	case slices.ContainsFunc(t.Peers, func(p Peer) bool { return envelope.SameWwwroot(p.Wwwroot, wwwroot) }):
		return rowKept
	case t.deletedRows(wwwroot) > 0:
		return rowRevived
	}
	return rowMade
}

// here says what was done to this site's row of a host, or would be.
func (c rowChange) here(wwwroot string, planned bool) string {
	switch {
	case c == rowKept && planned:
		return "would bind the services of " + wwwroot + ", which is a peer already"
	case c == rowKept:
		return "bound the services of " + wwwroot + ", which was a peer already"
	case c == rowRevived && planned:
		return "would make the deleted row of " + wwwroot + " active again and bind its services"
	case c == rowRevived:
		return "made the deleted row of " + wwwroot + " active again and bound its services"
	case planned:
		return "would connect " + wwwroot + " as a peer and bind its services"
	}
	return "connected " + wwwroot + " as a peer and bound its services"
}

// there says what was done to the host's row of this site, or would be; "" if the host had it.
func (c rowChange) there(wwwroot string, planned bool) string {
	switch {
	case c == rowKept, c == rowNotFound:
		return ""
	case c == rowRevived && planned:
		return "would make the deleted row of this site at " + wwwroot + " active again"
	case c == rowRevived:
		return "made the deleted row of this site at " + wwwroot + " active again"
	case planned:
		return "would connect this site as a peer at " + wwwroot
	}
	return "connected this site as a peer at " + wwwroot
}

// changeThere is what a connection does to the row of this site in the host's database. Of a host
// whose database cannot be read it is rowKept: no connection changes that.
func (r *Renewal) changeThere(ctx context.Context, t *Tenant, link Link) rowChange {
	if link.Far == nil {
		return rowKept
	}
	far := r.farSide(ctx, NewPeer(link.Wwwroot))
	switch {
	case far.Counterpart == nil || far.SeveralDeleted:
		return rowKept
	case far.NotFound:
		return rowNotFound
	}
	return far.Site.changeOf(t.Wwwroot)
}

// eachLink calls do for all hosts of --bindhost, several at the same time.
func (r *Renewal) eachLink(do func(i int, link Link)) {
	var group errgroup.Group
	group.SetLimit(maxBinding)
	for i, link := range r.Bind {
		group.Go(func() error {
			do(i, link)
			return nil
		})
	}
	_ = group.Wait() // each host has its own report
}
