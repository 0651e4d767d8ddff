package hooks

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"renew_mnetkeys/internal/printable"
)

const shell = "/bin/sh"

// Command is what an operator wrote for /bin/sh to run. Nothing is ever inserted into it: the
// command gets its data by its environment and its stdin, so that a wwwroot such as $(reboot)
// remains text, if the command quotes it ("$MNET_WWWROOT") as in any script.
type Command string

// simple is a line whose first word sh uses unchanged: it has no variables, patterns or
// assignments, and is not a function of the line itself.
var simple = regexp.MustCompile("^\\s*(?:'([^']+)'|\"([^\"\\\\$`]+)\"|([^\\s'\"\\\\$`*?\\[\\](){}<>;&|=~#!]+))(?:\\s*$|\\s+[^\\s(]|[;&|<>])")

// program is the first word of the line, "" if only sh can find out which program that is.
func (c Command) program() string {
	found := simple.FindStringSubmatch(string(c))
	if found == nil {
		return ""
	}
	return found[1] + found[2] + found[3]
}

// String is the program alone, or sh if the line may be more than one command: the rest may contain
// secrets of the operator, such as the address of a web hook.
func (c Command) String() string {
	program := c.program()
	if program == "" || strings.ContainsAny(string(c), ";&|()\n`") {
		return "sh"
	}
	return printable.Line(program, 0)
}

// Check tests without running the line whether sh can read it, and whether the program of its first
// word exists: so a mistake in a hook is found before anything is done. Only sh can check what
// follows the first word. The error is an *Error, and shows no more of the line than its program.
func (c Command) Check() error {
	switch {
	case strings.TrimSpace(string(c)) == "":
		return c.failed("got an empty command", nil)
	case strings.IndexByte(string(c), 0) >= 0:
		return c.failed("got a command that contains a NUL", nil)
	}
	// By stdin, since some shells ignore -n together with -c; a shell that ignores -n completely
	// ends at the first line.
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

// Path is where the program of the first word is, an absolute path; "" if it is a word of sh itself,
// or is not there.
func (c Command) Path() string {
	path, err := exec.LookPath(c.program())
	if err != nil {
		return ""
	}
	if path, err = filepath.Abs(path); err != nil {
		return ""
	}
	return path
}

// Place is Path for a message.
func (c Command) Place() string { return printable.Line(c.Path(), 0) }

// ask runs sh; its exit code is the answer.
func ask(stdin string, args ...string) error {
	cmd := exec.Command(shell, args...)
	cmd.Stdin, cmd.Env = strings.NewReader(stdin), inherited(os.Environ())
	return cmd.Run()
}

// notFound says why exec.LookPath found no path.
func notFound(err error) string {
	switch {
	case errors.Is(err, exec.ErrDot):
		return "was found in the current directory alone: write it with its path"
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return "was not found"
	case errors.Is(err, syscall.EISDIR):
		return "is a directory"
	case errors.Is(err, fs.ErrPermission):
		return "is not executable"
	}
	return "cannot be used: " + err.Error()
}
