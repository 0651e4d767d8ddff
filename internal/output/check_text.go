package output

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"renew_mnetkeys/internal/printable"
	"renew_mnetkeys/rotate"
)

// The largest output of a check, in bytes. All of it fits the 4 KiB that old monitoring systems
// read, and the first line the 1 KiB that NRPE transferred before its version 3.
const (
	maxAnswer = 4096
	maxLine   = 1000
	maxCause  = 600
	maxDetail = 300
)

// Line is the first line of a check without its performance data.
func (s checkState) Line(text string) string {
	return "MNET " + s.String() + " - " + checkText(text, maxCause)
}

// Unchecked is what a check prints that could not begin.
func Unchecked(err error) string {
	return Unknown.Line(err.Error()) + "\n" + nextLine(rotate.HintOf(err), maxLine)
}

// checkText is text for a line of a check, at most limit bytes of it. A bar begins the performance
// data, so the text must not contain one.
func checkText(text string, limit int) string {
	const cut = "…"
	text = strings.ReplaceAll(printable.Line(text, 0), "|", "¦")
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit-len(cut)], "") + cut
}

// withoutTenant removes the tenant from the beginning of a text about it.
func withoutTenant(text, tenant string) string {
	if rest, found := strings.CutPrefix(text, tenant+": "); found && tenant != "" {
		return rest
	}
	return text
}

// of adds the problem's tenant at the beginning of a text.
func (p problem) of(text string) string {
	if behind, begins := strings.CutPrefix(text, p.tenant); p.tenant == "" || begins && !goesOn(behind) {
		return text
	}
	return p.tenant + ": " + text
}

// group are the problems with one state, cause and cure.
type group []problem

// String is the whole text of a single problem, and for several what they share.
func (g group) String() string {
	first := g[0]
	if len(g) == 1 {
		return checkText(first.of(first.detail), maxCause)
	}
	tenants := named(g, func(p problem) string { return p.tenant })
	if first.peer == "" {
		return checkText(tenants+": "+first.cause, maxCause)
	}
	return checkText(fmt.Sprintf("%s %s from %s to %s", count(len(g), "link"), first.cause, tenants, named(g, func(p problem) string { return p.peer })), maxCause)
}

// named names two sites of a group, and counts the others.
func named(g group, site func(problem) string) string {
	var all []string
	for _, p := range g {
		all = append(all, site(p))
	}
	slices.Sort(all)
	all = slices.Compact(all)
	if len(all) < 3 {
		return strings.Join(all, " and ")
	}
	return fmt.Sprintf("%s, %s and %d more", all[0], all[1], len(all)-2)
}

// groups are the problems by cause and cure, the worst first, then those of sites, of which the
// links may be a consequence, then the most frequent. Their order does not depend on the order of
// tenants: the first line must not change from check to check.
func (c *checkSummary) groups() []group {
	slices.SortFunc(c.problems, func(a, b problem) int {
		return cmp.Or(cmp.Compare(b.state.rank(), a.state.rank()), strings.Compare(a.alike, b.alike), strings.Compare(a.cure(), b.cure()), strings.Compare(a.of(a.detail), b.of(b.detail)))
	})
	var all []group
	for i, p := range c.problems {
		if before := c.problems[max(i-1, 0)]; i == 0 || p.state != before.state || p.alike != before.alike || p.cure() != before.cure() {
			all = append(all, nil)
		}
		all[len(all)-1] = append(all[len(all)-1], p)
	}
	slices.SortStableFunc(all, func(a, b group) int {
		links := func(g group) int { return min(len(g[0].peer), 1) }
		return cmp.Or(cmp.Compare(b[0].state.rank(), a[0].state.rank()), cmp.Compare(links(a), links(b)), cmp.Compare(len(b), len(a)))
	})
	return all
}

// String is the whole answer: a line that has every cause, with performance data, and then a line
// for each problem, if there are several. Problems that do not fit are counted.
func (c *checkSummary) String() string {
	groups, data := c.groups(), c.performance()
	if len(groups) == 0 {
		return okay.Line(c.wellness()) + data
	}
	room := maxLine - len(data)
	line := c.state().Line("")
	for i, g := range groups {
		text := g.String()
		if i > 0 {
			text = "; " + text
		}
		more := "; " + count(len(groups)-i, "more cause")
		if i > 0 && len(line)+len(text)+len(more) > room {
			line += more
			break
		}
		line += text
	}
	return line + data + c.details(groups, maxAnswer-len(line)-len(data))
}

// details are the problems of groups, each on its own line, in at most room bytes. The next step
// of a group is below its first problem.
func (c *checkSummary) details(groups []group, room int) string {
	if len(c.problems) == 1 { // the first line contains it
		return c.next(groups[0], room)
	}
	const more = "and %d more, which the command verify shows\n"
	room -= len(more) + 10 // for the number
	var b strings.Builder
	left := len(c.problems)
	for _, g := range groups {
		for i, p := range g {
			line := fmt.Sprintf("[%s] %s\n", p.state, checkText(p.of(p.detail), maxDetail))
			if i == 0 {
				line += c.next(g, maxLine)
			}
			if b.Len()+len(line) > room {
				fmt.Fprintf(&b, more, left)
				return b.String()
			}
			b.WriteString(line)
			left--
		}
	}
	return b.String()
}

// next is the line with the next step of a group. If the steps of its problems differ, it says whose
// the first one is.
func (c *checkSummary) next(g group, room int) string {
	first := g[0]
	several := slices.ContainsFunc(g, func(p problem) bool { return p.tenant != first.tenant })
	step := c.complete(first.next, first.tenant, several)
	if first.next != "" && slices.ContainsFunc(g, func(p problem) bool { return p.next != first.next }) {
		step = "for example for " + cmp.Or(first.peer, first.tenant) + ": " + c.complete(first.next, first.tenant, false)
	}
	return nextLine(step, min(room, maxLine))
}

// nextLine is "" if there is no next step, or if the line has no room, or has a bar, which begins
// performance data: half a command, or another one, must not be pasted.
func nextLine(step string, room int) string {
	line := "next: " + checkText(step, math.MaxInt) + "\n"
	if step == "" || len(line) > room || strings.Contains(step, "|") {
		return ""
	}
	return line
}

// wellness is the text if there is no problem.
func (c *checkSummary) wellness() string {
	ignored := ""
	if c.ignored > 0 {
		ignored = fmt.Sprintf(", %d ignored", c.ignored)
	}
	switch {
	case c.left == nil:
		return count(c.tenants, "tenant")
	case c.tenants == 1:
		return fmt.Sprintf("%s: the key expires in %s, %s proven%s", c.first, days(*c.left), outOf(c.proven, c.all, "peer"), ignored)
	}
	return fmt.Sprintf("%s: the first key expires in %s, %s proven%s", count(c.tenants, "tenant"), days(*c.left), outOf(c.proven, c.all, "link"), ignored)
}

// performance are the numbers after the first line: none that was not counted.
func (c *checkSummary) performance() string {
	data := ""
	if c.left != nil {
		// Rounded down, as in the text: 4.996 days are not 5.00.
		data = fmt.Sprintf(" days_left=%.2f;%.2f:;%.2f:", math.Floor(100*inDays(*c.left))/100, inDays(c.warning), inDays(c.critical))
	}
	if c.looked || c.tenants == 0 { // an empty part of an array has no peers
		data += fmt.Sprintf(" peers_pending=%d;0;;0 peers_refused=%d;0;;0", c.pending, c.refused)
	}
	if data == "" {
		return "\n"
	}
	return " |" + data + "\n"
}
