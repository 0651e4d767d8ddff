package cmdline

import "testing"

func TestWhatACommandLineThatCannotBeReadAsksFor(t *testing.T) {
	on, off := optionFile(t, "nonsense", "redact = yes"), optionFile(t, "redact = no")
	for name, c := range map[string]struct {
		args     []string
		variable string
		want     bool
	}{
		"nothing":                       {args: []string{"renew_mnetkeys", "redact", "--redacts", "--options=" + off}},
		"an argument":                   {args: []string{"--nonsense", "--redact"}, want: true},
		"one dash":                      {args: []string{"-redact", "--options", off}, want: true},
		"an argument that is off":       {args: []string{"--redact=false", "--options=" + on}, variable: "1"},
		"an argument with a wrong word": {args: []string{"--redact=perhaps"}, want: true},
		"its variable":                  {args: []string{"--options=" + off}, variable: "1", want: true},
		"its variable that is off":      {args: []string{"--options=" + on}, variable: "0"},
		"a file":                        {args: []string{"--options=" + on}, want: true},
		"a file behind a blank":         {args: []string{"--options", on}, want: true},
		"a file that is not there":      {args: []string{"--options=/nonexistent"}},
	} {
		getenv := func(variable string) string {
			if variable == "MNETKEYS_REDACT" {
				return c.variable
			}
			return ""
		}
		if got := Asks("redact", c.args, getenv); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
