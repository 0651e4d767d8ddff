package test

import (
	"slices"
	"strings"
	"testing"

	"renew_mnetkeys/rotate"
)

func TestGeneratePrintsWhatItIsAskedFor(t *testing.T) {
	const usage = "renew_mnetkeys generate man|bash|zsh|fish|conf"
	for _, c := range []struct {
		name, stdout, stderr string
		args                 []string
		code                 int
	}{
		{"the manual page", ".TH RENEW_MNETKEYS 8", "", []string{"man"}, 0},
		{"the completion of bash", "complete -F _renew_mnetkeys", "", []string{"bash"}, 0},
		{"the completion of zsh", "#compdef renew_mnetkeys\n", "", []string{"zsh"}, 0},
		{"the completion of fish", "complete -c renew_mnetkeys", "", []string{"fish"}, 0},
		{"a file of options", "#host = ", "", []string{"conf"}, 0},
		{"what it can", usage, "", []string{"--help"}, 0},
		{"an error without a word", "", "hint: usage: " + usage, nil, 2},
		{"an error for a word it does not know", "", `error: unknown argument "tcsh"`, []string{"tcsh"}, 2},
		{"an error for two words", "", `error: unexpected word "zsh"`, []string{"bash", "zsh"}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := run1(t, command(t, slices.Concat([]string{"generate"}, c.args)...))
			if r.code != c.code || !strings.Contains(r.stdout, c.stdout) || !strings.Contains(r.stderr, c.stderr) {
				t.Errorf("exit code %d, stdout %.80q, stderr %q", r.code, r.stdout, r.stderr)
			}
			if (c.stdout == "") != (r.stdout == "") || (c.stderr == "") != (r.stderr == "") {
				t.Errorf("one of them should be empty: stdout %.80q, stderr %q", r.stdout, r.stderr)
			}
		})
	}
}

func TestHalfAManualPageIsAnError(t *testing.T) {
	if r := lost(t, losingOutput["a full disk"], "generate", "man"); r.code != rotate.ExitPeers || !strings.Contains(r.stderr, "no space left") {
		t.Errorf("exit code %d, %q", r.code, r.stderr)
	}
}
