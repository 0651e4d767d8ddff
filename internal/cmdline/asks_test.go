package cmdline

import (
	"strings"
	"testing"
)

func TestWhatACommandLineThatCannotBeReadAsksFor(t *testing.T) {
	on, off := optionFile(t, "nonsense", "redact = yes"), optionFile(t, "redact = no")
	changed := optionFile(t, "redact", "redact = no")
	for name, c := range map[string]struct {
		args     []string
		variable string
		want     bool
	}{
		"nothing":                       {args: []string{"renew_mnetkeys", "redact", "--redacts", "--options=" + off}},
		"an argument":                   {args: []string{"--nonsense", "--redact"}, want: true},
		"three dashes":                  {args: []string{"---redact", "--options=" + off}, want: true},
		"a file whose last line is off": {args: []string{"--options=" + changed}},
		"an empty variable":             {args: []string{"--options=" + on}, variable: "set and empty"},
		"one dash":                      {args: []string{"-redact", "--options", off}, want: true},
		"an argument that is off":       {args: []string{"--redact=false", "--options=" + on}, variable: "1"},
		"an argument with a wrong word": {args: []string{"--redact=perhaps"}, want: true},
		"its variable":                  {args: []string{"--options=" + off}, variable: "1", want: true},
		"its variable that is off":      {args: []string{"--options=" + on}, variable: "0"},
		"a file":                        {args: []string{"--options=" + on}, want: true},
		"a file behind a blank":         {args: []string{"--options", on}, want: true},
		"a file that is not there":      {args: []string{"--options=/nonexistent"}},
	} {
		lookup := func(variable string) (string, bool) {
			if variable != "MNETKEYS_REDACT" || c.variable == "" {
				return "", false
			}
			return strings.TrimPrefix(c.variable, "set and empty"), true
		}
		if got := Asks("redact", c.args, lookup); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
