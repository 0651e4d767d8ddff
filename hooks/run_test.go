package hooks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// helper in the environment makes the test program a command of its own.
const helper = "HOOKS_TEST_HELPER"

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(helper) {
	case "":
		os.Exit(m.Run())
	case "mover": // leaves the group it was put into
		var parents int
		if parents, err = syscall.Getpgid(os.Getppid()); err == nil {
			err = syscall.Setpgid(0, parents)
		}
	case "daemon":
		if _, err = syscall.Setsid(); err == nil {
			fmt.Println(os.Getpid())
			err = os.WriteFile(os.Getenv("FILE"), nil, 0o600)
		}
	}
	if err != nil {
		panic(err)
	}
	time.Sleep(time.Minute)
}

func shell(script string, args ...string) Command {
	return Command{argv: append([]string{"/bin/sh", "-c", script, "sh"}, args...)}
}

// problem runs a command that fails.
func problem(t *testing.T, c Command, ctx context.Context, l Limits) *Error {
	t.Helper()
	var e *Error
	if out, err := c.Run(ctx, nil, nil, l); !errors.As(err, &e) {
		t.Fatalf("no *Error but %v, output %q", err, out)
	}
	return e
}

func TestRunGivesWhatACommandWrites(t *testing.T) {
	tests := map[string]struct {
		script, stdin string
		limits        Limits
		want          string
	}{
		"stdout and stderr in their order":   {`echo one; echo two >&2; echo three`, "", Limits{}, "one\ntwo\nthree\n"},
		"of what it reads, to the end":       {`cat`, "{\"version\":1}", Limits{}, "{\"version\":1}"},
		"that reads nothing":                 {`echo done`, strings.Repeat("x", 1<<20), Limits{}, "done\n"},
		"that closes its stdin":              {`exec <&-; echo done`, strings.Repeat("x", 1<<20), Limits{}, "done\n"},
		"nothing":                            {`:`, "", Limits{}, ""},
		"printable":                          {`printf 'a\033[31mb\r\n\377\a\tä\342\200\256'`, "", Limits{}, "a\ufffd[31mb\n\ufffd\ufffd\tä\ufffd"},
		"up to the limit":                    {`printf 12345678`, "", Limits{Output: 8}, "12345678"},
		"beyond the limit without middle":    {`printf 123; printf 4567; printf 89`, "", Limits{Output: 5}, "123\n[4 bytes left out]\n89"},
		"and its background processes write": {`(echo one) & wait; echo two`, "", Limits{}, "one\ntwo\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := shell(test.script).Run(t.Context(), []byte(test.stdin), nil, test.limits)
			if got != test.want || err != nil {
				t.Errorf("%.200q, error %v", got, err)
			}
		})
	}
}

func TestFloodIsBounded(t *testing.T) {
	out, err := shell(`echo begun; head -c 20000000 /dev/zero | tr '\0' x; echo; echo ended`).Run(t.Context(), nil, nil, Limits{})
	if err != nil || !strings.HasPrefix(out, "begun\nxxx") || !strings.HasSuffix(out, "xxx\nended\n") || !strings.Contains(out, " bytes left out]\n") {
		t.Errorf("%.20q … %q, error %v", out, out[max(0, len(out)-20):], err)
	}
	if len(out) > DefaultOutput+50 {
		t.Errorf("%d bytes", len(out))
	}
}

func TestOutputKeepsHeadAndTailOfWhateverIsWritten(t *testing.T) {
	for _, size := range []int{1, 2, 7, 64} {
		for _, chunk := range []int{1, 3, 50, 1000} {
			o, all := output{size: size}, []byte{}
			for i := range 20 {
				part := bytes.Repeat([]byte{byte('a' + i)}, chunk)
				_, _ = o.Write(part)
				all = append(all, part...)
			}
			left := max(0, len(all)-size)
			want := string(all)
			if left > 0 {
				want = string(all[:size-size/2]) + "\n[" + strconv.Itoa(left) + " bytes left out]\n" + string(all[len(all)-size/2:])
			}
			if got := o.String(); got != want || cap(o.tail) > 4*size+64 {
				t.Errorf("size %d, written by %d: %q, not %q; capacity %d", size, chunk, got, want, cap(o.tail))
			}
		}
	}
}

