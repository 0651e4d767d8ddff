package run

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"

	"renew_mnetkeys/internal/atomicfile"
	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/internal/metrics"
	"renew_mnetkeys/internal/output"
	"renew_mnetkeys/internal/report"
	"renew_mnetkeys/rotate"
)

// openSinks makes sure that every file can be written before anything is done.
func openSinks(out *output.Printer, hooks *hookRunner) error {
	o := out.Options
	if o.Redact && (o.Report != "" || o.PrometheusFile != "") {
		out.Log.Warn().Msg("--redact changes what is printed: the page (--report) and the metrics (--prometheus-file) have the real names")
	}
	if hooks.cache != nil {
		out.Sinks = append(out.Sinks, hooks.cache)
	}
	if o.Report != "" {
		if err := writable(o.Report); err != nil {
			return &cmdline.UsageError{Problem: "--report: " + err.Error(), Advice: rotate.HintOf(err)}
		}
		out.Sinks = append(out.Sinks, &pageSink{out, report.New()})
	}
	if o.PrometheusFile != "" {
		file, err := metrics.Open(o.PrometheusFile)
		if err != nil {
			return &cmdline.UsageError{Problem: "--prometheus-file: " + err.Error(), Advice: rotate.HintOf(err)}
		}
		if !o.DryRun {
			out.Sinks = append(out.Sinks, &metricsSink{out, file})
		}
	}
	if o.PostHook != "" && o.Writes() {
		out.Sinks = append(out.Sinks, &postHook{runner: hooks})
	}
	return nil
}

// pageSink writes the page of --report.
type pageSink struct {
	out *output.Printer
	*report.Page
}

// Finish implements a sink of package output.
func (p *pageSink) Finish(code int) error {
	run := report.Run{Command: pageCommand(p.out.Options), DryRun: p.out.Options.DryRun, Started: p.out.Started, Took: time.Since(p.out.Started),
		ExitCode: code, Version: cmdline.Version(), Complete: p.out.CompleteGroup}
	path := p.out.Options.Report
	if err := atomicfile.Replace(path, func(w io.Writer) error { return p.Write(w, run) }); err != nil {
		return fmt.Errorf("the page %s %w", path, err)
	}
	return nil
}

// pageCommand is what the page must know about a command.
func pageCommand(o cmdline.Options) report.Command {
	c := o.Command.Row()
	return report.Command{Name: string(c.Name), ReadsOnly: !c.Changes, MakesKey: c.MakesKey, Checks: c.Prints == cmdline.PrintsState,
		Diagnoses: c.Prints == cmdline.PrintsFindings, Good: c.Good, Exits: o.Exits(), Done: c.Done, Did: cmp.Or(c.Seen, c.Did)}
}

// metricsSink writes the file of --prometheus-file.
type metricsSink struct {
	out *output.Printer
	*metrics.File
}

// kept are the tenants that the run left out and that stay in the file. A master without
// --withmaster, and those excluded on the command line, are still watched by other runs; a file of
// options or a variable excludes for good, and what was written before would be an alert for ever.
func (m *metricsSink) kept() rotate.Globs {
	kept := rotate.Globs(slices.Clone(m.out.Masters))
	if m.out.Typed("exclude") {
		kept = append(kept, m.out.Options.Array.Exclude...)
	}
	return kept
}

// Finish implements a sink of package output.
func (m *metricsSink) Finish(code int) error {
	o := m.out.Options
	return m.Write(metrics.Run{Command: string(o.Command), Started: m.out.Started, Took: time.Since(m.out.Started), ExitCode: code,
		Whole: o.All && len(o.Array.Match) == 0 && !m.out.Partial, Excluded: m.kept()})
}

// recordRefusal writes the exit code of a run that has looked at no tenant into the metrics alone: what
// they have of tenants stays.
func recordRefusal(out *output.Printer, code int) error {
	for _, sink := range out.Sinks {
		if m, is := sink.(*metricsSink); is {
			out.Partial = true
			return m.Finish(code)
		}
	}
	return nil
}
