package output

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/internal/printable"
	"renew_mnetkeys/rotate"
)

// summary is the text at the end of an array: failures first, the counts last.
func (a *Array) summary() string {
	var b strings.Builder
	a.failureSummary(&b)
	if a.doctor == nil {
		a.peerSummary(&b)
	} else {
		b.WriteString(a.doctor.text(a.paint, a.CompleteGroup))
	}
	if notes := slices.Sorted(slices.Values(append(a.notes, a.warnings()...))); len(notes) > 0 {
		b.WriteString("\n" + strings.Join(notes, ""))
	}
	fmt.Fprintf(&b, "\n%s: %s%s", count(a.tenants, "tenant"), a.outcomeSummary(), a.linkSummary())
	fmt.Fprintf(&b, " (%s)\n", time.Since(a.Started).Round(10*time.Millisecond))
	return b.String()
}

// linkSummary counts the links, if the command examines them.
func (a *Array) linkSummary() string {
	text := ""
	switch {
	case a.tenants == 0, a.total == 0 && len(a.failures) > 0: // a shard may be empty, or no tenant was read
		return ""
	case a.Options.DryRun:
		text = "; dry run: nothing was changed; " + outOf(a.skipped, a.total, "link") + " can be reached"
	case a.Options.Command.Row().Prints == cmdline.PrintsStored && !a.Options.Live:
		return "; " + count(a.total, "link")
	case a.skipped > 0 && a.skipped == a.total:
		text = "; " + count(a.total, "link") + " skipped"
	default: // as many as for a command that does not even list the links of such tenants
		text = "; " + outOf(a.proven, a.total-a.skipped, "link") + " proven"
		if a.skipped > 0 {
			text += fmt.Sprintf(", %d skipped", a.skipped)
		}
	}
	if a.ignoredLinks > 0 {
		text += fmt.Sprintf(", %d ignored", a.ignoredLinks)
	}
	if a.byRow > 0 {
		text += fmt.Sprintf(" (%d by database)", a.byRow)
	}
	return text
}

// warnings name the tenants: one by one, or once if many are warned of the same.
func (a *Array) warnings() (lines []string) {
	for warning, names := range a.warned {
		slices.Sort(names)
		if len(names) > namedFailures {
			lines = append(lines, fmt.Sprintf("%s: %s\n  tenants: %s\n", count(len(names), "tenant"), printable.Line(warning, 0), printable.Line(rotate.Some(names), 0)))
			continue
		}
		for _, name := range names {
			lines = append(lines, fmt.Sprintf("%s: %s\n", printable.Line(name, 0), printable.Line(warning, 0)))
		}
	}
	return lines
}

// namedFailures is how many tenants that fail alike are shown one by one.
const namedFailures = 3

// failureSummary has one block for each tenant that failed, but only one for many tenants with the
// same failure: one Ctrl-C interrupts three hundred tenants, and of a full disk each has its own path.
func (a *Array) failureSummary(b *strings.Builder) {
	slices.SortFunc(a.failures, func(x, y rotate.TenantReport) int {
		return cmp.Or(cmp.Compare(x.Rank(), y.Rank()), strings.Compare(x.Wwwroot, y.Wwwroot))
	})
	type likeness struct{ outcome, problem, hint string }
	of := func(r rotate.TenantReport) likeness {
		return likeness{a.failedWord(r), alike(r.Error, r.Wwwroot), alike(r.Hint, r.Wwwroot)}
	}
	groups := map[likeness][]rotate.TenantReport{}
	for _, r := range a.failures {
		groups[of(r)] = append(groups[of(r)], r)
	}
	for i, r := range a.failures {
		switch group := groups[of(r)]; {
		case len(group) <= namedFailures:
			a.failureBlock(b, a.failures[i:i+1])
		case group[0].Wwwroot == r.Wwwroot:
			a.failureBlock(b, group)
		}
	}
}

// failureBlock is the block of tenants that failed alike, with the error and the hint of the first.
func (a *Array) failureBlock(b *strings.Builder, alike []rotate.TenantReport) {
	first := alike[0]
	who, problem, hint := first.Wwwroot, "error: ", a.CompleteGroup(first.Hint, first.Wwwroot, len(alike) > 1)
	vary := func(text func(rotate.TenantReport) string) bool {
		return slices.ContainsFunc(alike, func(r rotate.TenantReport) bool { return text(r) != text(first) })
	}
	if len(alike) > 1 {
		who = count(len(alike), "tenant")
	}
	if vary(func(r rotate.TenantReport) string { return r.Error }) {
		problem = "for example: " + first.Wwwroot + ": "
	}
	if vary(func(r rotate.TenantReport) string { return r.Hint }) {
		hint = "for example for " + first.Wwwroot + ": " + a.CompleteGroup(first.Hint, first.Wwwroot, false)
	}
	fmt.Fprintf(b, "\n%s %s\n  %s\n", a.failedWord(first), printable.Line(who, 0), printable.Line(problem+first.Error, 0))
	if first.Hint != "" && !a.saidAtTheEnd(first) {
		fmt.Fprintf(b, "  hint: %s\n", printable.Line(hint, 0))
	}
	if len(alike) > 1 {
		names := make([]string, len(alike))
		for i, r := range alike {
			names[i] = r.Wwwroot
		}
		fmt.Fprintf(b, "  tenants: %s\n", printable.Line(rotate.Some(names), 0))
	}
}

// outcomeSummary counts the outcomes, in the words of the command.
func (a *Array) outcomeSummary() string {
	var parts []string
	command := a.Options.Command.Row()
	for _, o := range []rotate.Outcome{rotate.Renewed, rotate.Kept, rotate.Undone, rotate.Failed} {
		word := string(o)
		switch {
		case a.Options.DryRun && o == rotate.Kept:
			word = "can be " + command.Done
		case o == command.Good:
			word = cmp.Or(command.Did, command.Done)
		case o == rotate.Kept:
			word = "not " + command.Done
		}
		n := a.outcomes[o]
		switch o {
		case rotate.Kept:
			n -= a.notDue + a.leftOut
		case rotate.Failed:
			n -= a.notDone + a.interrupted
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, word))
		}
		if left := a.leftOut + a.notDone; o == rotate.Kept && left > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", left, a.notDoneWord()))
		}
	}
	if a.interrupted > 0 {
		parts = append(parts, fmt.Sprintf("%d %s", a.interrupted, interrupted))
	}
	if a.notDue > 0 {
		parts = append(parts, fmt.Sprintf("%d %s", a.notDue, a.whyNotDue()))
	}
	if len(parts) == 0 {
		return "nothing to do"
	}
	return strings.Join(parts, ", ")
}

// notDoneWord is the word for tenants that the command has left as they are, because of a signal or of
// failures of others.
func (a *Array) notDoneWord() string {
	command := a.Options.Command.Row()
	return "not " + cmp.Or(command.Done, command.Did)
}

// failedWord is the word for a tenant in its block: that of the counts.
func (a *Array) failedWord(r rotate.TenantReport) string {
	if r.NotDone() {
		return a.paint(string(rotate.Pending), a.notDoneWord())
	}
	return a.paint(outcomeOf(r), outcomeOf(r))
}

// whyNotDue says why keys are not renewed, behind the number of tenants.
func (a *Array) whyNotDue() string {
	why := rotate.WhyNotDue(a.Options.Due.OnlyIfDue, a.Options.DryRun, a.notDue)
	if a.Options.Due.OnlyIfDue && !a.nextDue.IsZero() {
		why += " (the next one is due after " + rotate.FormatTime(a.nextDue) + ")"
	}
	return why
}
