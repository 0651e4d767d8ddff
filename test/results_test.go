package test

import (
	"bytes"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

// losingOutput are the ways in which a stdout accepts nothing.
var losingOutput = map[string]func(t *testing.T, cmd *exec.Cmd){
	"a full disk": func(t *testing.T, cmd *exec.Cmd) {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			testbed.Missing(t, err.Error())
		}
		t.Cleanup(func() { _ = full.Close() })
		cmd.Stdout = full
	},
	"a stdout that is closed": func(_ *testing.T, cmd *exec.Cmd) { throughShell(cmd, ">&-") },
	"a stdout that is open for reading": func(_ *testing.T, cmd *exec.Cmd) {
		throughShell(cmd, "1</dev/null")
	},
	"a pipe that nobody reads": func(t *testing.T, cmd *exec.Cmd) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Close()
		t.Cleanup(func() { _ = w.Close() })
		cmd.Stdout = w
	},
}

// throughShell lets a shell redirect a command.
func throughShell(cmd *exec.Cmd, redirection string) {
	cmd.Args = slices.Concat([]string{"sh", "-c", `exec "$0" "$@" ` + redirection, cmd.Path}, cmd.Args[1:])
	cmd.Path = "/bin/sh"
}

// lost runs a command whose stdout accepts nothing.
func lost(t *testing.T, lose func(*testing.T, *exec.Cmd), args ...string) ran {
	t.Helper()
	cmd := command(t, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	lose(t, cmd)
	_ = cmd.Run()
	return ran{code: cmd.ProcessState.ExitCode(), stderr: stderr.String()}
}

// A result that could not be written is no success, whatever the command, and is reported once.
func TestEveryCommandSaysThatItsResultCouldNotBeWritten(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 2, outsiders: 1})
	one := "--host=" + f.tenants[1].Wwwroot
	f.renew(t, one).expect(t, 0) // there is something to roll back
	commands := map[string][]string{
		"help": {"--help"}, "version": {"--version"}, "help of a command": {"check", "-h"}, "generate man": {"generate", "man"},
		"generate zsh": {"generate", "zsh"}, "generate --help": {"generate", "--help"},
	}
	more := map[string][]string{"renew": {"--abandon-pending"}, "rollback": {"--yes"}}
	for _, cmd := range allCommands(t) {
		for which, words := range map[string][]string{"": {one}, " --json": {one, "--json"}, " --all": {"--all"}, " --all --json": {"--all", "--json"}} {
			args := slices.Concat([]string{cmd, "--config=" + f.config}, words, more[cmd])
			if cmd == "renew" {
				args = args[1:]
			}
			commands[cmd+which] = args
		}
	}
	for name, args := range commands {
		for way, lose := range losingOutput {
			if way != "a full disk" && strings.Contains(name, "--") {
				continue // these are written like the others
			}
			t.Run(name+" to "+way, func(t *testing.T) {
				if !changes(strings.Fields(name)[0]) {
					t.Parallel()
				}
				r := lost(t, lose, args...)
				if n := strings.Count(r.stderr, "error: the result could not be written: "); r.code != 3 || n != 1 {
					t.Errorf("exit code %d, said %d times:\n%s", r.code, n, r.stderr)
				}
			})
		}
	}
}

// The exit code of another problem stays. But a check that has not printed its line knows nothing,
// and 2 would be critical.
func TestAnExitCodeSurvivesAResultThatCouldNotBeWritten(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		code int
	}{
		"a configuration that is not there": {[]string{"verify", "--json", "--config=missing/config.php"}, 2},
		"that of an array":                  {[]string{"--all", "--json", "--config=missing/config.php"}, 2},
		"a check of it":                     {[]string{"check", "--config=missing/config.php"}, 3},
		"a check of an unknown option":      {[]string{"check", "--foo"}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			if r := lost(t, losingOutput["a full disk"], c.args...); r.code != c.code || !strings.Contains(r.stderr, "could not be written") {
				t.Errorf("exit code %d:\n%s", r.code, r.stderr)
			}
		})
	}
}

// A user who throws the result away gets no message that it is lost.
func TestAResultThatIsThrownAwayIsWritten(t *testing.T) {
	t.Parallel()
	for name, redirection := range map[string]string{
		"by the shell":                      ">/dev/null",
		"with what is logged":               ">>/dev/null 2>&1",
		"as a daemon's":                     "0<>/dev/null >&0 2>&0",
		"as one's that has no stdin":        "2<>/dev/null >&2",
		"while stdin and stderr are closed": ">/dev/null <&- 2>&-",
	} {
		t.Run(name, func(t *testing.T) {
			cmd := command(t, "generate", "conf")
			throughShell(cmd, redirection)
			if err := cmd.Run(); err != nil {
				t.Error(err)
			}
		})
	}
}
