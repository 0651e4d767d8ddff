package cmdline

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

// man prints warnings about a page on stderr, and the page as a reader sees it on stdout.
func TestManHasNothingToSayOfThePage(t *testing.T) {
	said, shown := shownByMan(t, manPage())
	if said != "" {
		t.Error(said)
	}
	for _, s := range []string{"NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES", "SEE ALSO"} {
		if !regexp.MustCompile(`(?m)^` + s + `$`).MatchString(shown) {
			t.Errorf("there is no section %s", s)
		}
	}
	words := strings.Join(strings.Fields(shown), " ")
	for _, o := range completedOptions() {
		for _, flag := range o.flags() {
			if !regexp.MustCompile(`(?m)^ +(-\w, )?` + flag + `\b`).MatchString(shown) {
				t.Errorf("the page lacks %s", flag)
			}
		}
		if !strings.Contains(words, strings.Join(strings.Fields(o.does()), " ")) {
			t.Errorf("the page does not say of --%s: %s", o.name, o.does())
		}
	}
	for _, cmd := range Commands {
		for line := range strings.Lines(cmd.Exits.String()) {
			if _, means, _ := strings.Cut(strings.TrimSpace(line), "  "); !strings.Contains(words, means) {
				t.Errorf("the page does not say %q, which is an exit code of %s", means, cmd.Name)
			}
		}
		if !strings.Contains(words, cmd.Line()+" "+capital(cmd.Does)+". "+cmd.about) {
			t.Errorf("the page does not say what %s does", cmd.Name)
		}
		for _, e := range cmd.examples {
			if !strings.Contains(words, capital(e.does)+": "+e.line()) {
				t.Errorf("the page lacks the example %s", e.line())
			}
		}
	}
	if said, _ := shownByMan(t, strings.Replace(manPage(), ".SH ENVIRONMENT", ".SHH ENVIRONMENT", 1)); said == "" {
		t.Error("man has nothing to say of a page with an unknown request either")
	}
}

// shownByMan gives the warnings of man, and the page as man shows it: without hyphenation, so that
// the tests find words in it.
func shownByMan(t *testing.T, page string) (said, shown string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "renew_mnetkeys.8")
	if err := os.WriteFile(path, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	man := exec.Command(testbed.Program(t, "man"), "-l", "--warnings", "-E", "UTF-8", "--no-hyphenation", "--no-justification", path)
	man.Env = append(os.Environ(), "MANWIDTH=100", "LC_ALL=C.UTF-8", "MAN_KEEP_FORMATTING=")
	var stdout, stderr bytes.Buffer
	man.Stdout, man.Stderr = &stdout, &stderr
	if err := man.Run(); err != nil {
		t.Fatal(err, stderr.String())
	}
	return stderr.String(), stdout.String()
}

// asRead gives the error with which options are refused, nil if they are accepted.
func asRead(cmd Command, args ...string) error {
	app := NewApp(cmd, os.Stdout, os.Stderr, func(Options) {})
	return app.Run(slices.Concat([]string{"renew_mnetkeys"}, args))
}

// partners are other options that the option needs.
func partners(o *option) []string {
	if o.needs != "" {
		return []string{"--" + o.needs}
	}
	return nil
}

func commandThatTakes(t *testing.T, o *option) Command {
	t.Helper()
	for _, cmd := range Commands {
		if o.takenBy(cmd.Name) {
			return cmd
		}
	}
	t.Fatalf("no command takes --%s", o.name)
	return Command{}
}

func TestEveryValueThatIsCompletedIsAccepted(t *testing.T) {
	seen := 0
	for _, o := range allOptions() {
		written, does := o.line()
		for _, word := range o.words {
			seen++
			if !strings.Contains(written+" "+does, strings.TrimSuffix(word, "1")) {
				t.Errorf("%s: --help does not name %s", written, word)
			}
			if err := asRead(commandThatTakes(t, o), append(partners(o), "--"+o.name+"="+word)...); err != nil {
				t.Errorf("--%s=%s: %v", o.name, word, err)
			}
		}
	}
	if seen == 0 {
		t.Error("no option has values to complete")
	}
}

// sampleLine is a line of the sample that could be uncommented.
var sampleLine = regexp.MustCompile(`(?m)^#([a-z].*)$`)

func TestEveryLineOfTheSampleIsAcceptedWhenItIsUncommented(t *testing.T) {
	path := filepath.Join(t.TempDir(), "options.conf")
	sample, lines := sampleOptionFile(), map[string]string{}
	for _, line := range sampleLine.FindAllStringSubmatch(sample, -1) {
		name, _, _ := strings.Cut(line[1], " = ")
		lines[name] = line[1]
	}
	for _, o := range allOptions() {
		name := o.name
		if name == "options" {
			continue // the file cannot name itself
		}
		if err := os.WriteFile(path, []byte(strings.Replace(sample, "#"+lines[name]+"\n", lines[name]+"\n", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if lines[name] == "" {
			t.Errorf("the sample lacks %s", name)
		} else if err := asRead(commandThatTakes(t, o), append(partners(o), "--options="+path)...); err != nil {
			t.Errorf("%s: %v", lines[name], err)
		}
	}
	if err := os.WriteFile(path, []byte("no-such-option = 1\n"+sample), 0o600); err != nil {
		t.Fatal(err)
	}
	if asRead(Commands[0], "--options="+path) == nil {
		t.Error("an option that is none is accepted too")
	}
}
