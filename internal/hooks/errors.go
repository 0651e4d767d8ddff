package hooks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// Error says how a command failed, in words that contain neither its arguments nor its output.
type Error struct {
	Command string // the program, see Command.String
	Problem string // what it did, such as "ended with exit code 3", "took longer than 2m0s"
	cause   error  // if code decides on it: the context's error, or why it did not start
}

// Error is a sentence about the program.
func (e *Error) Error() string { return e.Command + " " + e.Problem }

// Unwrap is the cause: context.Canceled or context.DeadlineExceeded of the caller's context, or the
// system's error. Nil for a command that ran.
func (e *Error) Unwrap() error { return e.cause }

func (c Command) failed(problem string, cause error) *Error {
	return &Error{Command: c.String(), Problem: problem, cause: cause}
}

// notStarted says why sh does not run.
func (c Command) notStarted(err error) *Error {
	if errors.Is(err, syscall.E2BIG) {
		return c.failed("does not start: the command and its environment are too long", err)
	}
	return c.failed("does not start: "+err.Error(), err)
}

// ended is the error of a command that ended without being stopped, nil after exit code 0.
func (c Command) ended(state *os.ProcessState) error {
	if state.Success() {
		return nil
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return c.failed(fmt.Sprintf("was killed by signal %d (%v)", int(status.Signal()), status.Signal()), nil)
	}
	code := state.ExitCode()
	problem := fmt.Sprintf("ended with exit code %d", code)
	switch code { // sh's own; its output names the command
	case 126:
		problem += ": a command is not executable"
	case 127:
		problem += ": a command was not found, or what the first line of its script names after #!"
	}
	return &Error{Command: c.String(), Problem: problem}
}

// cutShort is the error of a command that was stopped, or could not be stopped. It says what has ended
// the context, which "context canceled" does not.
func (c Command) cutShort(ctx context.Context, limit time.Duration, gone bool) error {
	e := c.failed(fmt.Sprintf("took longer than %v", limit), nil)
	if cause := ctx.Err(); cause != nil {
		e = c.failed("was ended: "+context.Cause(ctx).Error(), cause)
	}
	if !gone {
		e.Problem += ", and could not be ended"
	}
	return e
}
