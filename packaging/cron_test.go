package packaging_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const cronFile = "cron.d/renew_mnetkeys"

// cronFields are the five fields of crontab(5) and their ranges; the packaged files use no names of
// months and days.
var cronFields = []struct {
	name        string
	first, last int
}{{"minute", 0, 59}, {"hour", 0, 23}, {"day of month", 1, 31}, {"month", 1, 12}, {"day of week", 0, 7}}

var (
	cronVariable = regexp.MustCompile(`^[A-Z]+=\S+$`)
	cronUser     = regexp.MustCompile(`^[a-z_][a-z0-9_-]*$`)
	cronPart     = regexp.MustCompile(`^(?:\*|(\d+)(?:-(\d+))?)(?:/([1-9]\d*))?$`)
)

// guard lets cron do nothing, without a mail, if the program is gone and its line is not.
const guard = "test -x " + binary + " && "

// readCron reads a file of /etc/cron.d (crontab(5)) and returns the commands of its lines. It is
// stricter than cron, which drops a line that it does not understand, or the whole file, with only
// a word in syslog.
func readCron(text string) (commands []string, err error) {
	if !strings.HasSuffix(text, "\n") {
		return nil, fmt.Errorf("cron ignores a last line without its end")
	}
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if line == "" || strings.HasPrefix(line, "#") || cronVariable.MatchString(line) {
			continue
		}
		command, err := readCronLine(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		commands = append(commands, command)
	}
	return commands, nil
}

func readCronLine(line string) (string, error) {
	words := strings.Fields(line)
	if len(words) < len(cronFields)+2 {
		return "", fmt.Errorf("%q has not five fields, a user and a command", line)
	}
	for i, field := range cronFields {
		for part := range strings.SplitSeq(words[i], ",") {
			if !cronPartFits(part, field.first, field.last) {
				return "", fmt.Errorf("%q is no %s", words[i], field.name)
			}
		}
	}
	if user := words[len(cronFields)]; !cronUser.MatchString(user) {
		return "", fmt.Errorf("%q is no user", user)
	}
	command, guarded := strings.CutPrefix(strings.Join(words[len(cronFields)+1:], " "), guard)
	if !guarded {
		return "", fmt.Errorf("cron would mail an error every day after the program is removed")
	}
	if strings.ContainsAny(command, "%|&;<>()$`\\\"'*?#~") {
		return "", fmt.Errorf("the command has a character of the shell, or a percent sign, which is a new line to cron")
	}
	return command, nil
}

func cronPartFits(part string, first, last int) bool {
	numbers := cronPart.FindStringSubmatch(part)
	if numbers == nil {
		return false
	}
	low, high := first, last
	if numbers[1] != "" {
		low, _ = strconv.Atoi(numbers[1])
		high = low
	}
	if numbers[2] != "" {
		high, _ = strconv.Atoi(numbers[2])
	}
	return first <= low && low <= high && high <= last
}

func TestCronRunsACommandWeKnow(t *testing.T) {
	commands, err := readCron(file(t, cronFile))
	if err != nil || len(commands) != 1 {
		t.Fatalf("%d commands, %v", len(commands), err)
	}
	if err := checkCommand(options(t), strings.Fields(commands[0])); err != nil {
		t.Error(err)
	}
}

func TestCronSendsNoMailIfTheProgramIsGone(t *testing.T) {
	gone := strings.ReplaceAll(guard+binary, binary, filepath.Join(t.TempDir(), "renew_mnetkeys"))
	if printed, _ := exec.Command("/bin/sh", "-c", gone).CombinedOutput(); len(printed) > 0 {
		t.Errorf("%s", printed)
	}
}

func TestCronTakesTheFile(t *testing.T) {
	info, err := os.Stat(cronFile)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode(); !mode.IsRegular() || mode.Perm()&0o111 != 0 {
		t.Errorf("%s is %v", cronFile, mode)
	}
	// Debian's cron ignores other names, above all those with a dot.
	if !regexp.MustCompile(`^[A-Za-z0-9_-]+$`).MatchString(info.Name()) {
		t.Errorf("cron passes over the name %s", info.Name())
	}
}

func TestACronLineIsRefused(t *testing.T) {
	const line = "17 3 * * *  www-data  " + guard + binary
	text := file(t, cronFile)
	for name, replacement := range map[string]string{
		"without a user":                 "17 3 * * *  " + binary,
		"with four fields":               "17 3 * *  www-data  " + binary,
		"with six fields":                "0 17 3 * * *  www-data  " + binary,
		"with the minute 60":             "60 3 * * 1  www-data  " + binary,
		"with a day 0 of the month":      "17 3 0 * 1  www-data  " + binary,
		"with a range that runs back":    "17 5-3 * * 1  www-data  " + binary,
		"with a step of nothing":         "*/0 3 * * 1  www-data  " + binary,
		"with a word for the time":       "@weekly  www-data  " + binary,
		"with a percent sign":            line + " --match=%",
		"with output sent away":          line + " >/dev/null",
		"with a second command after it": line + " ; true",
		"with no test for the program":   "17 3 * * *  www-data  " + binary,
	} {
		t.Run(name, func(t *testing.T) {
			if commands, err := readCron(broken(t, text, line, replacement)); err == nil {
				t.Errorf("it was read: %q", commands)
			}
		})
	}
	if _, err := readCron(strings.TrimSuffix(text, "\n")); err == nil {
		t.Error("a file without its last line end was read")
	}
}
