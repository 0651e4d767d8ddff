package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/internal/output"
	"renew_mnetkeys/rotate"
)

// Main is the command without the process: it gives the exit code.
func Main(args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	ctx, stop := untilSignal(context.Background(), stderr)
	defer stop()
	results := &output.Results{W: stdout}
	args = cmdline.Arguments(args)
	if len(args) > 1 && args[1] == "generate" {
		return results.Settle("generate", printGenerated(args[2:], results, stderr), stderr)
	}
	cmd, args := cmdline.CommandOf(args)
	return results.Settle(cmd.Name, obey(ctx, cmd, args, getenv, results, stderr), stderr)
}

// printGenerated does not check its write: results reports an error if only half a page could be
// written, as on a full disk.
func printGenerated(words []string, stdout, stderr io.Writer) int {
	text, err := cmdline.Generate(words)
	if err != nil {
		output.PrintError(stderr, err)
		return rotate.ExitUsage
	}
	_, _ = io.WriteString(stdout, text)
	return rotate.ExitOK
}

// obey reads the command line and does what it says.
func obey(ctx context.Context, cmd cmdline.Command, args []string, getenv func(string) string, stdout *output.Results, stderr io.Writer) int {
	if err := cmdline.BehindHelp(cmd, args); err != nil {
		return misread(cmd, err, args, stdout, stderr)
	}
	code := rotate.ExitOK
	app := cmdline.NewApp(cmd, stdout, stderr, func(o cmdline.Options) {
		stderr := stderr
		if o.Redact {
			var finish func()
			stderr, finish = stdout.Redact(stderr)
			defer finish()
		}
		code = execute(ctx, cmd, o, args, getenv, stdout, stderr)
	})
	if err := app.RunContext(ctx, args); err != nil {
		return misread(cmd, err, args, stdout, stderr)
	}
	return code
}

// misread is refuse for a command line that cannot be read, as far as it says how to print that.
func misread(cmd cmdline.Command, err error, args []string, stdout *output.Results, stderr io.Writer) int {
	if cmdline.Asks("redact", args, os.LookupEnv) {
		var finish func()
		stderr, finish = stdout.Redact(stderr)
		defer finish()
	}
	return refuse(cmd, err, cmdline.Asks("json", args, os.LookupEnv), stdout, stderr)
}

// refuse prints an error of usage, and gives its exit code. For a monitoring system 2 means
// critical, and it reads stdout, where whoever asks for JSON expects nothing else.
func refuse(cmd cmdline.Command, err error, asJSON bool, stdout, stderr io.Writer) int {
	switch {
	case cmd.Prints == cmdline.PrintsState && asJSON:
		output.PrintError(stderr, err)
		return int(output.Unknown)
	case cmd.Prints == cmdline.PrintsState:
		fmt.Fprint(stdout, output.Unchecked(err))
		return int(output.Unknown)
	}
	output.PrintError(stderr, err)
	return rotate.ExitUsage
}

// execute runs the command between its hooks and gives the exit code.
func execute(ctx context.Context, cmd cmdline.Command, o cmdline.Options, args []string, getenv func(string) string, stdout *output.Results, stderr io.Writer) int {
	out := output.New(o, stdout, stderr, getenv)
	out.Arguments = slices.Concat(strings.Fields(cmd.Line())[1:], o.Environment, args[1:])
	hooks := newHookRunner(out)
	err := openSinks(out, hooks)
	if err == nil {
		err = cmp.Or(checkHooks(o), checkPHP(o, out))
	}
	if err == nil {
		err = confirm(ctx, &o, out, os.Stdin, keysBefore(o, out, getenv))
	}
	err = o.Located(err)
	if errors.As(err, new(*refusedError)) {
		output.PrintError(stderr, err)
		return rotate.ExitNotRenewed
	}
	var usage *cmdline.UsageError
	if errors.As(err, &usage) {
		code := refuse(cmd, err, o.JSON, stdout, stderr)
		if lost := recordRefusal(out, code); lost != nil {
			output.PrintError(stderr, lost)
		}
		return code
	}
	if err == nil {
		err = o.Located(delay(ctx, o, out))
	}
	if err != nil {
		return out.Stop(exitAfterSignal(ctx, exitFor(err)), err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.Deadline, errDeadline)
	defer cancel()
	if err := hooks.pre(ctx); err != nil {
		return out.Stop(exitAfterSignal(ctx, rotate.ExitNotRenewed), o.Located(err))
	}
	r := runner{cmd: cmd, o: o, getenv: getenv, out: out, hooks: hooks}
	work := r.workOnTenant
	if o.All {
		work = r.workOnArray
	}
	return out.Close(work(ctx))
}
