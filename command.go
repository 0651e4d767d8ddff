package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"renew_mnetkeys/rotate"
)

// run is the command without the process: it gives the exit code.
func run(args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	ctx, stop := untilSignal(context.Background())
	defer stop()
	results := &results{w: stdout}
	if len(args) > 1 && args[1] == "generate" {
		return results.settle("generate", printGenerated(args[2:], results, stderr), stderr)
	}
	cmd, args := commandOf(args)
	return results.settle(cmd.name, obey(ctx, cmd, args, getenv, results, stderr), stderr)
}

// printGenerated leaves it to results to fail where half a page would be installed: on a
// full disk.
func printGenerated(words []string, stdout, stderr io.Writer) int {
	text, err := generate(words)
	if err != nil {
		printError(stderr, err)
		return rotate.ExitUsage
	}
	_, _ = io.WriteString(stdout, text)
	return rotate.ExitOK
}

// obey reads the command line and does what it says.
func obey(ctx context.Context, cmd subcommand, args []string, getenv func(string) string, stdout *results, stderr io.Writer) int {
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
func execute(ctx context.Context, cmd subcommand, o options, getenv func(string) string, stdout *results, stderr io.Writer) int {
	out := newOutput(o, stdout, stderr, getenv)
	hooks := newHookRunner(out)
	err := openSinks(out, hooks)
	if err == nil {
		err = checkHooks(o)
	}
	if err == nil {
		err = confirm(ctx, o, out, os.Stdin)
	}
	var usage *usageError
	if errors.As(err, &usage) {
		return cmd.refuse(err, stdout, stderr)
	}
	if err == nil {
		err = delay(ctx, o, out)
	}
	if err != nil {
		return out.stop(exitAfterSignal(ctx, rotate.ExitNotRenewed), err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.Deadline, errDeadline)
	defer cancel()
	if err := hooks.pre(ctx); err != nil {
		return out.stop(exitAfterSignal(ctx, rotate.ExitNotRenewed), err)
	}
	r := runner{cmd: cmd, o: o, getenv: getenv, out: out, hooks: hooks}
	work := r.workOnTenant
	if o.All {
		work = r.workOnArray
	}
	return out.close(work(ctx))
}
