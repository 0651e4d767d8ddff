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
	of      string // the tenant of the example
	several bool   // tenants have such links
	differ  bool   // the next steps name the site that each of them is about
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
	for _, wwwroot := range []string{peer, tenant} {
		if wwwroot != "" {
			next = strings.ReplaceAll(next, wwwroot, "WWWROOT")
		}
	}
	return next
}

// addUnproven counts a tenant's link that is not proven.
func (a *Array) addUnproven(tenant string, p rotate.PeerReport) {
	key := linkCause{p.Outcome, p.Reason, cureOf(p.Next, tenant, p.Wwwroot)}
	u := a.unproven[key]
	if u == nil {
		u = &unprovenPeers{example: p, of: tenant}
		a.unproven[key] = u
	}
	u.links++
	u.several = u.several || u.of != tenant
	u.differ = u.differ || u.example.Next != p.Next
}

// peerSummary has one line for each cause, with an example and its next step.
func (a *Array) peerSummary(b *strings.Builder) {
	causes := slices.SortedFunc(maps.Keys(a.unproven), func(x, y linkCause) int {
		return cmp.Or(cmp.Compare(a.unproven[y].links, a.unproven[x].links), cmp.Compare(x.outcome, y.outcome), cmp.Compare(x.reason, y.reason), cmp.Compare(x.cure, y.cure))
	})
	for _, cause := range causes {
		u := a.unproven[cause]
		fmt.Fprintf(b, "\n%s %s: %s\n  for example from %s to %s\n", a.paint(string(cause.outcome), string(cause.outcome)), count(u.links, "link"),
			printable.Line(reasonWords(u.example), 0), printable.Line(u.of, 0), printable.Line(u.example.Wwwroot, 0))
		if next := u.example.Next; next != "" && !(a.hinted && cause.reason == rotate.ReasonInterrupted) {
			fmt.Fprintf(b, "  next: %s\n", printable.Line(a.stepOf(u), 0))
		}
	}
}

// stepOf is the next step of a group of links. If each link has its own, it is that of the example.
func (a *Array) stepOf(u *unprovenPeers) string {
	if u.differ {
		return "for example for " + u.example.Wwwroot + ": " + a.CompleteGroup(u.example.Next, u.of, false)
	}
	return a.CompleteGroup(u.example.Next, u.of, u.several)
}
