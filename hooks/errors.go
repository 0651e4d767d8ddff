package hooks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Error says how a command failed, in words that hold neither its arguments nor its output.
type Error struct {
	Command string // the program
	Problem string // such as "not found", "exit code 3", "took longer than 2m0s"
	Code    int    // its exit code; -1 when it gave none
	cause   error  // where code decides on it: the context's, or why it did not start
}

// Error is the program and the problem.
func (e *Error) Error() string { return e.Command + ": " + e.Problem }

// Unwrap is the cause: context.Canceled or context.DeadlineExceeded of the caller's context, or the system's error. Nil for a command that ran.
func (e *Error) Unwrap() error { return e.cause }

func (c Command) failed(problem string, cause error) *Error {
	return &Error{Command: c.String(), Problem: problem, Code: -1, cause: cause}
}

// notFound says why exec.LookPath gave no path.
func (c Command) notFound(err error) *Error {
	problem := err.Error()
	switch {
	case errors.Is(err, exec.ErrDot):
		problem = "found in the current directory alone: write it with its path"
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		problem = "not found"
	case errors.Is(err, syscall.EISDIR):
		problem = "is a directory"
	case errors.Is(err, fs.ErrPermission):
		problem = "not executable"
	}
	return c.failed(problem, err)
}

// notStarted says why a program that is there does not run.
func (c Command) notStarted(err error) *Error {
	problem := "does not start: " + err.Error()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		problem = "does not start: what its first line names after #! is not found"
	case errors.Is(err, fs.ErrPermission):
		problem = "not executable"
	case errors.Is(err, syscall.ENOEXEC):
		problem = "does not start: neither a program for this machine nor a script whose first line starts with #!"
	case errors.Is(err, syscall.E2BIG):
		problem = "does not start: its arguments and environment are too long"
	}
	return c.failed(problem, err)
}

// ended is the error of a command that ended by itself, nil after exit code 0.
func (c Command) ended(state *os.ProcessState) error {
	if state.Success() {
		return nil
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return c.failed(fmt.Sprintf("killed by signal %d (%v)", int(status.Signal()), status.Signal()), nil)
	}
	return &Error{Command: c.String(), Problem: fmt.Sprintf("exit code %d", state.ExitCode()), Code: state.ExitCode()}
}

// cutShort is the error of a command that we have ended, or tried to.
func (c Command) cutShort(ctx context.Context, limit time.Duration, gone bool) error {
	e := c.failed(fmt.Sprintf("took longer than %v", limit), nil)
	if cause := ctx.Err(); cause != nil {
		e = c.failed("interrupted: "+cause.Error(), cause)
	}
	if !gone {
		e.Problem += ", and could not be ended"
	}
	return e
}
