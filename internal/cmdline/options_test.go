package cmdline

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestDurationsAreWrittenAsTheContractSays(t *testing.T) {
	for _, c := range []struct {
		text string
		want time.Duration
	}{
		{"90s", 90 * time.Second},
		{"15s", 15 * time.Second},
		{"36h", 36 * time.Hour},
		{"7d", 7 * 24 * time.Hour},
		{"10m", 10 * time.Minute},
		{"1h30m", 90 * time.Minute},
	} {
		if d, err := parseDuration(c.text); err != nil || d != c.want {
			t.Errorf("%s: %v (%v)", c.text, d, err)
		}
	}
	for _, bad := range []string{"", "7", "d", "-1s", "1w", "1.5d", "99999999d"} {
		if _, err := parseDuration(bad); err == nil {
			t.Errorf("%q was taken for a duration", bad)
		}
	}
}

// A row may only refer to options that exist, and to the commands that take them.
func TestEveryRowIsWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, o := range allOptions() {
		for _, flag := range o.flags() {
			if seen[flag] {
				t.Errorf("%s is there twice", flag)
			}
			seen[flag] = true
		}
		if o.help == "" || o.set == nil {
			t.Errorf("--%s has no help, or is not read", o.name)
		}
		if o.needs != "" {
			needed := optionNamed(o.needs)
			if needed == nil || !needed.isSwitch() || needed.off == "" {
				t.Errorf("--%s needs --%s, which is no switch with advice", o.name, o.needs)
			} else if slices.ContainsFunc(Commands, func(c Command) bool { return o.takenBy(c.Name) && !needed.takenBy(c.Name) }) {
				t.Errorf("a command takes --%s and not --%s", o.name, o.needs)
			}
		}
		for _, c := range o.conflicts {
			if other := optionNamed(c.with); other == nil || other == o {
				t.Errorf("--%s contradicts --%s", o.name, c.with)
			}
		}
	}
	for _, c := range Commands {
		if c.Does == "" || c.about == "" || len(c.examples) == 0 || len(c.Exits) == 0 || c.To == "" || c.Good == "" || c.Single == (c.One != nil) || c.Many == nil || c.Changes != (c.Plan != nil || c.Single) || c.Changes != (c.Done != "") {
			t.Errorf("the row of %s lacks something: %+v", c.Name, c)
		}
	}
}

// A value is read from the first place that has one, and its error names that place.
func TestAValueThatCannotBeReadSaysWhereItComesFrom(t *testing.T) {
	file := optionFile(t, "quiet", "days = a")
	for _, c := range []struct {
		variable string
		args     []string
		want     string // "": the value is read
	}{
		{"", []string{"--options=" + file}, file + ":2: days must be a whole number from 1 to 3650, not \"a\""},
		{"b", []string{"--options=" + file}, `MNETKEYS_DAYS must be a whole number from 1 to 3650, not "b"`},
		{"b", []string{"--options=" + file, "--days=c"}, `--days must be a whole number from 1 to 3650, not "c"`},
		{"b", []string{"--options=" + file, "--days=7"}, ""},
		{"8", []string{"--options=" + file}, ""},
	} {
		if c.variable != "" {
			t.Setenv("MNETKEYS_DAYS", c.variable)
		}
		o, err := optionsOf(t, c.args...)
		if c.want == "" && (err != nil || o.Days == 0) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%q %q: %d, error %v", c.variable, c.args, o.Days, err)
		}
	}
}

// refused gives a value that the option refuses, nil if it takes every value.
func refused(o *option) *string {
	bad := ""
	switch {
	case slices.Contains([]string{"php", "options"}, o.name):
		return nil
	case o.isMeasure() || o.isSwitch() || len(o.words) > 0:
		bad = "?"
	}
	return &bad
}

func TestEveryRefusedValueSaysWhereItComesFrom(t *testing.T) {
	seen := 0
	for _, o := range allOptions() {
		bad := refused(o)
		if bad == nil {
			continue
		}
		seen++
		word := strings.TrimPrefix(string(commandThatTakes(t, o).Name), "renew")
		given := append(strings.Fields(word), partners(o)...)
		file := optionFile(t, "# comment", o.name+" = "+*bad)
		for from, c := range map[string]struct {
			arg  string // "": the variable is set
			want string
		}{
			"the command line": {arg: "--" + o.name + "=" + *bad, want: "--" + o.name + " must "},
			"the environment":  {want: o.variable() + " must "},
			"the file":         {arg: "--options=" + file, want: file + ":2: " + o.name + " must "},
		} {
			t.Run(o.name+" by "+from, func(t *testing.T) {
				args := given
				if c.arg != "" {
					args = append(slices.Clone(given), c.arg)
				} else {
					t.Setenv(o.variable(), *bad)
				}
				if _, err := optionsOf(t, args...); err == nil || !strings.HasPrefix(err.Error(), c.want) {
					t.Error(err)
				}
			})
		}
	}
	if seen < 30 {
		t.Errorf("only %d options refuse anything", seen)
	}
}

func TestTheVariableOfAnotherCommandIsCheckedToo(t *testing.T) {
	t.Setenv("MNETKEYS_YES", "perhaps")
	if _, err := optionsOf(t); err == nil || err.Error() != `MNETKEYS_YES must be true or false, not "perhaps"` {
		t.Error(err)
	}
	t.Setenv("MNETKEYS_YES", "")
	t.Setenv("MNETKEYS_BINDHOST", " https://peer.example.org\n")
	if _, err := optionsOf(t, "verify"); err != nil {
		t.Error(err)
	}
}

