package rotate

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sync/errgroup"
)

// nodeAnswer is the result of one question to one web server.
type nodeAnswer struct {
	node  string
	check SelfCheck
	*Failure
}

// maxAsked bounds the number of questions to the local site that are asked at the same time.
const maxAsked = 16

// askNodes asks every web server of the local site the given number of times, all at once: each
// call uses its own connection, like calls for different users.
func (r *Renewal) askNodes(ctx context.Context, site Peer, answers int, ask question) (SelfCheck, *Failure) {
	nodes, f := r.localNodes(ctx, site)
	if f != nil {
		return SelfUnreachable, f
	}
	if len(r.Nodes) > 0 && r.name.mayAnswer(ctx, r.Network, site) {
		nodes = append(nodes, site)
	}
	all := askEach(ctx, slices.Repeat(nodes, answers), ask)
	r.remember(all)
	r.name.see(r, all)
	r.nodes = r.nodeReports(ctx, nodes, all)
	check, f := r.verdict(all)
	for i, node := range nodes {
		if answers > 1 && node.Node != "" && r.elsewhere(all[i], all) {
			r.Log.Info().Str("address", node.Node).Msg("no web server listens there: this address of the local site was left out")
		}
	}
	if f != nil {
		r.Log.Debug().Str("check", string(check)).Str("failure", f.Error()).Int("nodes", len(nodes)).Msg("local site asked")
	}
	return check, f
}

// nodeReports sum up the answers of each web server.
func (r *Renewal) nodeReports(ctx context.Context, nodes []Peer, all []nodeAnswer) []NodeReport {
	reports := make([]NodeReport, len(nodes))
	for i, node := range nodes {
		if r.isByName(node.Node) {
			reports[i] = NodeReport{Address: node.Wwwroot, byName: true}
		} else {
			reports[i] = NodeReport{Address: r.addressOf(ctx, node)}
		}
		var own []nodeAnswer
		for at := i; at < len(all); at += len(nodes) {
			if !r.elsewhere(all[at], all) {
				own = append(own, all[at])
			}
		}
		if len(own) == 0 {
			reports[i].SelfCheck, reports[i].Detail = SelfSkipped, leftOutWords(all[i].Failure, reports[i].byName)
			continue
		}
		check, f := r.verdict(own)
		reports[i].SelfCheck = check
		if f != nil {
			reports[i].Reason, reports[i].Detail, reports[i].Other = f.Reason, f.Detail, f.Other
			reports[i].asked, reports[i].pending = f.asked, f.Pending
		}
	}
	// The name was asked beside the --node; it is worth a line only if it shows something else.
	return slices.DeleteFunc(reports, func(n NodeReport) bool {
		return n.byName && n.Detail == "" && (n.SelfCheck.good() || n.SelfCheck == reports[0].SelfCheck)
	})
}

// addressOf is where a web server was asked.
func (r *Renewal) addressOf(ctx context.Context, node Peer) string {
	if node.Node != "" {
		return node.Node
	}
	addresses, f := r.Network.Nodes(ctx, cmp.Or(node.At, node.Wwwroot))
	if f != nil {
		return ""
	}
	return addresses[0]
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
	_ = group.Wait() // failures are in the answers
	return answers
}

