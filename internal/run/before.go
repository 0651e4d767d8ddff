package run

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"os"
	"strings"
	"time"

	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/internal/output"
	"renew_mnetkeys/rotate"
)

// refusedError is an answer other than yes, or that nobody can be asked: nothing is changed.
type refusedError struct{ cmdline.UsageError }

// confirm asks before a command that must not run by habit. keys reads which keys the question is
// about; the answer holds for them alone. A signal ends the question; the goroutine that reads the
// answer is then left behind.
func confirm(ctx context.Context, o *cmdline.Options, out *output.Printer, stdin *os.File, keys func(context.Context) []rotate.TenantReport) error {
	cmd := o.Command.Row()
	if cmd.Question == nil || o.Yes || o.DryRun {
		return nil
	}
	if !output.IsTerminal(stdin) || !output.IsTerminal(out.Stderr) {
		return &refusedError{cmdline.UsageError{Problem: string(cmd.Name) + " needs confirmation", Advice: "run it on a terminal, or add --yes"}}
	}
	if cmd.KeysFrom != "" {
		found := keys(ctx)
		if ctx.Err() != nil {
			return fmt.Errorf("nothing was done: %w", context.Cause(ctx))
		}
		if o.Asked = askedAbout(found); len(found) == 0 {
			return nil // the run says why there is no tenant, as every command does, and may change none
		}
		err := nothingToGoBackTo(found)
		if err == nil || len(found) > 1 {
			fmt.Fprint(out.Stderr, output.KeysOfRollback(found))
		}
		if err != nil {
			return err
		}
	}
	fmt.Fprintf(out.Stderr, "%s [y/N] ", cmd.Question(*o))
	answers := make(chan string, 1)
	go func() {
		answer, _ := bufio.NewReader(stdin).ReadString('\n')
		answers <- strings.ToLower(strings.TrimSpace(answer))
	}()
	select {
	case a := <-answers:
		if a != "y" && a != "yes" {
			return &refusedError{cmdline.UsageError{Problem: "not " + cmd.Done}}
		}
		return nil
	case <-ctx.Done():
		fmt.Fprintln(out.Stderr) // ends the line of the question
		return fmt.Errorf("nothing was done: %w", context.Cause(ctx))
	}
}

// delay waits for --random-delay, so that many machines do not all start at once.
func delay(ctx context.Context, o cmdline.Options, out *output.Printer) error {
	if o.RandomDelay <= 0 || o.DryRun || out.Terminal || output.IsTerminal(out.Stderr) {
		return nil
	}
	n, err := rand.Int(rand.Reader, big.NewInt(int64(o.RandomDelay)))
	if err != nil {
		return fmt.Errorf("draw the delay: %w", err)
	}
	wait := time.Duration(n.Int64())
	if !o.Quiet && !o.Due.OnlyIfDue { // of which cron is to send no mail
		out.Tell("waiting %s of at most %s (--random-delay)", wait.Round(time.Second), o.RandomDelay)
	}
	if rotate.Sleep(ctx, wait) != nil {
		return fmt.Errorf("nothing was done: %w", context.Cause(ctx))
	}
	out.Started = time.Now()
	return nil
}
