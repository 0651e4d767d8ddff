package peers

import (
	"strings"
	"testing"
)

func TestDetailsAreFitForATerminal(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain text stays", "école n° 1: \"fine\"", "école n° 1: \"fine\""},
		{"line ends become spaces", "a\r\n\tb\u2028c", "a b c"},
		{"colours go", "\x1b[1;31mred\x1b[0m", "red"},
		{"a window title goes", "x\x1b]0;owned\ay\x1b]2;z\x1b\\w", "xyw"},
		{"the same in C1", "a\u009b31mb\u009d0;t\u009cc", "abc"},
		{"an escape cut short", "a\x1b[", "a"},
		{"control characters", "a\x00\x07\x7fb", "ab"},
		{"a direction override and a zero width space", "moc.\u202eelpmaxe\u200b", "moc.elpmaxe"},
		{"bytes that are no text", "a\xff\xfeb", "ab"},
		{"a certificate", "got -----BEGIN CERTIFICATE-----\nMIIE", "got (PEM left out)"},
		{"a key behind an escape that hides it", "-----BE\x1b[0mGIN RSA PRIVATE KEY-----\nMIIE", "(PEM left out)"},
		{"a key behind a zero width space", "-----BE\u200bGIN PRIVATE KEY-----\nMIIE", "(PEM left out)"},
		{"too long", strings.Repeat("ü", 300), strings.Repeat("ü", 199) + "…"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := clean(c.in, detailLimit); got != c.want {
				t.Errorf("%q became %q, want %q", c.in, got, c.want)
			}
		})
	}
}
