package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"renew_mnetkeys/internal/printable"
	"renew_mnetkeys/rotate"
)

// group are failures, or notes, with the same reason and next step.
type group struct {
	mark
	Title, Next string
	Count       int
	Of          string // what is counted: tenant, finding or link
	tenant      string // wwwroot of the first
	several     bool   // tenants
	rank        int    // [rotate.TenantReport.Rank] of its tenants
	Rows        []groupRow
}

// groupRow is one site and all its failures, or all tenants with one error or one finding.
type groupRow struct {
	Head   string // "" if the names say all; for a finding its subject
	IsPeer bool   // of the head; the names are then tenants, otherwise peers
	Count  int
	Names  string // one line each, in short form
	Each   bool   // each name has its own details, after a tab
	Detail string
}

// Counted is the number of failures in the title.
func (g group) Counted() string { return counted(g.Count, g.Of) }

// Others says how many sites are in Names.
func (r groupRow) Others() string {
	if r.Head != "" && !r.IsPeer {
		return counted(r.Count, "peer")
	}
	return counted(r.Count, "tenant")
}

// linkFailures groups the links that are not proven by reason. In each group a link is in the row
// of the end that has more of them: one site that is down is one row, not one for every tenant.
func (p *Page) linkFailures(tenants []tenant, short shortener, how mode) []group {
	type key struct {
		outcome      rotate.PeerOutcome
		reason, next string
	}
	type failed struct{ tenant, peer, kind uint32 }
	byReason := map[key][]failed{}
	for _, t := range tenants {
		for _, l := range t.links {
			if k := p.kinds[l.kind]; unproven(k.outcome) {
				at := key{k.outcome, k.reason, k.next}
				byReason[at] = append(byReason[at], failed{t.site, l.peer, l.kind})
			}
		}
	}
	var groups []group
	for at, links := range byReason {
		g := group{mark: markOf(peerMarks(how), string(at.outcome)), Title: printable.Line(at.reason, 0), Next: printable.Line(at.next, 0), Count: len(links), Of: "link"}
		ofTenant, ofPeer := map[uint32]int{}, map[uint32]int{}
		for _, l := range links {
			ofTenant[l.tenant]++
			ofPeer[l.peer]++
		}
		g.tenant, g.several = p.sites[links[0].tenant].name, len(ofTenant) > 1
		type end struct {
			site   uint32
			isPeer bool
		}
		rows := map[end][]named{}
		for _, l := range links {
			head, other := end{l.peer, true}, l.tenant
			if ofTenant[l.tenant] > ofPeer[l.peer] {
				head, other = end{l.tenant, false}, l.peer
			}
			rows[head] = append(rows[head], named{short.short(p.sites[other].name), p.kinds[l.kind].saying()})
		}
		for head, others := range rows {
			row := groupRow{Head: printable.Line(p.sites[head.site].name, 0), IsPeer: head.isPeer, Count: len(others)}
			row.Names, row.Detail = list(others)
			row.Each = strings.Contains(row.Names, "\t")
			g.Rows = append(g.Rows, row)
		}
		groups = append(groups, g)
	}
	sortGroups(groups)
	return groups
}

// saying is what is known about a failure beyond its reason.
func (k kind) saying() string {
	if k.attempts > 1 {
		return strings.TrimSpace(fmt.Sprintf("%s (%d tries)", printable.Line(k.detail, 0), k.attempts))
	}
	return printable.Line(k.detail, 0)
}

type named struct{ name, detail string }

// list makes a line for each name. A detail that all of them share is given once.
func list(all []named) (names, detail string) {
	slices.SortFunc(all, func(a, b named) int { return cmp.Compare(a.name, b.name) })
	same := !slices.ContainsFunc(all, func(n named) bool { return n.detail != all[0].detail })
	lines := make([]string, len(all))
	for i, n := range all {
		lines[i] = n.name
		if !same && n.detail != "" {
			lines[i] += "\t" + n.detail
		}
	}
	if same {
		detail = all[0].detail
	}
	return strings.Join(lines, "\n"), detail
}

// sortGroups puts first what most tenants have.
func sortGroups(groups []group) {
	for _, g := range groups {
		slices.SortFunc(g.Rows, func(a, b groupRow) int {
			return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Head, b.Head), cmp.Compare(a.Detail, b.Detail))
		})
	}
	slices.SortFunc(groups, func(a, b group) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(b.Count, a.Count), cmp.Compare(a.Outcome, b.Outcome), cmp.Compare(a.Title, b.Title), cmp.Compare(a.Next, b.Next))
	})
}

// tenantFailures groups the tenants that have an error by what to do about it.
func (p *Page) tenantFailures(tenants []tenant, short shortener, how mode) []group {
	return p.tenantGroups(tenants, short, "tenant", func(t tenant) []saying {
		if t.report.Error == "" {
			return nil
		}
		return []saying{{mark: markOf(tenantMarks(how), string(t.report.Outcome)), title: how.said(t.report, 1), next: t.next(how), text: t.report.Error, rank: t.report.Rank()}}
	})
}

// notes are texts that change no outcome: local sites that were not proven, and warnings.
func (p *Page) notes(tenants []tenant, short shortener) []group {
	return p.tenantGroups(tenants, short, "tenant", func(t tenant) []saying {
		var all []saying
		if c := selfCheckOf(t.report); c.Next != "" && t.report.Error == "" {
			all = append(all, saying{mark: mark{Outcome: "warn", Letter: "!"}, title: "local site " + c.Word, next: c.Next, text: c.Means})
		}
		for _, w := range t.report.Warnings {
			all = append(all, saying{mark: mark{Outcome: "note", Letter: "i"}, title: "note", text: w})
		}
		return all
	})
}

// saying is a line about a tenant, and the group to which it belongs.
type saying struct {
	mark              mark
	title, next, text string
	about, peers      string // of a finding; about is empty for the tenant itself
	rank              int    // see group
}

func (p *Page) tenantGroups(tenants []tenant, short shortener, of string, says func(tenant) []saying) []group {
	type key struct {
		outcome, title, next string
		rank                 int
	}
	type line struct{ about, text string }
	marks, rows := map[key]mark{}, map[key]map[line][]named{}
	first, several := map[key]string{}, map[key]bool{}
	for _, t := range tenants {
		for _, s := range says(t) {
			at := key{s.mark.Outcome, s.title, s.next, s.rank}
			if rows[at] == nil {
				marks[at], rows[at], first[at] = s.mark, map[line][]named{}, t.report.Wwwroot
			}
			several[at] = several[at] || first[at] != t.report.Wwwroot
			on := line{s.about, s.text}
			rows[at][on] = append(rows[at][on], named{short.short(t.report.Wwwroot), s.peers})
		}
	}
	var groups []group
	for at, texts := range rows {
		g := group{mark: marks[at], Title: at.title, Next: printable.Line(at.next, 0), Of: of, tenant: first[at], several: several[at], rank: at.rank}
		for on, names := range texts {
			row := groupRow{Head: printable.Line(on.about, 0), IsPeer: true, Count: len(names), Detail: printable.Line(on.text, 0)}
			var peers string
			if row.Names, peers = list(names); peers != "" {
				row.Detail += "; peers: " + peers
			}
			row.Each = strings.Contains(row.Names, "\t")
			g.Count += len(names)
			g.Rows = append(g.Rows, row)
		}
		groups = append(groups, g)
	}
	sortGroups(groups)
	return groups
}
