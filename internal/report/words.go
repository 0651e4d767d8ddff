package report

import (
	"strconv"
	"strings"
	"time"

	"renew_mnetkeys/internal/printable"
	"renew_mnetkeys/rotate"
)

// mark is how an outcome is shown in addition to its colour.
type mark struct {
	Outcome string // its word, and the class of its colour
	Letter  string
	Means   string
}

// tenantMarks and peerMarks are in the order in which the page names outcomes: good ones first.
func tenantMarks(how mode) []mark {
	return []mark{
		{string(rotate.Renewed), "✓", how.renewed()},
		{string(rotate.Kept), "=", how.kept()},
		{string(rotate.Undone), "←", "the old key was restored, because the local site kept using it"},
		{string(rotate.Failed), "✗", how.failed()},
	}
}

func peerMarks(how mode) []mark {
	skipped := "not pushed, for the reason given"
	switch {
	case how.ReadsOnly:
		skipped = "not called"
	case how.dryRun:
		skipped = "can be reached; the key would be pushed"
	}
	return []mark{
		{string(rotate.Accepted), "A", "proven at once"},
		{string(rotate.Healed), "H", "proven after it fetched the key itself"},
		{string(rotate.Pending), "P", "not proven yet: it was not reached, or not judged; its line says why"},
		{string(rotate.Refused), "R", "does not use the new key, as its answer or the databases show"},
		{string(rotate.Skipped), "S", skipped},
		{string(rotate.Ignored), "–", "not proven, but named by --ignore-peer: not counted"},
	}
}

// markOf finds an outcome among marks. An unknown outcome is shown all the same.
func markOf(marks []mark, outcome string) mark {
	for _, m := range marks {
		if m.Outcome == outcome {
			return m
		}
	}
	return mark{Outcome: printable.Line(outcome, 0), Letter: "?"}
}

// selfCheck is what the call to the local site showed, and what to do about it.
type selfCheck struct{ Word, Means, Next string }

// nodeLines say what each web server of the local site showed.
func nodeLines(nodes []rotate.NodeReport) []string {
	lines := make([]string, len(nodes))
	for i, n := range nodes {
		lines[i] = printable.Line(n.Address+": "+string(n.SelfCheck)+": "+n.Means(), 0)
	}
	return lines
}

func selfCheckOf(r rotate.TenantReport) selfCheck {
	means, next := r.LocalSite()
	return selfCheck{Word: printable.Line(string(r.SelfCheck), 0), Means: means, Next: next}
}

// number writes 249500 as 249,500.
func number(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// counted is "1 peer" or "5 peers".
func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return number(n) + " " + what
}

// span writes a duration for people: in whole days if it is at least one day.
func span(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return counted(int(d/(24*time.Hour)), "day")
	case d >= 2*time.Hour:
		return counted(int(d/time.Hour), "hour")
	}
	return counted(int(d/time.Minute), "minute")
}

func words(parts ...string) string {
	var kept []string
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, ": ")
}
