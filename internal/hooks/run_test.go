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

// helper in the environment turns the test program into a command of its own.
const helper = "HOOKS_TEST_HELPER"

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(helper) {
	case "":
		os.Exit(m.Run())
	case "mover": // leaves the process group in which it was started
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
		"printable":                          {`printf 'a\033[31mb\r\n\377\a\tä\342\200\256'`, "", Limits{}, "ab\n\ufffd\ufffd ä\ufffd"},
		"up to the limit":                    {`printf 12345678`, "", Limits{Output: 8}, "12345678"},
		"beyond the limit without middle":    {`printf 123; printf 4567; printf 89`, "", Limits{Output: 5}, "123\n[4 bytes left out]\n89"},
		"and its background processes write": {`(echo one) & wait; echo two`, "", Limits{}, "one\ntwo\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Command(test.script).Run(t.Context(), []byte(test.stdin), nil, test.limits)
			if got != test.want || err != nil {
				t.Errorf("%.200q, error %v", got, err)
			}
		})
	}
}

func TestFloodIsBounded(t *testing.T) {
	out, err := Command(`echo begun; head -c 20000000 /dev/zero | tr '\0' x; echo; echo ended`).Run(t.Context(), nil, nil, Limits{})
	if err != nil || !strings.HasPrefix(out, "begun\nxxx") || !strings.HasSuffix(out, "xxx\nended\n") || !strings.Contains(out, " bytes left out]\n") {
		t.Errorf("%.20q … %q, error %v", out, out[max(0, len(out)-20):], err)
	}
	if len(out) > defaultOutput+50 {
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
	spaced := file("a hook", "#!/bin/sh\n", 0o755)
	const notFound = "ended with exit code 127: a command was not found, or what the first line of its script names after #!"
	tests := map[string]struct {
		command       Command
		name, problem string
		check         string // what Check says of it
	}{
		"an exit code":                          {"sh -c 'exit 7'", "sh", "ended with exit code 7", ""},
		"an exit code of one that is not sh":    {"false --with=SECRET", "false", "ended with exit code 1", ""},
		"an exit code of one among several":     {"true SECRET; exit 7", "sh", "ended with exit code 7", ""},
		"killed":                                {"kill -9 $$", "kill", "was killed by signal 9 (killed)", ""},
		"terminated":                            {"kill -TERM $$", "kill", "was killed by signal 15 (terminated)", ""},
		"no such path":                          {Command(dir + "/none -v"), dir + "/none", notFound, "was not found"},
		"no such path, quoted":                  {Command("'" + dir + "/no hook' -v"), dir + "/no hook", notFound, "was not found"},
		"a path with blanks that is not quoted": {Command(spaced), dir + "/a", notFound, "was not found"},
		"nowhere in PATH":                       {"no-such-program-anywhere SECRET", "no-such-program-anywhere", notFound, "was not found"},
		"nowhere in PATH, before a pipe":        {"no-such-program-anywhere 2>&1 | exit 127", "sh", notFound, "was not found"},
		"without the executable bit":            {Command(plain), plain, "ended with exit code 126: a command is not executable", "is not executable"},
		"a directory":                           {Command(dir), dir, "ended with exit code 126: a command is not executable", "is a directory"},
		"an interpreter that is not there":      {Command(orphan), orphan, notFound, ""},
		"too long":                              {Command("true " + strings.Repeat("x", 1<<20)), "true", "does not start: the command and its environment are too long", ""},
		"a quote that is not closed":            {"true 'SECRET", "true", "ended with exit code 2", "cannot read the command: a quote or a bracket is not closed, or an operator such as | has only one side"},
		"a bracket that is not closed":          {"(true SECRET", "sh", "ended with exit code 2", "cannot read the command: a quote or a bracket is not closed, or an operator such as | has only one side"},
		"a NUL":                                 {"true SECRET\x00", "true", "does not start: fork/exec /bin/sh: invalid argument", "got a command that contains a NUL"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := problem(t, test.command, t.Context(), Limits{})
			if e.Problem != test.problem || e.Command != test.name || e.Error() != e.Command+" "+e.Problem {
				t.Errorf("%+v", e)
			}
			err := test.command.Check()
			if (err != nil) != (test.check != "") || err != nil && (!strings.HasSuffix(err.Error(), " "+test.check) || strings.Contains(err.Error(), "SECRET")) {
				t.Errorf("Check: %v", err)
			}
		})
	}
}

