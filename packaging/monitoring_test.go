package packaging_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/internal/testbed"
)

const (
	sudoersFile   = "sudoers.d/renew_mnetkeys"
	rulesFile     = "prometheus/renew_mnetkeys.rules.yml"
	rulesTestFile = "prometheus/renew_mnetkeys.rules.test.yml"
)

// matched is the text in brackets of the only match of a pattern in a file.
func matched(t *testing.T, path, pattern string) string {
	t.Helper()
	found := regexp.MustCompile(pattern).FindAllStringSubmatch(file(t, path), -1)
	if len(found) != 1 {
		t.Fatalf("%s has %q %d times, not once", path, pattern, len(found))
	}
	return found[0][1]
}

// watching are the command lines of the files for monitoring systems.
func watching(t *testing.T) map[string][]string {
	t.Helper()
	var icinga []string
	if err := json.Unmarshal([]byte(matched(t, "icinga2/renew_mnetkeys.conf", `(?m)^  command = (\[.*\])$`)), &icinga); err != nil {
		t.Fatal(err)
	}
	return map[string][]string{
		"Icinga": icinga,
		"NRPE":   strings.Fields(matched(t, "nrpe/renew_mnetkeys.cfg", `(?m)^command\[check_mnet\]=(.*)$`)),
	}
}

