package main

import (
	"fmt"
	"io"
	"time"

	"renew_mnetkeys/metrics"
	"renew_mnetkeys/report"
	"renew_mnetkeys/rotate"
	"renew_mnetkeys/wholefile"
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
		out.records = append(out.records, &pageRecord{out, report.New()})
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
	return out.close(out.print(failed(out.o.Host, code, err), code))
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
	err := wholefile.Replace(p.out.o.Report, func(w io.Writer) error { return p.Write(w, run) })
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
