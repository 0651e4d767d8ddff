package main

import (
	"fmt"
	"io"
	"time"

	"renew_mnetkeys/metrics"
	"renew_mnetkeys/report"
	"renew_mnetkeys/wholefile"
)

// openSinks makes sure that everything can be written before anything is done.
func openSinks(out *output, hooks *hookRunner) error {
	o := out.o
	if hooks.cache != nil {
		out.sinks = append(out.sinks, hooks.cache)
	}
	if o.Report != "" {
		if err := writable(o.Report); err != nil {
			return &usageError{problem: "--report: " + err.Error()}
		}
		out.sinks = append(out.sinks, &pageSink{out, report.New()})
	}
	if o.PrometheusFile != "" && !o.DryRun {
		file, err := metrics.Open(o.PrometheusFile)
		if err != nil {
			return &usageError{problem: "--prometheus-file: " + err.Error()}
		}
		out.sinks = append(out.sinks, &metricsSink{out, file})
	}
	if o.PostHook != "" && !o.DryRun {
		out.sinks = append(out.sinks, &postHook{runner: hooks})
	}
	return nil
}

// pageSink is --report.
type pageSink struct {
	out *output
	*report.Page
}

// Finish implements sink.
func (p *pageSink) Finish(code int) error {
	run := report.Run{Command: p.out.o.Command, DryRun: p.out.o.DryRun, Started: p.out.started, Took: time.Since(p.out.started),
		ExitCode: code, Version: version()}
	err := wholefile.Replace(p.out.o.Report, func(w io.Writer) error { return p.Write(w, run) })
	if err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

// metricsSink is --prometheus-file.
type metricsSink struct {
	out *output
	*metrics.File
}

// Finish implements sink.
func (m *metricsSink) Finish(code int) error {
	return m.Write(metrics.Run{Command: m.out.o.Command, Started: m.out.started, Took: time.Since(m.out.started), ExitCode: code,
		Whole: m.out.o.All && len(m.out.o.Array.Match)+len(m.out.o.Array.Exclude) == 0})
}
