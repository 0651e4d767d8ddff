package cmdline

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// helpOf is the output of --help, or help.
func helpOf(t *testing.T, args ...string) string {
	t.Helper()
	args = Arguments(append([]string{"renew_mnetkeys"}, args...))
	cmd, args := CommandOf(args)
	var stdout, stderr strings.Builder
	app := NewApp(cmd, &stdout, &stderr, func(Options) { t.Errorf("%q works", args) })
	if err := app.RunContext(t.Context(), args); err != nil || stderr.String() != "" {
		t.Errorf("%q: error %v, %q", args, err, stderr.String())
	}
	return stdout.String()
}

func TestEveryHelpFitsATerminal(t *testing.T) {
	texts := map[string]string{"generate": generateHelp(), "the sample": sampleOptionFile()}
	for _, cmd := range Commands {
		texts[cmd.Line()] = helpOf(t, "help", string(cmd.Name))
	}
	for name, text := range texts {
		if !strings.HasSuffix(text, "\n") || strings.HasSuffix(text, "\n\n") {
			t.Errorf("%s ends with %q", name, text[max(0, len(text)-20):])
		}
		for line := range strings.Lines(text) {
			line = strings.TrimSuffix(line, "\n")
			if utf8.RuneCountInString(line) > 80 || strings.TrimRight(line, " ") != line {
				t.Errorf("%s has a line of %d columns: %q", name, utf8.RuneCountInString(line), line)
			}
		}
	}
}

func TestTheHelpOfACommandHasOnlyItsOptionsItsExamplesAndItsExitCodes(t *testing.T) {
	for _, cmd := range Commands[1:] {
		help := helpOf(t, string(cmd.Name), "--help")
		words := strings.Join(strings.Fields(help), " ")
		for _, want := range []string{cmd.Line() + ": " + cmd.Does, cmd.about, "Usage: " + cmd.Line() + " [options]",
			"Exit codes: " + strings.Join(strings.Fields(cmd.Exits.String()), " ")} {
			if !strings.Contains(words, want) {
				t.Errorf("%s: the help lacks %q", cmd.Name, want)
			}
		}
		for _, e := range cmd.examples {
			if !strings.Contains(help, "\n  # "+e.does+"\n  "+e.line()+"\n") {
				t.Errorf("%s: the help lacks the example %s", cmd.Name, e.line())
			}
		}
		for _, o := range completedOptions() {
			written, does := o.line()
			if has := strings.Contains(words, strings.TrimSpace(written)+" "+does); has != o.takenBy(cmd.Name) {
				t.Errorf("%s: the help has --%s: %v", cmd.Name, o.name, has)
			}
		}
	}
}

// A push or a rollback always has something to do.
func TestOnlyARenewalEndsWith0IfNothingIsDue(t *testing.T) {
	for _, cmd := range Commands {
		if says := strings.Contains(helpOf(t, "help", string(cmd.Name)), "nothing is due"); says != (cmd.Name == Renew) {
			t.Errorf("%s: the help says that nothing may be due: %v", cmd.Name, says)
		}
	}
}

// An option that has no effect without another one names it.
func TestTheHelpOfAnOptionNamesTheOneItNeeds(t *testing.T) {
	for _, o := range allOptions() {
		if o.needs != "" && !strings.Contains(o.does(), "--"+o.needs) {
			t.Errorf("--%s does not name --%s: %s", o.name, o.needs, o.does())
		}
	}
	status := strings.Join(strings.Fields(helpOf(t, "help", "status")), " ")
	for _, want := range []string{`add --live: without it, the options below "Reaching peers" have no effect, except --deadline`, " Reaching peers: --timeout="} {
		if !strings.Contains(status, want) {
			t.Errorf("the help of status lacks %q", want)
		}
	}
}

func TestAnExampleIsAcceptedByItsCommand(t *testing.T) {
	for _, cmd := range Commands {
		if len(cmd.examples) == 0 {
			t.Errorf("%s has no example", cmd.Name)
		}
		for _, e := range cmd.examples {
			if o, err := optionsOf(t, strings.Fields(e.args)...); err != nil || o.Command != cmd.Name {
				t.Errorf("%s: %s: it is for %s, error %v", cmd.Name, e.line(), o.Command, err)
			}
		}
	}
}

// The options that most people need are on the first screen.
func TestTheFirstGroupHasTheTenOptionsThatAreUsedMost(t *testing.T) {
	var names []string
	for _, o := range groups[0].options {
		names = append(names, o.name)
	}
	want := []string{"host", "config", "all", "withmaster", "dry-run", "if-due", "newkey", "quiet", "json", "report"}
	if !slices.Equal(names, want) {
		t.Errorf("%q", names)
	}
}

func TestHelpAndVersionAreWordsToo(t *testing.T) {
	for typed, want := range map[string]string{
		"":                     "",
		"--all":                "--all",
		"help":                 "--help",
		"help renew":           "--help",
		"help status":          "status --help",
		"help generate":        "generate --help",
		"help nonsense":        "nonsense --help",
		"help status --live":   "status --help --live",
		"status help":          "status --help",
		"generate help":        "generate --help",
		"help -h":              "-h --help",
		"help push -h":         "push --help -h",
		"version -v":           "--version -v",
		"version":              "--version",
		"version x":            "--version x",
		"version help":         "--help",
		"help version":         "--help",
		"help help":            "--help",
		"help help x":          "--help x",
		"help status x":        "status --help x",
		"push --host help":     "push --host help",
		"--config help":        "--config help",
		"status --config help": "status --config help",
	} {
		args := strings.Fields("renew_mnetkeys " + typed)
		before := slices.Clone(args)
		if got := strings.Join(Arguments(args)[1:], " "); got != want || !slices.Equal(args, before) {
			t.Errorf("%s: %q", typed, got)
		}
	}
	if got := helpOf(t, "status", "--help", "push"); got != helpOf(t, "help", "status") {
		t.Errorf("a word behind --help changes it: %q", got)
	}
	if got := helpOf(t, "version"); got != "renew_mnetkeys version "+Version()+"\n" {
		t.Errorf("version: %q", got)
	}
}

func TestTextIsWrappedAtBlanks(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  []string
	}{
		{"", 5, []string{""}},
		{"one two three", 7, []string{"one two", "three"}},
		{"one two three", 6, []string{"one", "two", "three"}},
		{"a incomprehensible b", 5, []string{"a", "incomprehensible", "b"}},
		{"ü ü ü", 3, []string{"ü ü", "ü"}},
	} {
		if got := wrapped(c.text, c.width); !slices.Equal(got, c.want) {
			t.Errorf("%q in %d columns: %q", c.text, c.width, got)
		}
	}
}

// The word help is an option by then, and package cli refuses an option by both of its names.
func TestHelpAndVersionMayBeAskedForTwice(t *testing.T) {
	whole, ofPush, version := helpOf(t, "--help"), helpOf(t, "push", "--help"), helpOf(t, "version")
	for typed, want := range map[string]string{
		"help -h": whole, "help --help": whole, "-h --help": whole, "--help -h": whole, "-h -h": whole, "version help -h": whole, "-h": whole, "-h=false -h": whole,
		"help push -h": ofPush, "push help -h": ofPush, "push --help -h": ofPush, "push -h --quiet": ofPush,
		"version -v": version, "version --version": version, "-v --version": version, "-v": version,
	} {
		if got := helpOf(t, strings.Fields(typed)...); got != want {
			t.Errorf("%s prints %q", typed, got)
		}
	}
	for _, typed := range []string{"--help", "-h", "--help -h", "man --help"} {
		if got, err := Generate(strings.Fields(typed)); got != generateHelp() {
			t.Errorf("generate %s: %v", typed, err)
		}
	}
}
