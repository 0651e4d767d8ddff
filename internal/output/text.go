package output

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/internal/printable"
	"renew_mnetkeys/rotate"
)

// renderText is a report for people: one block for the tenant, one line for each peer, one summary
// line. Without whole, only the summary mentions the peers. paint colours a padded word.
func renderText(r rotate.TenantReport, whole bool, o cmdline.Options, paint func(word, padded string) string) string {
	var b strings.Builder
	tenantBlock(&b, r, o, paint)
	if whole && len(r.Peers) > 0 {
		b.WriteByte('\n')
		peerLines(&b, r, o.DryRun, paint)
	}
	if summary := summarize(r, o.DryRun); summary != "" {
		if whole {
			b.WriteByte('\n')
		}
		b.WriteString(summary + "\n")
	}
	if r.Moved != nil && r.Moved.Message != "" {
		b.WriteString("\nmessage for the administrators of the peers that are not proven:\n\n")
		for line := range strings.Lines(r.Moved.Message) {
			b.WriteString(printable.Line(strings.TrimRight(line, "\n"), 0) + "\n")
		}
	}
	return b.String()
}

// outcomeWords say what a command did, or would do, if the outcome's own word could be
// misunderstood.
func outcomeWords(r rotate.TenantReport, o cmdline.Options) string {
	command := o.Command.Row()
	switch {
	case o.DryRun && r.Outcome == rotate.Kept && r.NotDue:
		return "would keep the key of"
	case o.DryRun && r.Outcome == rotate.Kept:
		return command.Would
	case command.Did != "" && r.Outcome == command.Good:
		return command.Did
	}
	return outcomeOf(r)
}

// interrupted is the word for a tenant whose work a signal or the deadline has ended.
const interrupted = "interrupted"

// outcomeOf is the outcome of a tenant, in a word.
func outcomeOf(r rotate.TenantReport) string {
	if r.Interrupted() {
		return interrupted
	}
	return string(r.Outcome)
}

func tenantBlock(b *strings.Builder, r rotate.TenantReport, o cmdline.Options, paint func(word, padded string) string) {
	if r.Wwwroot == "" && r.Certificate == nil {
		return // the error says everything
	}
	fmt.Fprintf(b, "%s %s\n", paint(outcomeOf(r), outcomeWords(r, o)), printable.Line(r.Wwwroot, 0))
	line := func(name, format string, args ...any) {
		fmt.Fprintf(b, "  %-12s %s\n", name, fmt.Sprintf(format, args...))
	}
	if c := r.Certificate; c != nil {
		name := "certificate"
		if o.DryRun {
			name = "stored now" // not the one that the peers would be sent
		}
		line(name, "sha256 %s", c.SHA256)
		line("valid", "%s until %s", rotate.FormatTime(*c.NotBefore), rotate.FormatTime(c.NotAfter))
	}
	if !r.DueAt.IsZero() {
		line("not due", "the key will be renewed after %s", rotate.FormatTime(r.DueAt))
	}
	if p := r.Previous; p != nil {
		line("replaces", "sha256 %s (%d in the history)", p.SHA256, r.History)
	}
	if r.SelfCheck != rotate.SelfSkipped || r.Outcome == rotate.Renewed {
		line("local site", "%s", paint(string(r.SelfCheck), ownSite(r)))
	}
	if len(r.Nodes) > 1 {
		for _, n := range r.Nodes {
			line("", "%s", nodeWords(n))
		}
	}
	if r.Err == nil && r.Hint != "" {
		line("", "next: %s", printable.Line(r.Hint, 0))
	}
	for _, w := range r.Warnings {
		line("note", "%s", printable.Line(w, 0))
	}
}

// nodeWords say what one web server of the local site showed.
func nodeWords(n rotate.NodeReport) string {
	return printable.Line(fmt.Sprintf("web server %s: %s: %s", n.Address, n.SelfCheck, n.Means()), 0)
}

// ownSite says what the sealed call to the local site showed.
func ownSite(r rotate.TenantReport) string {
	means, _ := r.LocalSite()
	if r.SelfCheck == rotate.SelfSkipped || means == "" {
		return string(r.SelfCheck)
	}
	return string(r.SelfCheck) + ": " + means
}

