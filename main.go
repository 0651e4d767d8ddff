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
	os.Exit(run(os.Args, os.Getenv, os.Stdout, os.Stderr))
}

// run is the command without the process: it gives the exit code.
func run(args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	ctx, stop := untilSignal(context.Background())
	defer stop()

	code := rotate.ExitOK
	if err := checkEnvironment(os.Environ()); err != nil {
		printError(stderr, err)
		return rotate.ExitUsage
	}
	app := newApp(stdout, stderr, func(o options) {
		if o.All {
			code = renewArray(ctx, o, getenv, stdout, stderr)
			return
		}
		code = renew(ctx, o, getenv, stdout, stderr)
	})
	if err := app.RunContext(ctx, args); err != nil {
		printError(stderr, err)
		return rotate.ExitUsage
	}
	return code
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