func TestCheckLetsPassWhatOnlyShKnows(t *testing.T) {
	dir := t.TempDir()
	made, tool := filepath.Join(dir, "made"), filepath.Join(dir, "a hook")
	if err := os.WriteFile(tool, []byte("#!/bin/sh\ntouch \"$1\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"'" + tool + "' " + made, `"` + tool + `" ` + made, strings.ReplaceAll(tool, " ", `\ `) + " " + made,
		"touch " + made, "touch " + made + "\n", "/bin/touch " + made + " | cat", "T=touch; $T " + made, "A=b touch " + made, "cd " + dir + " && touch made", "if true; then touch " + made + "; fi",
		"f() { touch " + made + "; }; f", "f () { touch " + made + "; }; f", "{ touch " + made + "; }", "(touch " + made + ")", ": > " + made, ">" + made, "! touch " + made + " || true",
		"[ -e / ] && touch " + made, "exec touch " + made, "# a comment\ntouch " + made, "~/none || touch " + made, "touch " + made + "; exit $?"} {
		if err := Command(line).Check(); err != nil {
			t.Errorf("%q: %v", line, err)
		}
		if _, err := os.Stat(made); err == nil {
			t.Fatalf("Check has run %q", line)
		}
		if _, err := Command(line).Run(t.Context(), nil, nil, Limits{}); err != nil {
			t.Errorf("%q: %v", line, err)
		}
		if err := os.Remove(made); err != nil {
			t.Errorf("%q was not run: %v", line, err)
		}
	}
	for _, line := range []Command{"", " \t\n"} {
		if err := line.Check(); err == nil || err.Error() != "sh got an empty command" {
			t.Errorf("%q: %v", line, err)
		}
	}
}

func TestProgramOfTheCurrentDirectoryNeedsItsPath(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("PATH", ".:/bin")
	if err := os.WriteFile("local", []byte("#!/bin/sh\necho here\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Command("local").Check(); err == nil || err.Error() != "local was found in the current directory alone: write it with its path" {
		t.Errorf("%v", err)
	}
	if err := Command("./local").Check(); err != nil {
		t.Error(err)
	}
	if out, err := Command("./local").Run(t.Context(), nil, nil, Limits{}); out != "here\n" || err != nil {
		t.Errorf("%q, error %v", out, err)
	}
}

func TestEnvironmentIsOursButForOurOptions(t *testing.T) {
	t.Setenv("HOOKS_TEST_SITE", "kept")
	t.Setenv("HOOKS_TEST_BOTH", "ours")
	t.Setenv("MNETKEYS_CFG", "dbpass=SECRET")
	out, err := Command("env | grep -e HOOKS_TEST -e MNETKEYS | sort").Run(t.Context(), nil, []string{"MNETKEYS_OUTCOME=renewed", "HOOKS_TEST_BOTH=theirs"}, Limits{})
	if want := "HOOKS_TEST_BOTH=theirs\nHOOKS_TEST_SITE=kept\nMNETKEYS_OUTCOME=renewed\n"; out != want || err != nil {
		t.Errorf("%q, error %v", out, err)
	}
}

func TestValuesAreNeverRun(t *testing.T) {
	made := filepath.Join(t.TempDir(), "made")
	for _, value := range []string{"$(touch " + made + ")", "`touch " + made + "`", "; touch " + made, "' ; touch " + made + " ; '", "\"; touch " + made + "; \"",
		"() { :; }; touch " + made, "\n touch " + made + "\n", "-n", "x=y", "a \"b\" 'c' \\ %s * ~ #"} {
		// The value as stdin, as the value of the command's own variable, as an argument of a
		// program, and unquoted.
		out, err := Command(`printf %s "$VALUE"; cat; copy=$VALUE; sh -c 'printf %s "$1"' sh "$copy"; printf %s $VALUE >/dev/null`).
			Run(t.Context(), []byte(value), []string{"VALUE=" + value}, Limits{})
		if out != value+value+value || err != nil {
			t.Errorf("%q became %q, error %v", value, out, err)
		}
		if _, err := os.Stat(made); err == nil {
			t.Fatalf("%q was run", value)
		}
	}
}
