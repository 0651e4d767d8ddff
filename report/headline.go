package report

import (
	"fmt"
	"strings"

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
	if run.DryRun {
		b.WriteString("Dry run, nothing was changed. ")
	}
	tenantCount, linkCount := map[string]int{}, map[rotate.PeerOutcome]int{}
	links := 0
	for _, t := range tenants {
		tenantCount[tenantWord(t.report.Outcome, run.DryRun)]++
		links += len(t.links)
		for o, n := range t.count {
			linkCount[o] += n
		}
	}
	switch len(tenants) {
	case 0:
		return b.String() + "No tenant was worked on."
	case 1:
		b.WriteString(words(printable(tenants[0].report.Wwwroot), tenantWord(tenants[0].report.Outcome, run.DryRun)))
	default:
		var parts []string
		for _, m := range tenantMarks(run.DryRun) {
			word := tenantWord(rotate.Outcome(m.Outcome), run.DryRun)
			if n := tenantCount[word]; n > 0 {
				parts = append(parts, number(n)+" "+word)
			}
		}
		fmt.Fprintf(&b, "%s: %s", counted(len(tenants), "tenant"), strings.Join(parts, ", "))
	}
	if links > 0 {
		what := "link"
		if len(tenants) == 1 {
			what = "peer"
		}
		b.WriteString("; " + linkWords(linkCount, links, what, run.DryRun))
	}
	return b.String() + "."
}

func linkWords(count map[rotate.PeerOutcome]int, total int, what string, dryRun bool) string {
	done, verb := count[rotate.Accepted]+count[rotate.Healed], "proven"
	if dryRun {
		done, verb = count[rotate.Skipped], "can be reached"
	}
	line := fmt.Sprintf("%s of %s %s", number(done), counted(total, what), verb)
	for _, o := range []rotate.PeerOutcome{rotate.Pending, rotate.Refused, rotate.Skipped} {
		if count[o] > 0 && !(dryRun && o == rotate.Skipped) {
			line += fmt.Sprintf(", %s %s", number(count[o]), o)
		}
	}
	return line
}

// tenantWord is an outcome as the sentence says it: a dry run keeps every key, and what matters is that it could be renewed.
func tenantWord(o rotate.Outcome, dryRun bool) string {
	if dryRun && o == rotate.Kept {
		return "can be renewed"
	}
	return printable(string(o))
}

// verdict is how the run as a whole is marked.
func verdict(exitCode int) mark {
	switch exitCode {
	case rotate.ExitOK:
		return mark{Outcome: "good", Letter: "✓"}
	case rotate.ExitPeers, rotate.ExitLocked, 130, 143:
		return mark{Outcome: "warn", Letter: "!"}
	}
	return mark{Outcome: "bad", Letter: "✗"}
}

// tenantChips and peerChips count the outcomes that have happened.
func tenantChips(tenants []tenant, dryRun bool) []chip {
	count := map[string]int{}
	for _, t := range tenants {
		count[string(t.report.Outcome)]++
	}
	return chips(tenantMarks(dryRun), count)
}

func peerChips(tenants []tenant, dryRun bool) []chip {
	count := map[string]int{}
	for _, t := range tenants {
		for o, n := range t.count {
			count[string(o)] += n
		}
	}
	return chips(peerMarks(dryRun), count)
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
