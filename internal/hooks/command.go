package hooks

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"

	"renew_mnetkeys/internal/printable"
)

const shell = "/bin/sh"

// Command is what an operator wrote for /bin/sh to run. Nothing is ever put into it: what a command
// is to know comes by its environment and its stdin, so that a wwwroot such as $(reboot) stays
// text, as long as the command quotes it ("$MNET_WWWROOT") as in any script.
type Command string

// simple is a line whose first word sh takes as it stands: without variables, patterns and
// assignments, and no function of the line's own.
var simple = regexp.MustCompile("^\\s*(?:'([^']+)'|\"([^\"\\\\$`]+)\"|([^\\s'\"\\\\$`*?\\[\\](){}<>;&|=~#!]+))(?:\\s*$|\\s+[^\\s(]|[;&|<>])")

// program is the first word of the line, "" where only sh can tell which program that is.
func (c Command) program() string {
	found := simple.FindStringSubmatch(string(c))
	if found == nil {
		return ""
	}
	return found[1] + found[2] + found[3]
}

// String is the program alone, and sh where the line may be more than one: the rest can hold what
// the operator keeps to himself, a web hook's address for one.
func (c Command) String() string {
	program := c.program()
	if program == "" || strings.ContainsAny(string(c), ";&|()\n`") {
		return "sh"
	}
	return printable.Line(program, 0)
}

// Check tells whether sh can read the line, and whether there is a program of its first word, without running it: so that a mistake in a hook is found
// before anything is done. Whatever stands behind the first word is for sh to find. The error is an *Error, and shows no more of the line than its program.
func (c Command) Check() error {
	switch {
	case strings.TrimSpace(string(c)) == "":
		return c.failed("the command is empty", nil)
	case strings.IndexByte(string(c), 0) >= 0:
		return c.failed("the command contains a NUL", nil)
	}
	// By stdin, since not every sh heeds -n with -c; and one that does not heed it at all ends at the first line.
	if err := ask("exit 0\n"+string(c), "-n"); err != nil {
		var refused *exec.ExitError
		if !errors.As(err, &refused) {
			return c.notStarted(err)
		}
		return &Error{Command: "sh", Problem: "cannot read the command: a quote or a bracket is not closed, or an operator such as | has only one side"}
	}
	program := c.program()
	if program == "" {
		return nil
	}
	_, err := exec.LookPath(program)
	if errors.Is(err, exec.ErrNotFound) && !strings.Contains(program, "/") && ask("", "-c", `command -v -- "$1"`, "sh", program) == nil {
		return nil // cd, if and other words of sh itself
	}
	if err != nil {
		return &Error{Command: printable.Line(program, 0), Problem: notFound(err), cause: err}
	}
	return nil
}

// ask runs sh for an answer by its exit code.
func ask(stdin string, args ...string) error {
	cmd := exec.Command(shell, args...)
	cmd.Stdin, cmd.Env = strings.NewReader(stdin), inherited(os.Environ())
	return cmd.Run()
}

// notFound says why exec.LookPath gave no path.
func notFound(err error) string {
	switch {
	case errors.Is(err, exec.ErrDot):
		return "found in the current directory alone: write it with its path"
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return "not found"
	case errors.Is(err, syscall.EISDIR):
		return "is a directory"
	case errors.Is(err, fs.ErrPermission):
		return "not executable"
	}
	return err.Error()
}
