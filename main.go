// Command renew_mnetkeys renews the MNet key of a Moodle tenant and proves that
// every peer uses the new one.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"renew_mnetkeys/rotate"
)

func main() {
	keepMemory()
	os.Exit(run(os.Args, os.Getenv, os.Stdout, os.Stderr))
}

// run is the command without the process: it gives the exit code.
func run(args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	if len(args) > 1 && args[1] == "generate" {
		return generate(args[2:], stdout, stderr)
	}
	ctx, stop := untilSignal(context.Background())
	defer stop()

	cmd, args := commandOf(args)
	code := rotate.ExitOK
	app := newApp(cmd, stdout, stderr, func(o options) { code = execute(ctx, cmd, o, getenv, stdout, stderr) })
	err := checkEnvironment(os.Environ())
	if err == nil {
		err = app.RunContext(ctx, args)
	}
	if err != nil {
		return cmd.refuse(err, stdout, stderr)
	}
	return code
}

// refuse prints an error of usage, and gives its exit code. A monitoring system
// takes 2 for critical, and reads stdout.
func (c subcommand) refuse(err error, stdout, stderr io.Writer) int {
	if c.name == "check" {
		fmt.Fprintln(stdout, unknown.line(err.Error()))
		return int(unknown)
	}
	printError(stderr, err)
	return rotate.ExitUsage
}

// execute runs the command around its hooks and gives the exit code.
func execute(ctx context.Context, cmd subcommand, o options, getenv func(string) string, stdout, stderr io.Writer) int {
	out := newOutput(o, stdout, stderr, getenv)
	err := out.openRecords()
	if err == nil {
		err = checkHooks(o)
	}
	if err == nil {
		err = confirm(o, out, os.Stdin)
	}
	if err != nil {
		return cmd.refuse(err, stdout, stderr)
	}
	if err := delay(ctx, o, out); err != nil {
		return out.stop(exitAfterSignal(ctx, rotate.ExitNotRenewed), err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.Deadline, errDeadline)
	defer cancel()
	if err := out.preHook(ctx); err != nil {
		return out.stop(exitAfterSignal(ctx, rotate.ExitNotRenewed), err)
	}
	work := workOnTenant
	if o.All {
		work = workOnArray
	}
	return out.close(work(ctx, cmd, o, out))
}

// signalError is the cause of a context that a signal ended.
type signalError struct{ signal syscall.Signal }

func (e *signalError) Error() string {
	if e.signal == syscall.SIGTERM {
		return "interrupted by SIGTERM"
	}
	return "interrupted by SIGINT"
}

// untilSignal cancels the context at the first SIGINT or SIGTERM; the run then
// ends at its next safe point. The second one ends the process at once, which
// loses nothing either: the next run converges.
func untilSignal(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		select {
		case s := <-signals:
			signal.Stop(signals)
			cancel(&signalError{s.(syscall.Signal)})
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}

// printError is how every error that ends the command looks.
func printError(w io.Writer, err error) {
	fmt.Fprintln(w, "error: "+printable(err.Error()))
	if hint := hintFor(err); hint != "" {
		fmt.Fprintln(w, "hint: "+printable(hint))
	}
}
