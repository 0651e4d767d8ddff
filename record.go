package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"

	"renew_mnetkeys/metrics"
	"renew_mnetkeys/report"
	"renew_mnetkeys/rotate"
)

// record is what is kept of a run besides its output: a page, metrics, a hook.
type record interface {
	Add(rotate.TenantReport)
	Finish(code int) error
}

// openRecords makes sure that everything can be written before anything is done.
// Each record is told the exit code that those before it have left.
func (out *output) openRecords() error {
	if out.o.CacheHook != "" && !out.o.DryRun {
		out.cacheHook = &cacheHookRecord{}
		out.records = append(out.records, out.cacheHook)
	}
	if out.o.Report != "" {
		if err := writable(out.o.Report); err != nil {
			return &usageError{problem: "--report: " + err.Error()}
		}
		out.records = append(out.records, &pageRecord{out, report.New(nextStep, hintFor)})
	}
	if out.o.PrometheusFile != "" && !out.o.DryRun {
		file, err := metrics.Open(out.o.PrometheusFile)
		if err != nil {
			return &usageError{problem: "--prometheus-file: " + err.Error()}
		}
		out.records = append(out.records, &metricsRecord{out, file})
	}
	if out.o.PostHook != "" && !out.o.DryRun {
		out.records = append(out.records, &postHook{out: out})
	}
	return nil
}

func (out *output) record(r rotate.TenantReport) {
	for _, kept := range out.records {
		kept.Add(r)
	}
}

// finishRecords finishes the records, once. One that fails does not undo the run, but 0
// would say that all is well: it gives the exit code there is then, and what failed.
func (out *output) finishRecords(code int) (int, []error) {
	var failed []error
	for _, kept := range out.records {
		if err := kept.Finish(code); err != nil {
			failed = append(failed, err)
			if code == rotate.ExitOK {
				code = rotate.ExitPeers
			}
		}
	}
	out.records = nil
	return code, failed
}

// close finishes the records, where nothing has had to do it before, and gives the
// exit code.
func (out *output) close(code int) int {
	code, failed := out.finishRecords(code)
	for _, err := range failed {
		out.fail(err)
	}
	return code
}

// stop ends a run before anything was done.
func (out *output) stop(code int, err error) int {
	return out.close(out.print(rotate.TenantReport{Wwwroot: out.o.Host, Outcome: rotate.Failed, SelfCheck: rotate.SelfSkipped,
		Error: err.Error(), Err: err, Exit: code, Peers: []rotate.PeerReport{}}, code))
}

// pageRecord is --report.
type pageRecord struct {
	out *output
	*report.Page
}

// Finish implements record.
func (p *pageRecord) Finish(code int) error {
	run := report.Run{Command: p.out.o.Command, DryRun: p.out.o.DryRun, Started: p.out.started, Took: time.Since(p.out.started),
		ExitCode: code, Version: version()}
	err := replaceFile(p.out.o.Report, func(w io.Writer) error { return p.Write(w, run) })
	if err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

// metricsRecord is --prometheus-file.
type metricsRecord struct {
	out *output
	*metrics.File
}

// Finish implements record.
func (m *metricsRecord) Finish(code int) error {
	return m.Write(metrics.Run{Command: m.out.o.Command, Started: m.out.started, Took: time.Since(m.out.started), ExitCode: code,
		Whole: m.out.o.All && len(m.out.o.Array.Match)+len(m.out.o.Array.Exclude) == 0})
}

// writable tells whether a file of this name can be written in the end. What is no
// file, like /dev/stdout, is not for us to replace.
func writable(path string) error {
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no file but something else", path)
	}
	f, err := beside(path)
	if err != nil {
		return err
	}
	_ = f.Close()
	return os.Remove(f.Name())
}

// beside makes an empty file in the same directory. Its error does not name that,
// which nobody would look for.
func beside(path string) (*os.File, error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".renew_mnetkeys-*")
	var of *fs.PathError
	if errors.As(err, &of) {
		return nil, fmt.Errorf("%s cannot be written in its directory: %w", path, of.Err)
	}
	return f, err
}

// replaceFile writes a file beside the one it replaces: nobody sees half of it.
func replaceFile(path string, write func(io.Writer) error) error {
	f, err := beside(path)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // where it was not renamed
	w := bufio.NewWriter(f)
	if err = write(w); err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync() // or a power failure could leave an empty file under the name
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// confirm asks before a roll back, which nobody does by habit.
func confirm(o options, out *output, stdin *os.File) error {
	if o.Command != "rollback" || o.Yes || o.DryRun {
		return nil
	}
	if !isTerminal(stdin) || !isTerminal(out.stderr) {
		return &usageError{problem: "rollback asks before it goes back to the former key, and nobody can be asked here", hint: "say so with --yes"}
	}
	what := "of " + o.Host
	switch {
	case o.All:
		what = "of every selected tenant of the array"
	case o.Host == "":
		what = "of the tenant of config.php"
	}
	fmt.Fprintf(out.stderr, "Make the newest retired key %s the current one again? [y/N] ", what)
	answer, _ := bufio.NewReader(stdin).ReadString('\n')
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return &usageError{problem: "not rolled back: the answer was not yes"}
	}
	return nil
}

// delay waits for --random-delay, so that many machines do not all start at once.
func delay(ctx context.Context, o options, out *output) error {
	if o.RandomDelay <= 0 || o.DryRun || out.terminal || isTerminal(out.stderr) {
		return nil
	}
	n, err := rand.Int(rand.Reader, big.NewInt(int64(o.RandomDelay)))
	if err != nil {
		return fmt.Errorf("draw the delay: %w", err)
	}
	wait := time.Duration(n.Int64())
	if !o.Quiet {
		out.tell("waiting %s of at most %s (--random-delay)", wait.Round(time.Second), o.RandomDelay)
	}
	if sleep(ctx, wait) != nil {
		return fmt.Errorf("nothing was done: %w", context.Cause(ctx))
	}
	out.started = time.Now()
	return nil
}