// allowed are the commands that the sudoers file allows, for an array and for a single Moodle,
// without their backslashes (sudoers(5), "Other special characters and reserved words"). They run in
// the root directory: without --config, a config.php in a directory that nagios chose would be run.
func allowed(t *testing.T) (array, single []string) {
	t.Helper()
	lines := regexp.MustCompile(`(?m)^nagios ALL = \(www-data\) CWD=/ NOPASSWD: (.*)$`).FindAllStringSubmatch(file(t, sudoersFile), -1)
	if len(lines) != 2 {
		t.Fatalf("%d commands are allowed: %q", len(lines), lines)
	}
	words := func(line string) []string {
		if unescaped := regexp.MustCompile(`[^\\][,:=]`).FindString(line); unescaped != "" {
			t.Errorf("sudo takes %q for its own", unescaped)
		}
		return strings.Fields(strings.ReplaceAll(line, `\`, ""))
	}
	return words(lines[0][1]), words(lines[1][1])
}

// An operator of a single Moodle takes the words of an array out of a file, as the quick start says.
func TestSudoAlsoAllowsTheCheckOfASingleMoodle(t *testing.T) {
	array, single := allowed(t)
	if got := strings.Replace(strings.Join(array, " "), " --all --withmaster", "", 1); got != strings.Join(single, " ") {
		t.Errorf("%q is allowed, and not %q", single, got)
	}
}

func TestMonitoringWatchesTheWholeArrayByTheCommandThatSudoAllows(t *testing.T) {
	for name, words := range watching(t) {
		t.Run(name, func(t *testing.T) {
			sudo := []string{"/usr/bin/sudo", "-n", "-u", "www-data"}
			if len(words) < 6 || !slices.Equal(words[:4], sudo) || words[4] != binary || words[5] != "check" {
				t.Fatalf("%q", words)
			}
			if array, _ := allowed(t); !slices.Equal(words[4:], array) {
				t.Errorf("sudo allows %q, and not %q", array, words[4:])
			}
			if err := checkCommand(options(t), append([]string{binary}, words[6:]...)); err != nil {
				t.Error(err)
			}
			for _, option := range []string{"--all", "--withmaster", "--deadline=50s"} { // the last counts: NRPE and Icinga wait a minute
				if !slices.Contains(words, option) {
					t.Errorf("%q has no %s", words, option)
				}
			}
		})
	}
	if asked := matched(t, "nagios/renew_mnetkeys.cfg", `check_nrpe .* -c (\w+)`); asked != "check_mnet" {
		t.Errorf("Nagios asks NRPE for %s", asked)
	}
}

func TestSudoTakesItsFile(t *testing.T) {
	visudo := func(text string) error {
		path := filepath.Join(t.TempDir(), "renew_mnetkeys")
		if err := os.WriteFile(path, []byte(text), 0o440); err != nil {
			t.Fatal(err)
		}
		said, err := exec.Command(testbed.Program(t, "visudo"), "-csf", path).CombinedOutput()
		if err != nil {
			t.Logf("%s", said)
		}
		return err
	}
	text := file(t, sudoersFile)
	if err := visudo(text); err != nil {
		t.Error(err)
	}
	if visudo(strings.ReplaceAll(text, "NOPASSWD:", "NOPASSWORD:")) == nil {
		t.Error("a broken file is taken as well")
	}
	// sudo ignores names with a dot, and files that others may write.
	if info, err := os.Stat(sudoersFile); err != nil || strings.Contains(info.Name(), ".") || info.Mode().Perm()&0o022 != 0 {
		t.Errorf("%v, %v", info, err)
	}
}

// promtool runs it on the rules and on their tests.
func promtool(t *testing.T, rules, tests string, words ...string) (said string, err error) {
	t.Helper()
	dir := t.TempDir()
	for path, text := range map[string]string{rulesFile: rules, rulesTestFile: tests} {
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), testbed.Program(t, "promtool"), words...)
	cmd.Dir = dir
	output, err := cmd.CombinedOutput()
	return string(output), err
}

// onlyTest is the file of tests with the first, which has what others refer to, and with the only
// one whose name begins so.
func onlyTest(t *testing.T, begin string) string {
	t.Helper()
	const name = "\n  - name: "
	parts := strings.Split(file(t, rulesTestFile), name)
	found := slices.DeleteFunc(slices.Clone(parts[2:]), func(test string) bool { return !strings.HasPrefix(test, begin) })
	if len(found) != 1 {
		t.Fatalf("%d tests begin with %q", len(found), begin)
	}
	return parts[0] + name + parts[1] + name + found[0]
}

func TestPrometheusAlertsWhenItShould(t *testing.T) {
	rules, tests := file(t, rulesFile), file(t, rulesTestFile)
	for _, words := range [][]string{{"check", "rules", filepath.Base(rulesFile)}, {"test", "rules", filepath.Base(rulesTestFile)}} {
		if said, err := promtool(t, rules, tests, words...); err != nil {
			t.Fatalf("%v\n%s", err, said)
		}
	}
	for name, c := range map[string]struct{ by, old, replacement string }{
		"on the exit code of any run":    {"a renewal ends with exit code 4", "max by (job, instance, file) (renew_mnetkeys_last_run", "min by (job, instance, file) (renew_mnetkeys_last_run"},
		"that a failed push ends":        {"a verify ends with exit code 4", "> on (job, instance) group_left", "< on (job, instance) group_left"},
		"that a check has not cured":     {"exit code 4, then a check", "(renew_mnetkeys_local_site_proven) == 1", "(renew_mnetkeys_local_site_proven) < 2"},
		"after a check that has":         {"exit code 4, then a check", `{command="check"})` + "\n              and", `{command="renew"})` + "\n              and"},
		"that another site's cure ends":  {"a renewal of an array", "min by (job, instance) (\n", "max by (job, instance) (\n"},
		"after a run that cured it":      {"a verify ends with exit code 4", "              and on (job, instance, wwwroot)\n              renew_mnetkeys_local_site_proven == 0\n", ""},
		"on local sites that are proven": {"a local site is not proven in one", "          renew_mnetkeys_local_site_proven == 0\n          unless", "          renew_mnetkeys_local_site_proven == 1\n          unless"},
		"on web servers if all fail":     {"one of two web servers", "(renew_mnetkeys_web_server_proven) == 1\n        for", "(renew_mnetkeys_web_server_proven) < 2\n        for"},
		"on their sites, too":            {"one of two web servers", "          unless on (job, instance, wwwroot)\n", "          or on (job, instance, wwwroot)\n"},
		"on no site with web servers":    {"a local site is not proven, although", `ALERTS{alertname="MNetWebServerNotProven", alertstate="firing"}`, "renew_mnetkeys_web_server_proven"},
		"on a site whose servers change": {"two web servers take turns", `, alertstate="firing"`, ""},
		"on metrics that have not gone":  {"the metrics of one machine go", "          unless\n          renew", "          and\n          renew"},
	} {
		t.Run("and a test finds an alert "+name, func(t *testing.T) {
			said, err := promtool(t, broken(t, rules, c.old, c.replacement), onlyTest(t, c.by), "test", "rules", filepath.Base(rulesTestFile))
			if err == nil || !strings.Contains(said, "name: "+c.by) {
				t.Errorf("it does not: %v\n%s", err, said)
			}
		})
	}
}

func TestAlertsAreOnMetricsThatAreWritten(t *testing.T) {
	written := file(t, "../internal/metrics/text.go")
	names := regexp.MustCompile(`renew_mnetkeys_\w+`).FindAllString(file(t, rulesFile), -1)
	if len(names) < 9 {
		t.Fatalf("only %q", names)
	}
	for _, name := range names {
		if !strings.Contains(written, `"`+name+`"`) {
			t.Errorf("there is no metric %s", name)
		}
	}
	tested := file(t, rulesTestFile)
	for _, alert := range regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(file(t, rulesFile), -1) {
		if !regexp.MustCompile(`alertname: ` + alert[1] + `\n +exp_alerts:`).MatchString(tested) {
			t.Errorf("no test has %s fire", alert[1])
		}
	}
}

// Options that all runs share belong into /etc/renew_mnetkeys.conf; an option on the command line
// would override it.
func TestTheJobsLeaveToTheFileOfOptionsWhatAdministratorsSet(t *testing.T) {
	commands, err := readCron(file(t, cronFile))
	if err != nil || len(commands) != 1 {
		t.Fatal(commands, err)
	}
	for name, command := range map[string]string{"cron": commands[0], "systemd": unit(t, serviceFile).one(t, "Service.ExecStart")} {
		for _, option := range []string{"--config", "--options", "--report", "--prometheus-file", "--host"} {
			if strings.Contains(command, option) {
				t.Errorf("%s gives %s: %s", name, option, command)
			}
		}
	}
}

// writable are the directories that the unit may write.
func writable(t *testing.T) (dirs []string) {
	service := unit(t, serviceFile)
	for path := range strings.FieldsSeq(service.one(t, "Service.ReadWritePaths")) {
		optional, is := strings.CutPrefix(path, "-")
		if !is {
			t.Errorf("without a directory %s the unit does not start", path)
		}
		dirs = append(dirs, optional)
	}
	return append(dirs, "/var/lib/"+service.one(t, "Service.StateDirectory"))
}

func TestTheServiceMayWriteWhereTheDocumentsSay(t *testing.T) {
	sample, err := cmdline.Generate([]string{"conf"})
	if err != nil {
		t.Fatal(err)
	}
	dirs, found := writable(t), map[string]int{}
	pattern := regexp.MustCompile(`(report|prometheus-file) ?= ?(/[\w./-]+)`)
	texts := map[string]string{"the sample of options": sample, "README.md": file(t, "README.md")}
	for _, name := range []string{"operating.md", "quick-start.md", "fr/operating.md", "fr/quick-start.md"} {
		texts[name] = file(t, "../docs/"+name)
	}
	for name, text := range texts {
		for _, option := range pattern.FindAllStringSubmatch(text, -1) {
			found[name]++
			if !slices.Contains(dirs, filepath.Dir(option[2])) {
				t.Errorf("%s has --%s=%s, and the unit may write %q", name, option[1], option[2], dirs)
			}
		}
	}
	if found["the sample of options"] != 2 || found["operating.md"] < 2 {
		t.Errorf("paths: %v", found)
	}
}