// localNodes are the web servers of the local site: those of --node, else one for each address of
// its name. The TLS certificate of a --node is not verified, since the seal is the proof.
func (r *Renewal) localNodes(ctx context.Context, site Peer) ([]Peer, *Failure) {
	named := r.Nodes
	if len(named) > 0 {
		site.SSLVerification = 0
	} else {
		addresses, f := r.Network.Nodes(ctx, cmp.Or(site.At, site.Wwwroot))
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

// verdict sums up the answers of all web servers: proven if all prove the key, else the worst
// failure, whatever their order. If some were given with the stored key and others with another
// one, that is the failure.
func (r *Renewal) verdict(answers []nodeAnswer) (SelfCheck, *Failure) {
	answers = slices.DeleteFunc(slices.Clone(answers), func(a nodeAnswer) bool { return r.elsewhere(a, answers) })
	worst := answers[0]
	good := map[string]int{}
	for _, a := range answers {
		if a.check.rank(a.Failure) < worst.check.rank(worst.Failure) {
			worst = a
		}
		if a.check.good() {
			good[a.node]++
		}
	}
	differ := usesAnotherKey(worst.check, worst.Failure) && len(good) > 0 || worst.check == SelfNoRC4 && good[worst.node] > 0
	if worst.Failure != nil && worst.Other != "" && len(good) > 0 {
		f := *worst.Failure
		if f.among = true; len(r.Nodes) > 0 {
			f.Node = worst.node
		}
		worst.Failure = &f
	}
	if !differ {
		return worst.check, worst.withMissing(answers, len(r.Nodes) > 0)
	}
	n := 0
	for _, of := range good {
		n += of
	}
	detail := fmt.Sprintf("its web servers use different keys: the stored one was used in %d of %d answers", n, len(answers))
	more := worst.where(answers)
	if worst.Reason != ReasonSeveralCaches { // which says the same
		more = worst.at(answers).Error()
	}
	return SelfFailed, &Failure{Reason: ReasonSeveralCaches, Detail: join(detail, more), unnamed: r.isByName(worst.node) && !slices.ContainsFunc(answers, func(a nodeAnswer) bool { return a.node != "" && usesAnotherKey(a.check, a.Failure) })}
}

// rank gives the order of what web servers of the local site showed, the worst first: one of
// another site, because of which nothing may be changed; one that was seen to use another key; and
// those of which no key was seen.
func (c SelfCheck) rank(f *Failure) int {
	noKey := []Reason{ReasonClock, ReasonUnknownToPeer, ReasonMNetOff}
	switch {
	case f != nil && f.Other != "":
		return 0
	case usesAnotherKey(c, f):
		return 1
	case f != nil && slices.Contains(noKey, f.Reason):
		return 2 + slices.Index(noKey, f.Reason)
	}
	return 2 + len(noKey) + slices.Index([]SelfCheck{SelfUnreachable, SelfNoRC4, SelfSkipped, SelfProven}, c)
}

// at names the web server if there are several.
func (a nodeAnswer) at(answers []nodeAnswer) *Failure {
	where := a.where(answers)
	if a.Failure == nil || where == "" {
		return a.Failure
	}
	f := *a.Failure
	f.Detail = join(where, f.Detail)
	return &f
}

// where is the web server, "" if there is only one.
func (a nodeAnswer) where(answers []nodeAnswer) string {
	switch {
	case !slices.ContainsFunc(answers, func(b nodeAnswer) bool { return b.node != a.node }):
		return ""
	case a.node == "":
		return byName
	}
	return "at " + a.node
}

// withMissing is the failure of the worst answer. If that web server was not reached, it names all
// that were not: asked has each --node that is missing in the same way.
func (a nodeAnswer) withMissing(answers []nodeAnswer, named bool) *Failure {
	f := a.at(answers)
	if f.absence() == "" {
		return f
	}
	all := *f
	var others []string
	for _, b := range answers {
		if named && b.absence() == a.absence() && !slices.Contains(all.asked, b.node) {
			all.asked = append(all.asked, b.node)
		}
		if b.absence() != "" && b.node != a.node && !slices.Contains(others, b.node) {
			others = append(others, b.node)
		}
	}
	if len(others) > 0 {
		all.Detail += "; not reached either: " + Some(others)
	}
	return &all
}

// elsewhere reports an IPv6 address that does not belong to the site's web servers: this machine
// has no route to it, or no process listens there, while all IPv4 addresses answer. It is common
// that a name has an AAAA record and the web server listens on IPv4 alone. An address that has
// answered in this run is never left out, and neither is one that does not respond at all.
func (r *Renewal) elsewhere(a nodeAnswer, answers []nodeAnswer) bool {
	if r.notOurs(a) {
		return true
	}
	if ipVersion(a.node) != 6 || len(r.Nodes) > 0 || r.answered[a.node] || !unconnected(a) {
		return false
	}
	return !slices.ContainsFunc(answers, func(b nodeAnswer) bool { return ipVersion(b.node) == 4 && unconnected(b) }) &&
		slices.ContainsFunc(answers, func(b nodeAnswer) bool { return ipVersion(b.node) == 4 })
}

// unconnected reports that no connection was made.
func unconnected(a nodeAnswer) bool {
	return a.Failure != nil && (a.NoRoute || a.Refused)
}

// remember notes which addresses have answered.
func (r *Renewal) remember(answers []nodeAnswer) {
	if r.answered == nil {
		r.answered = map[string]bool{}
	}
	for _, a := range answers {
		if a.Failure == nil || !a.Pending {
			r.answered[a.node] = true
		}
	}
}

// ipVersion is 4 or 6, or 0 if node is not an address.
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

// leftOut reports an address that did not answer when the site was asked.
func (r *Renewal) leftOut(node string) bool {
	return ipVersion(node) == 6 && len(r.Nodes) == 0 && len(r.answered) > 0 && !r.answered[node]
}
