package packaging_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const binary = "/usr/bin/renew_mnetkeys"

// optionLine is a line of --help: short form, long form, placeholder of the value.
var optionLine = regexp.MustCompile(`(?m)^ +(?:-\w, )?--([a-z][a-z-]+)(?:=(\S+))?(?:  |$)`)

// values says what an option accepts for each placeholder. Other placeholders accept anything but
// an empty value.
var values = map[string]*regexp.Regexp{
	"N":        regexp.MustCompile(`^(0|[1-9]\d*)$`),
	"I/N":      regexp.MustCompile(`^(\d+|\$\(JOB_COMPLETION_INDEX\))/[1-9]\d*$`),
	"DURATION": regexp.MustCompile(`^[1-9]\d*[smhd]$`),
	"PATH":     regexp.MustCompile(`^/`),
}

func optionsIn(help string) map[string]string {
	placeholders := map[string]string{}
	for _, line := range optionLine.FindAllStringSubmatch(help, -1) {
		placeholders[line[1]] = line[2]
	}
	return placeholders
}

// options are the placeholders of all options by name, "" for one without a value. They come from
// docs/options.md, whose block a test in ./test compares with --help.
func options(t *testing.T) map[string]string {
	t.Helper()
	_, help, _ := strings.Cut(file(t, "../docs/options.md"), "```\n")
	help, _, _ = strings.Cut(help, "```\n")
	known := optionsIn(help)
	if known["config"] != "PATH" || known["deadline"] != "DURATION" {
		t.Fatal("docs/options.md has no block of options")
	}
	return known
}

// checkCommand refuses a command line that renew_mnetkeys would refuse, and options that are given
// twice.
func checkCommand(options map[string]string, words []string) error {
	if len(words) == 0 || words[0] != binary {
		return fmt.Errorf("%q does not start with %s", words, binary)
	}
	seen := map[string]bool{}
	for _, word := range words[1:] {
		long, isOption := strings.CutPrefix(word, "--")
		name, value, hasValue := strings.Cut(long, "=")
		placeholder, known := options[name]
		takes := values[placeholder]
		switch {
		case !isOption:
			return fmt.Errorf("%q is a stray word, or short where files are read by people", word)
		case !known:
			return fmt.Errorf("there is no option --%s", name)
		case seen[name]:
			return fmt.Errorf("--%s is given twice", name)
		case hasValue != (placeholder != ""):
			return fmt.Errorf("%q: the option is --%s=%s", word, name, placeholder)
		case hasValue && value == "", takes != nil && !takes.MatchString(value):
			return fmt.Errorf("%q: %q is no %s", word, value, placeholder)
		}
		seen[name] = true
	}
	return nil
}

func TestEveryOptionThatIsWrittenAboutExists(t *testing.T) {
	known := options(t)
	others := map[string]bool{"now": true, "failed": true, "from-file": true, "filename": true, "from": true, "help": true, "root": true} // of systemctl and kubectl
	paths, err := filepath.Glob("*/*")
	if err != nil || len(paths) < 4 {
		t.Fatal(paths, err)
	}
	for _, path := range append(paths, "README.md") {
		for _, name := range regexp.MustCompile(`(?:^|[^-\w])--([a-z][a-z-]*)`).FindAllStringSubmatch(file(t, path), -1) {
			if _, is := known[name[1]]; !is && !others[name[1]] {
				t.Errorf("%s: there is no option --%s", path, name[1])
			}
		}
	}
}

func TestACommandIsRefused(t *testing.T) {
	known := options(t)
	if err := checkCommand(known, []string{binary, "--all", "--config=/c", "--shard=0/2", "--deadline=7d", "--canary=1"}); err != nil {
		t.Fatal(err)
	}
	for name, command := range map[string]string{
		"of another program":                  "/bin/true",
		"with an unknown option":              binary + " --al",
		"with a stray word":                   binary + " --all now",
		"with a short option":                 binary + " -m",
		"with an option given twice":          binary + " --all --all",
		"with a switch that is given a value": binary + " --all=yes",
		"with an option that lacks its value": binary + " --fresh",
		"with an empty value":                 binary + " --match=",
		"with a duration in systemd's units":  binary + " --deadline=75min",
		"with a number that is none":          binary + " --canary=one",
		"with a share of nothing":             binary + " --shard=0/0",
		"with config.php found by accident":   binary + " --config=config.php",
	} {
		t.Run(name, func(t *testing.T) {
			if err := checkCommand(known, strings.Fields(command)); err == nil {
				t.Errorf("%s was not refused", command)
			}
		})
	}
}
