package report

import (
	"cmp"
	"slices"
	"strings"

	"renew_mnetkeys/internal/printable"
	"renew_mnetkeys/rotate"
)

// severityMarks are in the order of the findings: the worst first.
func severityMarks() []mark {
	return []mark{
		{string(rotate.SeverityError), "✗", "does not work"},
		{string(rotate.SeverityWarning), "!", "will not work some day, or under some condition"},
		{severityWord(rotate.SeverityInfo), "i", "good to know"},
	}
}

// severityWord is what people read: the text of doctor has the same words.
func severityWord(s rotate.Severity) string {
	if s == rotate.SeverityInfo {
		return "note"
	}
	return string(s)
}

// rank is the position of a severity; an unknown one comes last.
func rank(severity string) int {
	marks := severityMarks()
	for i, m := range marks {
		if m.Outcome == severity {
			return i
		}
	}
	return len(marks)
}

// finding is a finding of rotate, with its peers as indices of Page.sites: hundreds of tenants may
// name the same hundreds of peers.
type finding struct {
	rotate.Finding
	peers []uint32
}

func (p *Page) findings(all []rotate.Finding) []finding {
	kept := make([]finding, len(all))
	for i, f := range all {
		kept[i].Finding = f
		kept[i].Peers = nil
		for _, name := range f.Peers {
			kept[i].peers = append(kept[i].peers, p.site(name, ""))
		}
	}
	slices.SortStableFunc(kept, func(a, b finding) int {
		return cmp.Compare(rank(severityWord(a.Severity)), rank(severityWord(b.Severity)))
	})
	return kept
}

// peerNames are the printable names of the peers that a finding is about.
func (p *Page) peerNames(f finding, short shortener) []string {
	names := make([]string, len(f.peers))
	for i, s := range f.peers {
		names[i] = short.short(p.sites[s].name)
	}
	return names
}

// findingRow is a finding about the only tenant of a run.
type findingRow struct {
	mark
	Code, Subject, Message, Next string
	Count                        int
	Peers                        string // one line each
}

// Others says how many peers there are.
func (f findingRow) Others() string { return counted(f.Count, "peer") }

func (p *Page) findingRows(t tenant) []findingRow {
	var rows []findingRow
	for _, f := range t.findings {
		rows = append(rows, findingRow{mark: markOf(severityMarks(), severityWord(f.Severity)), Code: printable.Line(f.Code, 0), Subject: printable.Line(f.Subject, 0),
			Message: printable.Line(f.Text(), 0), Next: printable.Line(f.Next, 0), Count: len(f.peers), Peers: strings.Join(p.peerNames(f, shortener{}), "\n")})
	}
	return rows
}

// findingGroups groups the findings about an array by their code.
func (p *Page) findingGroups(tenants []tenant, short shortener) []group {
	groups := p.tenantGroups(tenants, short, "finding", func(t tenant) []saying {
		var all []saying
		for _, f := range t.findings {
			s := saying{mark: markOf(severityMarks(), severityWord(f.Severity)), title: printable.Line(f.Code, 0), next: f.Next, text: f.Text(), peers: strings.Join(p.peerNames(f, short), ", ")}
			if f.Subject != t.report.Wwwroot {
				s.about = f.Subject
			}
			all = append(all, s)
		}
		return all
	})
	slices.SortStableFunc(groups, func(a, b group) int { return cmp.Compare(rank(a.Outcome), rank(b.Outcome)) })
	return groups
}

func severities(tenants []tenant) map[string]int {
	count := map[string]int{}
	for _, t := range tenants {
		for _, f := range t.findings {
			count[severityWord(f.Severity)]++
		}
	}
	return count
}

// findingWords are the numbers of findings, in a few words.
func findingWords(count map[string]int) string {
	return strings.Join([]string{counted(count[string(rotate.SeverityError)], "error"), counted(count[string(rotate.SeverityWarning)], "warning"),
		counted(count[severityWord(rotate.SeverityInfo)], "note")}, ", ")
}
