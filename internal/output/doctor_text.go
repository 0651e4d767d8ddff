package output

import (
	"fmt"
	"strings"

	"renew_mnetkeys/internal/printable"
	"renew_mnetkeys/rotate"
)

// renderFindings lists what the diagnosis of one tenant has found, and what to do.
func renderFindings(r rotate.TenantReport, paint func(word, padded string) string) string {
	var b strings.Builder
	found := map[rotate.Severity]int{}
	for _, f := range r.Findings {
		found[f.Severity]++
	}
	fmt.Fprintf(&b, "%s: %s, %s, %s; %s\n", printable.Line(r.Wwwroot, 0), count(found[rotate.SeverityError], "error"),
		count(found[rotate.SeverityWarning], "warning"), count(found[rotate.SeverityInfo], "note"), count(len(r.Peers), "peer"))
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "\n  %s %s", paint(severityColours[f.Severity], fmt.Sprintf("%-7s", f.Severity)), f.Code)
		if f.Subject != "" && f.Subject != r.Wwwroot {
			b.WriteString("  " + printable.Line(f.Subject, 0))
		}
		fmt.Fprintf(&b, "\n          %s\n", printable.Line(f.Message, 0))
		if len(f.Peers) > 0 {
			fmt.Fprintf(&b, "          peers: %s\n", printable.Line(some(f.Peers), 0))
		}
		fmt.Fprintf(&b, "          next: %s\n", printable.Line(f.Next, 0))
	}
	return b.String()
}

// some names a few of many.
func some(names []string) string {
	const shown = 5
	if len(names) <= shown+1 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more, which --json lists", strings.Join(names[:shown], ", "), len(names)-shown)
}

// severityColours give a severity the colour of an outcome.
var severityColours = map[rotate.Severity]string{
	rotate.SeverityError: string(rotate.Failed), rotate.SeverityWarning: string(rotate.Pending), rotate.SeverityInfo: "",
}
