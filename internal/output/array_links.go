package output

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"renew_mnetkeys/internal/printable"
	"renew_mnetkeys/rotate"
)

// unprovenPeers are the links of all tenants that have one cause.
type unprovenPeers struct {
	example rotate.PeerReport
	of      string          // the tenant of the example
	tenants map[string]bool // that have such links
	peers   map[string]bool // to which they lead
	differ  bool            // the next steps name the site that each of them is about
	vary    bool            // so do the details
	links   int
}

// linkCause is what makes links one group: what is cured in different ways is not one.
type linkCause struct {
	outcome rotate.PeerOutcome
	reason  rotate.Reason
	cure    string
}

// cureOf is the next step for a tenant or a link without the names of its sites: 300 sites that need
// the same command, each with its own name in it, are one group.
func cureOf(next, tenant, peer string) string {
	return withoutSite(withoutSite(next, peer, here), tenant, here)
}

// addUnproven counts a tenant's link that is not proven.
func (a *Array) addUnproven(tenant string, p rotate.PeerReport) {
	key := linkCause{p.Outcome, p.Reason, cureOf(p.Next, tenant, p.Wwwroot)}
	u := a.unproven[key]
	if u == nil {
		u = &unprovenPeers{example: p, of: tenant, tenants: map[string]bool{}, peers: map[string]bool{}}
		a.unproven[key] = u
	}
	u.links++
	u.tenants[tenant], u.peers[p.Wwwroot] = true, true
	u.differ = u.differ || u.example.Next != p.Next
	u.vary = u.vary || u.example.Detail != p.Detail
}

// peerSummary names for each cause the links that have it, and the next step.
func (a *Array) peerSummary(b *strings.Builder) {
	causes := slices.SortedFunc(maps.Keys(a.unproven), func(x, y linkCause) int {
		return cmp.Or(cmp.Compare(a.unproven[y].links, a.unproven[x].links), cmp.Compare(x.outcome, y.outcome), cmp.Compare(x.reason, y.reason), cmp.Compare(x.cure, y.cure))
	})
	for _, cause := range causes {
		u := a.unproven[cause]
		what, example := reasonWords(u.example), ""
		if u.vary {
			what, example = string(cause.reason), "\n  for example: "+printable.Line(u.example.Detail, 0)
		}
		fmt.Fprintf(b, "\n%s %s: %s\n  %s%s\n", a.paint(string(cause.outcome), string(cause.outcome)), count(u.links, "link"),
			printable.Line(what, 0), u.between(), example)
		if next := u.example.Next; next != "" && !(a.hinted && cause.reason == rotate.ReasonInterrupted) {
			fmt.Fprintf(b, "  next: %s\n", printable.Line(a.stepOf(u), 0))
		}
	}
}

// between names both sides of the links.
func (u *unprovenPeers) between() string {
	if maps.Equal(u.tenants, u.peers) {
		return "among " + sites(u.tenants)
	}
	return "from " + sites(u.tenants) + " to " + sites(u.peers)
}

// sites names a few of many sites.
func sites(wwwroots map[string]bool) string {
	return printable.Line(rotate.Some(slices.Sorted(maps.Keys(wwwroots))), 0)
}

// stepOf is the next step of a group of links. If each link has its own, it is that of the example.
func (a *Array) stepOf(u *unprovenPeers) string {
	if u.differ {
		return "for example for " + u.example.Wwwroot + ": " + a.CompleteGroup(u.example.Next, u.of, false)
	}
	return a.CompleteGroup(u.example.Next, u.of, len(u.tenants) > 1)
}
