package packaging_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/internal/testbed"
)

const (
	serviceFile = "systemd/renew_mnetkeys.service"
	timerFile   = "systemd/renew_mnetkeys.timer"

	// exposure is the most that systemd-analyze security may find, in tenths of its scale of 0 to
	// 10. It finds 14: mostly the network, which a service that calls other sites needs.
	exposure = 15
)

// settings are the values of a unit by section and name, "Service.User".
type settings map[string][]string

// readUnit reads the part of systemd.syntax(7) that our units need: no continued lines.
func readUnit(text string) (settings, error) {
	read, section := settings{}, ""
	for i, line := range strings.Split(text, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if name, isSection := strings.CutPrefix(line, "["); isSection {
			section = strings.TrimSuffix(name, "]")
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || section == "" || strings.HasSuffix(line, `\`) {
			return nil, fmt.Errorf("line %d: %q is no setting", i+1, line)
		}
		read[section+"."+key] = append(read[section+"."+key], value)
	}
	return read, nil
}

func unit(t *testing.T, path string) settings {
	t.Helper()
	read, err := readUnit(file(t, path))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return read
}

// one is the value of a setting that must occur once.
func (s settings) one(t *testing.T, name string) string {
	t.Helper()
	if len(s[name]) != 1 {
		t.Fatalf("%s is there %d times", name, len(s[name]))
	}
	return s[name][0]
}

func TestTheServiceRunsACommandWeKnow(t *testing.T) {
	command := unit(t, serviceFile).one(t, "Service.ExecStart")
	if strings.ContainsAny(command, `%$"'\;`) {
		t.Errorf("systemd would read a character of %q as its own", command)
	}
	if err := checkCommand(options(t), strings.Fields(command)); err != nil {
		t.Error(err)
	}
}

func TestARetryOfTheServiceRenewsNobodyTwice(t *testing.T) {
	service := unit(t, serviceFile)
	starts, err := strconv.Atoi(service.one(t, "Unit.StartLimitBurst"))
	if err != nil {
		t.Fatal(err)
	}
	within := span(t, service.one(t, "Unit.StartLimitIntervalSec"))
	limit, pause := span(t, service.one(t, "Service.TimeoutStartSec")), span(t, service.one(t, "Service.RestartSec"))
	if deadline := span(t, argument(t, service, "--deadline=")); deadline >= limit {
		t.Errorf("systemd kills a run after %v, which may take %v", limit, deadline)
	}
	if longest := time.Duration(starts)*limit + time.Duration(starts-1)*pause; longest > within {
		t.Errorf("%d runs can take %v, they are counted within %v only: the retries would never end", starts, longest, within)
	}
	argument(t, service, "--if-due")
}

// argument is the value of an option of the service's command.
func argument(t *testing.T, service settings, option string) string {
	t.Helper()
	for word := range strings.FieldsSeq(service.one(t, "Service.ExecStart")) {
		if value, is := strings.CutPrefix(word, option); is {
			return value
		}
	}
	t.Fatalf("the command has no %s", option)
	return ""
}

// installed writes both units into a directory and returns their paths. change, if not nil, alters
// the service. The binary is an existing one: systemd-analyze looks for it.
func installed(t *testing.T, change func(string) string) []string {
	t.Helper()
	dir, paths := t.TempDir(), []string(nil)
	for _, path := range []string{serviceFile, timerFile} {
		text := strings.ReplaceAll(file(t, path), binary, "/bin/true")
		if change != nil && path == serviceFile {
			text = change(text)
		}
		paths = append(paths, filepath.Join(dir, filepath.Base(path)))
		if err := os.WriteFile(paths[len(paths)-1], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return paths
}

// verify returns the output of systemd-analyze verify, which is empty for good units. Its exit
// status is 0 for misspelt settings too.
func verify(t *testing.T, change func(string) string) string {
	t.Helper()
	said, err := exec.Command(testbed.Program(t, "systemd-analyze"), append([]string{"verify", "--man=no"}, installed(t, change)...)...).CombinedOutput()
	if err != nil && len(said) == 0 {
		t.Fatal(err)
	}
	return string(said)
}

func TestSystemdHasNothingToSayOfTheUnits(t *testing.T) {
	if said := verify(t, nil); said != "" {
		t.Error(said)
	}
}

func TestSystemdComplainsOfAUnit(t *testing.T) {
	for name, change := range map[string][2]string{
		"with a misspelt setting":     {"PrivateTmp=yes", "PrivateTemp=yes"},
		"with a misspelt value":       {"ProtectSystem=strict", "ProtectSystem=stricter"},
		"with an unknown system call": {"SystemCallFilter=~@privileged", "SystemCallFilter=~@privilege"},
		"whose program is not there":  {"ExecStart=/bin/true", "ExecStart=/no/such/program"},
	} {
		t.Run(name, func(t *testing.T) {
			if said := verify(t, func(text string) string { return broken(t, text, change[0], change[1]) }); said == "" {
				t.Error("it did not")
			}
		})
	}
}

// tooExposed returns what systemd-analyze security finds if that is more than exposure, else "".
func tooExposed(t *testing.T, change func(string) string) string {
	t.Helper()
	found, err := exec.Command(testbed.Program(t, "systemd-analyze"), "security", "--no-pager", "--offline=true",
		fmt.Sprintf("--threshold=%d", exposure), installed(t, change)[0]).CombinedOutput()
	if !strings.Contains(string(found), "Overall exposure level") {
		t.Fatalf("%s, %v", found, err)
	}
	if err == nil {
		return ""
	}
	return string(found)
}

func TestTheServiceIsHardened(t *testing.T) {
	if found := tooExposed(t, nil); found != "" {
		t.Error(found)
	}
	if found := tooExposed(t, func(text string) string { return broken(t, text, "SystemCallFilter=@system-service", "") }); found == "" {
		t.Error("a service without its filter of system calls counts as hardened")
	}
}

func TestTheTimerStartsTheService(t *testing.T) {
	timer := unit(t, timerFile)
	if strings.TrimSuffix(timerFile, ".timer") != strings.TrimSuffix(serviceFile, ".service") || timer["Timer.Unit"] != nil {
		t.Error("a timer starts the service of its own name")
	}
	when := timer.one(t, "Timer.OnCalendar")
	if said, err := exec.Command(testbed.Program(t, "systemd-analyze"), "calendar", when).CombinedOutput(); err != nil {
		t.Errorf("%s: %s", when, said)
	}
	for _, name := range []string{"Timer.RandomizedDelaySec", "Timer.Persistent", "Install.WantedBy"} {
		timer.one(t, name)
	}
}
