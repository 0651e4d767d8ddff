package printable

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestWhatOthersSentIsOneLineThatSteersNoTerminal(t *testing.T) {
	for name, c := range map[string]struct {
		in    string
		limit int
		want  string
	}{
		"plain text stays":                 {"école n° 1: \"fine\"", 0, "école n° 1: \"fine\""},
		"a plain name stays":               {"https://moodle.example.org/schöne-größe", 0, "https://moodle.example.org/schöne-größe"},
		"Hebrew stays":                     {"https://אתר.example", 0, "https://אתר.example"},
		"blanks stay":                      {" a  b ", 0, " a  b "},
		"white space becomes blanks":       {"a\nb\tc\u2028d\u00a0e", 0, "a b c d e"},
		"colours go":                       {"\x1b[1;31mred\x1b[0m", 0, "red"},
		"a window title goes":              {"x\x1b]0;owned\ay\x1b]2;z\x1b\\w", 0, "xyw"},
		"the same in C1":                   {"a\u009b31mb\u009d0;t\u009cc", 0, "abc"},
		"an escape cut short":              {"a\x1b[", 0, "a"},
		"control characters":               {"a\x00\x07\x7fb", 0, "a\uFFFD\uFFFD\uFFFDb"},
		"a mark that turns the writing":    {"a\u202egnp.exe", 0, "a\uFFFDgnp.exe"},
		"an isolate":                       {"a\u2066b\u2069", 0, "a\uFFFDb\uFFFD"},
		"a zero width space":               {"a\u200bb", 0, "a\uFFFDb"},
		"bytes that are not text":          {"a\xffb", 0, "a\uFFFDb"},
		"a replacement character itself":   {"a\uFFFDb", 0, "a\uFFFDb"},
		"as long as the limit":             {strings.Repeat("ü", 200), 200, strings.Repeat("ü", 200)},
		"longer than the limit":            {strings.Repeat("ü", 300), 200, strings.Repeat("ü", 199) + "…"},
		"what goes does not count as long": {strings.Repeat("\x1b[0m", 300) + "a", 200, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Line(c.in, c.limit); got != c.want {
				t.Errorf("%q became %q, want %q", c.in, got, c.want)
			}
		})
	}
}

func TestLinesStayLines(t *testing.T) {
	if got, want := Lines("one\r\ntwo\t2\n\x1b[1mthree\x1b[0m\n"), "one\ntwo 2\nthree\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func FuzzLine(f *testing.F) {
	f.Add("a\x1b[31mb\xff\u202e", 3)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		got := Line(text, limit)
		if !utf8.ValidString(got) || limit > 0 && utf8.RuneCountInString(got) > limit {
			t.Errorf("%q, limit %d", got, limit)
		}
		for _, r := range got {
			if !unicode.IsPrint(r) {
				t.Errorf("%q has %U", got, r)
			}
		}
	})
}
