package main

import (
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The README shows the terminal of a smoke run. What differs from run to run is replaced by
// something of the same width; everything else is what the command printed.
func TestThePictureOfATerminalShowsWhatTheCommandPrints(t *testing.T) {
	var out transcript
	if err := run(t.Context(), nil, &out); err != nil {
		t.Fatal(err)
	}
	_, printed, found := strings.Cut(out.String(), "\n$ ")
	printed, _, ended := strings.Cut(printed, "\n\nok ")
	if !found || !ended {
		t.Fatalf("the story is told otherwise:\n%s", out.String())
	}
	want := picture(steady("$ " + printed))
	top, err := repository(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(top, "docs", "terminal.svg")
	if os.Getenv("MNETKEYS_TEST_WRITE") != "" {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if shown, err := os.ReadFile(name); err != nil || string(shown) != want {
		t.Errorf("docs/terminal.svg does not show what is printed, make pictures draws it anew (%v):\n%s",
			err, steady("$ "+printed))
	}
}

// steady is what the command printed with names for addresses, and with the same keys, times and
// durations every time.
func steady(printed string) string {
	printed = regexp.MustCompile(`--config=\S+`).ReplaceAllString(printed, "--config=/var/www/moodle/config.php")
	printed = regexp.MustCompile(` --retries=\S+`).ReplaceAllString(printed, "")
	printed = named(printed)
	printed = strings.ReplaceAll(printed, "dial tcp offline.example", "dial tcp 192.0.2.7:80")
	printed = strings.ReplaceAll(printed, "offline.example: connect", "192.0.2.7:80: connect")
	keys := []string{"1d9a63f0c2b7584e", "8e04b7719fd2c365"}
	printed = regexp.MustCompile(`[0-9a-f]{64}`).ReplaceAllStringFunc(printed, func(string) string {
		key := keys[0]
		keys = append(keys[1:], key)
		return strings.Repeat(key, 4)
	})
	printed = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d UTC until \d{4}-\d\d-\d\d \d\d:\d\d UTC`).
		ReplaceAllString(printed, "2026-03-01 03:17 UTC until 2026-03-29 03:17 UTC")
	return regexp.MustCompile(` *\d+ ms`).ReplaceAllStringFunc(printed, func(took string) string {
		return fmt.Sprintf("%*s", len(took), "12 ms")
	})
}

// peerLines are the lines about one peer.
var peerLines = regexp.MustCompile(`(?m)^  (accepted|refused|pending) .*\n(?: {12}.*\n)*`)

// named has names for addresses, all as wide as a port of five digits makes them. The command sorts
// the peers by address, and the ports differ from run to run: here they stand by outcome.
func named(printed string) string {
	peers := peerLines.FindAllString(printed, -1)
	order := []string{"accepted", "refused", "pending"}
	slices.SortStableFunc(peers, func(a, b string) int {
		return slices.Index(order, strings.Fields(a)[0]) - slices.Index(order, strings.Fields(b)[0])
	})
	next := 0
	printed = peerLines.ReplaceAllStringFunc(printed, func(string) string {
		next++
		return peers[next-1]
	})
	names := []string{"tenant1.example", "patched.example", "stock-1.example", "mnetoff.example", "offline.example"}
	seen := map[string]string{}
	return regexp.MustCompile(`127\.0\.0\.1:\d+ *`).ReplaceAllStringFunc(printed, func(address string) string {
		host := strings.TrimRight(address, " ")
		if seen[host] == "" && len(seen) < len(names) {
			seen[host] = names[len(seen)]
		}
		return fmt.Sprintf("%-*s", len(address), seen[host])
	})
}

const (
	columns    = 112
	charWidth  = 84 // tenths of a pixel, of 14 px letters
	lineHeight = 19
	margin     = 18
)

// outcome is the word that a line begins with, as it is coloured on a terminal.
var outcome = regexp.MustCompile(`^(  )?(renewed|accepted|refused|pending|error:) `)

// picture draws lines as a dark terminal, which can be read on a light and on a dark page. It
// loads nothing: fonts are the reader's, stretched to the width of the columns.
func picture(text string) string {
	lines := wrapped(text)
	width, height := columns*charWidth/10+2*margin, len(lines)*lineHeight+2*margin
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">
<title>What renew_mnetkeys prints</title>
<style>
text { font: 14px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #d7dde5; white-space: pre }
.renewed, .accepted { fill: #6fdd8b } .refused { fill: #ff8a80 } .pending { fill: #ffd166 } .command { fill: #8ecbff }
</style>
<rect x="0.5" y="0.5" width="%d" height="%d" rx="8" fill="#161b22" stroke="#59636e"/>
`, width, height, width, height, width-1, height-1)
	for i, line := range lines {
		rest := strings.TrimLeft(line, " ")
		if rest == "" {
			continue
		}
		x, class := len(line)-len(rest), ""
		if strings.HasPrefix(rest, "$ ") {
			class = "command"
		}
		parts := []struct{ class, text string }{{class, rest}}
		if word := outcome.FindStringSubmatch(line); word != nil {
			parts = []struct{ class, text string }{{word[2], word[2]}, {"", strings.TrimPrefix(rest, word[2])}}
		}
		for _, part := range parts {
			said := strings.TrimLeft(part.text, " ")
			x += len(part.text) - len(said)
			fmt.Fprintf(&b, `<text x="%.1f" y="%d" textLength="%.1f"`, margin+float64(x*charWidth)/10, margin+14+i*lineHeight, float64(len(said)*charWidth)/10)
			if part.class != "" {
				fmt.Fprintf(&b, ` class="%s"`, part.class)
			}
			b.WriteString(">")
			_ = xml.EscapeText(&b, []byte(said)) // a Builder takes everything
			b.WriteString("</text>\n")
			x += len(said)
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// wrapped are the lines of a text, the long ones wrapped at a blank, as far in as they began.
func wrapped(text string) []string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
		for len(line) > columns {
			at := strings.LastIndex(line[:columns+1], " ")
			if at <= len(indent) {
				break
			}
			lines = append(lines, line[:at])
			line = indent + strings.TrimLeft(line[at:], " ")
		}
		lines = append(lines, line)
	}
	return lines
}