// Variables are for all runs, also for those with --all=false, which a hint may advise.
func TestTheVariablesOfAnArrayArePassedOverIfItIsSwitchedOff(t *testing.T) {
	t.Setenv("MNETKEYS_EXCLUDE", "https://old.example.org")
	if _, err := optionsOf(t, "verify"); err == nil || err.Error() != "MNETKEYS_EXCLUDE needs --all" {
		t.Error(err)
	}
	t.Setenv("MNETKEYS_ALL", "1")
	if o, err := optionsOf(t, "verify", "--all=false"); err != nil || len(o.Array.Exclude) > 0 {
		t.Errorf("%+v, error %v", o.Array, err)
	}
}

// If two options contradict each other, the error names both places.
func TestAContradictionSaysWhereBothComeFrom(t *testing.T) {
	file := optionFile(t, "host = https://a.example", "all")
	if _, err := optionsOf(t, "--options="+file); err == nil || err.Error() != file+":2: all cannot be used with host (line 1)" {
		t.Errorf("a file: %v", err)
	}
	file = optionFile(t, "warning = 1d")
	for args, want := range map[string]string{
		"--critical=8d":     "--critical must not be longer than --warning (default 7d)",
		"--options=" + file: "--critical (default 2d) must not be longer than warning (" + file + ":1)",
	} {
		if _, err := optionsOf(t, append([]string{"check"}, strings.Fields(args)...)...); err == nil || err.Error() != want {
			t.Errorf("%s: %v", args, err)
		}
	}
	t.Setenv("MNETKEYS_HOST", "https://a.example")
	if _, err := optionsOf(t, "--all"); err == nil || err.Error() != "--all cannot be used with MNETKEYS_HOST" {
		t.Errorf("the environment: %v", err)
	}
	t.Setenv("MNETKEYS_MATCH", "*")
	if _, err := optionsOf(t); err == nil || err.Error() != "MNETKEYS_MATCH needs --all" {
		t.Errorf("a variable that needs another option: %v", err)
	}
}

func TestEveryOptionOfTheContractIsThere(t *testing.T) {
	var names []string
	for _, s := range settingsOf("renew") {
		names = append(names, s.name)
	}
	for _, want := range []string{"host", "newkey", "bindhost", "debug", "config", "dry-run", "json", "log-format", "timeout", "concurrency",
		"retries", "deadline", "lock-wait", "days", "key-bits", "self-check", "tls-skip-verify", "ca-file", "quiet"} {
		if !slices.Contains(names, want) {
			t.Errorf("--%s is missing", want)
		}
	}
}

func TestHooksAreForWhatChangesSomethingAndForTheDoctor(t *testing.T) {
	for _, cmd := range Commands {
		if takes := optionNamed("cache-hook").takenBy(cmd.Name); takes != (cmd.Changes || cmd.Name == "doctor") {
			t.Errorf("%s: %v", cmd.Name, takes)
		}
	}
}

// A command that is advised runs by sudo, which takes variables away: without this one it would
// renew.
func TestWhatVariablesSetIsSaidAsArgumentsToo(t *testing.T) {
	t.Setenv("MNETKEYS_DRY_RUN", "true")
	t.Setenv("MNETKEYS_HOST", "https://a.example")
	t.Setenv("MNETKEYS_POST_HOOK", "curl -H 'X-Token: secret' https://hook.example")
	o, err := optionsOf(t, "--host=https://b.example")
	if want := []string{"--dry-run=true"}; err != nil || !slices.Equal(o.Environment, want) {
		t.Errorf("%q, error %v, want %q", o.Environment, err, want)
	}
}

// MOODLE_CONFIG names config.php as well, if no option does.
func TestTheVariableOfConfigPHPIsSaidAsAnArgumentToo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "options")
	if err := os.WriteFile(file, []byte("config = /file.php\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, moodle, own string
		args, want        []string
	}{
		{"alone", "/moodle.php", "", nil, []string{"--config=/moodle.php"}},
		{"empty", "", "", nil, nil},
		{"the variable of the option goes first", "/moodle.php", "/own.php", nil, []string{"--config=/own.php"}},
		{"the command line goes first", "/moodle.php", "", []string{"--config=/typed.php"}, nil},
		{"the file of options goes first", "/moodle.php", "", []string{"--options=" + file}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("MOODLE_CONFIG", c.moodle)
			if c.own != "" {
				t.Setenv("MNETKEYS_CONFIG", c.own)
			}
			o, err := optionsOf(t, c.args...)
			if err != nil || !slices.Equal(o.Environment, c.want) {
				t.Errorf("%q, error %v, want %q", o.Environment, err, c.want)
			}
		})
	}
}

// One site that does not answer must not use up the time of a check on many.
func TestACallMayTakeATenthOfTheDeadline(t *testing.T) {
	for args, want := range map[string]time.Duration{
		"check": 15 * time.Second, "check --deadline=50s": 5 * time.Second, "check --deadline=1s": 2 * time.Second,
		"check --deadline=50s --timeout=20s": 20 * time.Second, "check --deadline=1h": 15 * time.Second,
	} {
		if o, err := optionsOf(t, strings.Fields(args)...); err != nil || o.Timeout != want {
			t.Errorf("%s: %s, %v", args, o.Timeout, err)
		}
	}
}
