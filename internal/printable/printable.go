// Package printable cleans texts from other sources (peers, rows of a database, commands, PHP), so
// that they can be printed on a terminal, in a log, in a JSON document and on a page. It refuses
// nothing: what cannot be printed is replaced. It escapes no HTML.
package printable

import (
	"regexp"
	"strings"
	"unicode"
)

// Replacement replaces a character that is not printed: one that controls a terminal, that is
// invisible, or that changes the direction of writing, which can forge the name of a site; and
// bytes that are not UTF-8.
const Replacement = "\uFFFD"

// escapes are terminal control sequences (ECMA-48): CSI (ESC [ … letter) and OSC (ESC ] … BEL or
// ESC \), in ESC form and as C1.
var escapes = regexp.MustCompile("(?:\x1b\\[|\u009b)[0-?]*[ -/]*[@-~]?|(?:\x1b\\]|\u009d)[^\a\x1b\u009c]*(?:\a|\x1b\\\\|\u009c)?|\x1b.?")

// Line is text in one line of at most limit characters; 0 means no limit. White space becomes
// blanks, and terminal control sequences are left out.
func Line(text string, limit int) string {
	if strings.IndexFunc(text, mustGo) >= 0 {
		text = escapes.ReplaceAllString(strings.ToValidUTF8(text, Replacement), "")
		text = strings.Map(clean, text)
	}
	if runes := []rune(text); limit > 0 && len(runes) > limit {
		text = strings.TrimSpace(string(runes[:limit-1])) + "…"
	}
	return text
}

// Lines is text without limit that keeps its lines.
func Lines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = Line(strings.TrimSuffix(line, "\r"), 0)
	}
	return strings.Join(lines, "\n")
}

// mustGo also finds bytes that are not UTF-8: they read as [unicode.ReplacementChar].
func mustGo(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) }

func clean(r rune) rune {
	switch {
	case unicode.IsPrint(r):
		return r
	case unicode.IsSpace(r):
		return ' '
	}
	return unicode.ReplacementChar
}