// peerLines puts peers that need attention last, next to the summary, where the reader looks. Of
// consecutive peers with the same next step only the last one shows it. A dry run skips the peers that
// it can reach.
func peerLines(b *strings.Builder, r rotate.TenantReport, dryRun bool, paint func(word, padded string) string) {
	width := 0
	for _, p := range r.Peers {
		width = max(width, min(len(p.Wwwroot), 50))
	}
	for _, good := range []bool{true, false} {
		peers := slices.DeleteFunc(slices.Clone(r.Peers), func(p rotate.PeerReport) bool {
			return (p.Outcome.Proven() || p.Outcome == rotate.Skipped || p.Outcome == rotate.Ignored) != good
		})
		for i, p := range peers {
			word := string(p.Outcome)
			if dryRun && p.Outcome == rotate.Skipped {
				word = "reachable"
			}
			fmt.Fprintf(b, "  %s %-*s %6d ms", paint(string(p.Outcome), fmt.Sprintf("%-9s", word)), width, printable.Line(p.Wwwroot, 0), p.TookMS)
			if why := reasonWords(p); why != "" {
				fmt.Fprintf(b, "  %s", printable.Line(why, 0))
			}
			b.WriteByte('\n')
			peersNext(b, peers[i:])
		}
	}
}

// peersNext writes the next step of the first of these peers, unless the second has the same.
func peersNext(b *strings.Builder, peers []rotate.PeerReport) {
	next := peers[0].Next
	if next == "" || len(peers) > 1 && peers[1].Next == next {
		return
	}
	fmt.Fprintf(b, "  %9s next: %s\n", "", printable.Line(next, 0))
}

func reasonWords(p rotate.PeerReport) string {
	why := string(p.Reason)
	if p.Detail != "" {
		if why != "" {
			why += ": "
		}
		why += p.Detail
	}
	switch {
	case p.Attempts > 1 && p.Outcome == rotate.Pending:
		why += fmt.Sprintf(" (%d tries)", p.Attempts)
	case p.Attempts == 0 && p.Outcome == rotate.Refused: // judged by the databases alone
		why += " (not called)"
	}
	return why
}

// summarize is the last line: how many of the peers use the new key.
func summarize(r rotate.TenantReport, dryRun bool) string {
	count := map[rotate.PeerOutcome]int{}
	for _, p := range r.Peers {
		count[p.Outcome]++
	}
	total := len(r.Peers) - count[rotate.Ignored]
	ignored := ""
	if n := count[rotate.Ignored]; n > 0 {
		ignored = fmt.Sprintf(", %d ignored", n)
	}
	switch {
	case dryRun && r.Outcome == rotate.Kept:
		return "dry run: nothing was changed; " + outOf(count[rotate.Skipped], total, "peer") + " can be reached" + ignored
	case r.Outcome != rotate.Renewed && (r.Outcome != rotate.Kept || r.Err != nil):
		return ""
	case len(r.Peers) == 0 && r.Outcome == rotate.Kept:
		return "the site has no active peers"
	case len(r.Peers) == 0:
		return "the key is renewed; the site has no active peers"
	}
	line := outOf(count[rotate.Accepted]+count[rotate.Healed], total, "peer") + " proven"
	for _, o := range []rotate.PeerOutcome{rotate.Pending, rotate.Refused} {
		if count[o] > 0 {
			line += fmt.Sprintf(", %d %s", count[o], o)
		}
	}
	return line + ignored
}

// count writes a number of things in words.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// outOf writes a part of a number of things in words.
func outOf(n, total int, thing string) string { return fmt.Sprintf("%d of %s", n, count(total, thing)) }

// PrintError prints an error that ends the command; all of them look the same.
func PrintError(w io.Writer, err error) { printHinted(w, err, rotate.HintOf(err)) }

func printHinted(w io.Writer, err error, hint string) {
	fmt.Fprintln(w, "error: "+printable.Line(err.Error(), 0))
	if hint != "" {
		fmt.Fprintln(w, "hint: "+printable.Line(hint, 0))
	}
}
