package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"renew_mnetkeys/internal/printable"
	"renew_mnetkeys/rotate"
)

// chip is a summary count, and the button that filters by its outcome.
type chip struct {
	mark
	Count string
	Words string // what is counted: the outcome, or what the headline calls it, such as "failed, 2 interrupted"
}

// headline is what happened, in one sentence.
func headline(tenants []tenant, run Run) string {
	var b strings.Builder
	how := run.mode()
	if run.DryRun {
		b.WriteString("Dry run, nothing was changed. ")
	}
	if isCheck(run) {
		b.WriteString(checkStates()[run.ExitCode].state + ": ")
	}
	linkCount, links := map[rotate.PeerOutcome]int{}, 0
	for _, t := range tenants {
		links += len(t.links)
		for o, n := range t.count {
			linkCount[o] += n
		}
	}
	switch len(tenants) {
	case 0:
		return b.String() + "No tenant was worked on."
	case 1:
		b.WriteString(words(printable.Line(tenants[0].report.Wwwroot, 0), how.said(tenants[0].report, 1)))
	default:
		fmt.Fprintf(&b, "%s: %s", counted(len(tenants), "tenant"), tenantWords(tenants, how))
	}
	if findings := severities(tenants); run.Command.Diagnoses || len(findings) > 0 {
		b.WriteString("; " + findingWords(findings))
	}
	if links > 0 {
		what := "link"
		if len(tenants) == 1 {
			what = "peer"
		}
		b.WriteString("; " + linkWords(linkCount, links, what, how))
	}
	return b.String() + "."
}

// tenantWords counts the tenants by outcome, good ones first.
func tenantWords(tenants []tenant, how mode) string {
	var parts []string
	for _, c := range tenantChips(tenants, how) {
		parts = append(parts, c.Count+" "+c.Words)
	}
	return strings.Join(parts, ", ")
}

func linkWords(count map[rotate.PeerOutcome]int, total int, what string, how mode) string {
	total -= count[rotate.Ignored] // which is never counted
	skipped := count[rotate.Skipped]
	var line string
	switch {
	case how.dryRun:
		line = fmt.Sprintf("%s of %s can be reached", number(skipped), counted(total, what))
	case skipped > 0 && skipped == total:
		line = counted(total, what) + " skipped"
	default: // nobody has tried to prove those that were skipped
		line = fmt.Sprintf("%s of %s proven", number(count[rotate.Accepted]+count[rotate.Healed]), counted(total-skipped, what))
	}
	for _, o := range []rotate.PeerOutcome{rotate.Pending, rotate.Refused, rotate.Skipped, rotate.Ignored} {
		if count[o] > 0 && !(o == rotate.Skipped && (how.dryRun || skipped == total)) {
			line += fmt.Sprintf(", %s %s", number(count[o]), o)
		}
	}
	return line
}

// tenantChips count the tenants in the words of the headline, which may have several for one
// outcome. The filter knows only outcomes, so there is one chip for each.
func tenantChips(tenants []tenant, how mode) (all []chip) {
	for _, m := range tenantMarks(how) {
		alike := map[string][]rotate.TenantReport{}
		for _, t := range tenants {
			if string(t.report.Outcome) == m.Outcome {
				said := how.said(t.report, 1)
				alike[said] = append(alike[said], t.report)
			}
		}
		var parts []string
		for _, said := range slices.Sorted(maps.Keys(alike)) {
			n := len(alike[said])
			parts = append(parts, number(n)+" "+how.said(alike[said][0], n))
		}
		if n, words, some := strings.Cut(strings.Join(parts, ", "), " "); some {
			all = append(all, chip{m, n, words})
		}
	}
	return all
}

// findingChips count the findings by severity, in the words of the headline.
func findingChips(tenants []tenant) []chip {
	all := chips(severityMarks(), severities(tenants))
	for i := range all {
		if all[i].Count != "1" {
			all[i].Words += "s"
		}
	}
	return all
}

// peerChips count the links by outcome.
func peerChips(tenants []tenant, how mode) []chip {
	count := map[string]int{}
	for _, t := range tenants {
		for o, n := range t.count {
			count[string(o)] += n
		}
	}
	return chips(peerMarks(how), count)
}

func chips(marks []mark, count map[string]int) []chip {
	var all []chip
	for _, m := range marks {
		if n := count[m.Outcome]; n > 0 {
			all = append(all, chip{m, number(n), m.Outcome})
		}
	}
	return all
}
