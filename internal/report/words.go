package report

import (
	"strconv"
	"strings"
	"time"

	"renew_mnetkeys/rotate"
)

// mark is how an outcome looks besides its colour.
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
		{string(rotate.Undone), "←", "the old key is back, because the own site kept using it"},
		{string(rotate.Failed), "✗", how.failed()},
	}
}

func peerMarks(how mode) []mark {
	skipped := "not told, with the reason"
	switch {
	case how.ReadsOnly:
		skipped = "not called"
	case how.dryRun:
		skipped = "can be reached; would be told"
	}
	return []mark{
		{string(rotate.Accepted), "A", "proven at once"},
		{string(rotate.Healed), "H", "proven after it fetched the key itself"},
		{string(rotate.Pending), "P", "not reached; it fetches the key at its first call"},
		{string(rotate.Refused), "R", "answered, and does not use the new key"},
		{string(rotate.Skipped), "S", skipped},
		{string(rotate.Ignored), "–", "not proven, and the operator does not want to know"},
	}
}

// markOf finds an outcome among marks. One it does not know is shown all the same.
func markOf(marks []mark, outcome string) mark {
	for _, m := range marks {
		if m.Outcome == outcome {
			return m
		}
	}
	return mark{Outcome: printable(outcome), Letter: "?"}
}

// selfCheck is what the own proof showed, and what to do about it.
type selfCheck struct{ Word, Means, Next string }

func selfCheckOf(c rotate.SelfCheck) selfCheck {
	s := selfCheck{Word: printable(string(c))}
	switch c {
	case rotate.SelfProven:
		s.Means = "it uses the stored key"
	case rotate.SelfNoRC4:
		s.Means = "it shows the stored certificate, but its OpenSSL cannot do RC4, so no sealed call works"
		s.Next = "switch OpenSSL's legacy provider on for the web server's PHP and restart it"
	case rotate.SelfUnreachable:
		s.Means = "no MNet server answers there from this machine"
		s.Next = "look at the site from this machine: its address, its web server, its MNet setting"
	case rotate.SelfSkipped:
		s.Means = "not asked"
	case rotate.SelfFailed:
		s.Means = "it does not use the stored key"
		s.Next = "purge Moodle's caches on every web node, then run renew_mnetkeys push"
	}
	return s
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

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

// span writes a duration as people say it: whole days once there are some.
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