func TestFailureOfACommandIsSaid(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	plain := file("plain", "#!/bin/sh\n", 0o644)
	orphan := file("orphan", "#!/no/such/interpreter\n", 0o755)
	garbage := file("garbage", "garbage", 0o755)
	tests := map[string]struct {
		command Command
		problem string
		code    int
		check   bool // Check finds it
	}{
		"an exit code":               {shell("exit 7"), "exit code 7", 7, false},
		"killed":                     {shell("kill -9 $$"), "killed by signal 9 (killed)", -1, false},
		"terminated":                 {shell("kill -TERM $$"), "killed by signal 15 (terminated)", -1, false},
		"no such path":               {Command{argv: []string{dir + "/none"}}, "not found", -1, true},
		"nowhere in PATH":            {Command{argv: []string{"no-such-program-anywhere"}}, "not found", -1, true},
		"without the executable bit": {Command{argv: []string{plain}}, "not executable", -1, true},
		"a directory":                {Command{argv: []string{dir}}, "is a directory", -1, true},
		"an interpreter that is not there": {Command{argv: []string{orphan}},
			"does not start: what its first line names after #! is not found", -1, false},
		"no program": {Command{argv: []string{garbage}},
			"does not start: neither a program for this machine nor a script whose first line starts with #!", -1, false},
		"too long": {Command{argv: []string{"/bin/sh", strings.Repeat("x", 1<<20)}}, "does not start: its arguments and environment are too long", -1, false},
		"none":     {Command{}, "no command", -1, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := problem(t, test.command, t.Context(), Limits{})
			if e.Problem != test.problem || e.Code != test.code || e.Command != test.command.String() || e.Error() != e.Command+": "+e.Problem {
				t.Errorf("%+v", e)
			}
			if err := test.command.Check(); (err != nil) != test.check || test.check && err.Error() != e.Error() {
				t.Errorf("Check: %v", err)
			}
		})
	}
}

func TestProgramOfTheCurrentDirectoryNeedsItsPath(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("PATH", ".:/bin")
	if err := os.WriteFile("local", []byte("#!/bin/sh\necho here\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if e := problem(t, Command{argv: []string{"local"}}, t.Context(), Limits{}); e.Problem != "found in the current directory alone: write it with its path" {
		t.Errorf("%v", e)
	}
	if out, err := (Command{argv: []string{"./local"}}).Run(t.Context(), nil, nil, Limits{}); out != "here\n" || err != nil {
		t.Errorf("%q, error %v", out, err)
	}
}

func TestEnvironmentIsOursButForOurOptions(t *testing.T) {
	t.Setenv("HOOKS_TEST_SITE", "kept")
	t.Setenv("HOOKS_TEST_BOTH", "ours")
	t.Setenv("MNETKEYS_CFG", "dbpass=SECRET")
	out, err := shell("env | grep -e HOOKS_TEST -e MNETKEYS | sort").Run(t.Context(), nil, []string{"MNETKEYS_OUTCOME=renewed", "HOOKS_TEST_BOTH=theirs"}, Limits{})
	if want := "HOOKS_TEST_BOTH=theirs\nHOOKS_TEST_SITE=kept\nMNETKEYS_OUTCOME=renewed\n"; out != want || err != nil {
		t.Errorf("%q, error %v", out, err)
	}
}

func TestValuesAreNeverRun(t *testing.T) {
	made := filepath.Join(t.TempDir(), "made")
	for _, value := range []string{"$(touch " + made + ")", "`touch " + made + "`", "; touch " + made, "' ; touch " + made + " ; '", "\"; touch " + made + "; \"",
		"() { :; }; touch " + made, "\n touch " + made + "\n", "-n", "x=y"} {
		out, err := shell(`printf %s "$VALUE$1"; printf %s $VALUE >/dev/null`, value).Run(t.Context(), nil, []string{"VALUE=" + value}, Limits{})
		if out != value+value || err != nil {
			t.Errorf("%q became %q, error %v", value, out, err)
		}
		if _, err := os.Stat(made); err == nil {
			t.Fatalf("%q was run", value)
		}
	}
}
