package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"renew_mnetkeys/internal/output"
	"renew_mnetkeys/rotate"
)

// endingSignals end a run at its next safe point.
var endingSignals = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGABRT}

// impatient is how long after the first signal a second one starts to count. A terminal that is
// closed sends SIGHUP twice within a millisecond, and timeout(1) may send SIGTERM to the process
// and to its group.
const impatient = 2 * time.Second

// untilSignal cancels the context at the first of endingSignals. A further one ends the process at
// once, which loses nothing either: the next run completes the work. But it must be the decision of
// a person: a signal that comes together with the first does not count, and neither does SIGHUP,
// which people do not send. Under nohup(1) SIGHUP stays ignored.
func untilSignal(parent context.Context, stderr io.Writer) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	for _, s := range endingSignals {
		if s != syscall.SIGHUP || !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	ended := make(chan struct{})
	go func() {
		var first time.Time
		for {
			select {
			case s := <-signals:
				switch {
				case first.IsZero():
					first = time.Now()
					cancel(&output.SignalError{Signal: s.(syscall.Signal)})
				case s != syscall.SIGHUP && time.Since(first) >= impatient:
					fmt.Fprintln(stderr, "ended at once by a second signal. No key is lost. Finish the work by a push for the same sites; only a move is finished by the same move. Do not repeat a rollback")
					os.Exit(exitCodeOf(s.(syscall.Signal)))
				}
			case <-ended:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(ended)
		cancel(nil)
	}
}

// exitCodeOf is the exit code that a shell reports for a process that was ended by a signal.
func exitCodeOf(s syscall.Signal) int { return 128 + int(s) }

// exitAfterSignal gives the exit code of a run that was ended by a signal, unless an operator must
// act on the local site: that must not look like a safe point.
func exitAfterSignal(ctx context.Context, code int) int {
	var sig *output.SignalError
	if code != rotate.ExitLocalSite && errors.As(context.Cause(ctx), &sig) {
		return exitCodeOf(sig.Signal)
	}
	return code
}

// NoStacks keeps Go from what it does at SIGQUIT and SIGABRT, until the process ends, so also when the
// run has ended: it would print the stacks of all goroutines, whose arguments may be words of a private
// key, and exit with 2, which is this command's code for wrong usage.
func NoStacks() { signal.Notify(make(chan os.Signal, 1), syscall.SIGQUIT, syscall.SIGABRT) }

// KeepPipes makes a write to a closed pipe fail like any other write. Without it Go ends the
// process by SIGPIPE if the pipe is stdout or stderr: a log without a reader would end a run
// between storing a key and dropping the cache. The signal is caught and not ignored, since hooks
// and PHP would inherit that.
func KeepPipes() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }
