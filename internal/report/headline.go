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
		b.WriteString(words(printable.Line(tenants[0].report.Wwwroot, 0), how.said(tenants[0].report)))
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
	for _, m := range tenantMarks(how) {
		count := map[string]int{}
		for _, t := range tenants {
			if string(t.report.Outcome) == m.Outcome {
				count[how.said(t.report)]++
			}
		}
		for _, said := range slices.Sorted(maps.Keys(count)) {
			parts = append(parts, number(count[said])+" "+said)
		}
	}
	return strings.Join(parts, ", ")
}

func linkWords(count map[rotate.PeerOutcome]int, total int, what string, how mode) string {
	total -= count[rotate.Ignored] // which is never counted
	if how.ReadsOnly && total > 0 && count[rotate.Skipped] == total {
		return counted(total, what) + ", not called"
	}
	if !how.dryRun {
		total -= count[rotate.Skipped] // nobody has tried to prove them
	}
	done, verb := count[rotate.Accepted]+count[rotate.Healed], "proven"
	if how.dryRun {
		done, verb = count[rotate.Skipped], "can be reached"
	}
	line := fmt.Sprintf("%s of %s %s", number(done), counted(total, what), verb)
	for _, o := range []rotate.PeerOutcome{rotate.Pending, rotate.Refused, rotate.Skipped, rotate.Ignored} {
		if count[o] > 0 && !(how.dryRun && o == rotate.Skipped) {
			line += fmt.Sprintf(", %s %s", number(count[o]), o)
		}
	}
	return line
}

// tenantChips and peerChips count the outcomes that occurred.
func tenantChips(tenants []tenant, how mode) []chip {
	count := map[string]int{}
	for _, t := range tenants {
		count[string(t.report.Outcome)]++
	}
	return chips(tenantMarks(how), count)
}

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
			all = append(all, chip{mark: m, Count: number(n)})
		}
	}
	return all
}
