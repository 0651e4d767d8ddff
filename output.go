package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"

	"renew_mnetkeys/rotate"
)

// logger is the log of a run, on stderr.
type logger = zerolog.Logger

// output is everything the command says: results on stdout, the log, progress
// and errors on stderr.
type output struct {
	o        options
	started  time.Time
	sinks    sinks
	stdout   *results
	stderr   io.Writer
	terminal bool // a person watches stdout
	colour   bool
	live     bool // a person watches stderr: progress may be drawn and wiped
	log      logger
}

func newOutput(o options, stdout *results, stderr io.Writer, getenv func(string) string) *output {
	out := &output{o: o, started: time.Now(), stdout: stdout, stderr: stderr, terminal: isTerminal(stdout.w), live: isTerminal(stderr)}
	out.colour = out.terminal && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
	out.live = out.live && !o.Quiet && !o.Debug && o.LogFormat == "console"
	var w io.Writer = stderr
	if o.LogFormat == "console" {
		w = zerolog.ConsoleWriter{Out: stderr, NoColor: !out.live || !out.colour, TimeFormat: time.TimeOnly}
	}
	level := zerolog.WarnLevel
	switch {
	case o.Debug:
		level = zerolog.DebugLevel
	case o.Quiet: // cron mails whatever is written
		level = zerolog.ErrorLevel
	}
	out.log = zerolog.New(w).Level(level).With().Timestamp().Logger()
	return out
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// progress draws one line that replaces itself.
func (out *output) progress(done, total int) {
	if !out.live || total < 2 {
		return
	}
	fmt.Fprintf(out.stderr, "\r\x1b[Kpeers %d/%d", done, total)
	if done == total {
		fmt.Fprint(out.stderr, "\r\x1b[K")
	}
}

// print gives the result of one tenant: one JSON document, or text. It gives the
// exit code, which for check is one of its own.
func (out *output) print(report rotate.TenantReport, code int) int {
	out.advise(&report)
	out.sinks.add(report)
	if out.o.Command == "check" {
		sum := &checkSummary{warning: out.o.Warning, critical: out.o.Critical, now: out.started}
		sum.add(report)
		code = sum.close(out)
		if !out.o.JSON {
			out.write(sum.String())
			return out.settled(code)
		}
	}
	if out.o.JSON {
		code = out.close(code) // the exit code stands in the document
		out.printJSON(report, code)
	} else if text := out.render(report, code); text != "" {
		out.write(text)
	} else { // silent but for what somebody should know
		for _, w := range report.Warnings {
			out.tell("warning: %s", printable(w))
		}
	}
	if report.Err != nil {
		out.failHinted(report.Err, report.Hint)
	} else if code > 128 {
		out.tell("hint: %s", interruptedHint(out.o))
	} else if out.o.JSON && report.SelfCheck == rotate.SelfNoRC4 {
		out.tell("hint: %s", hintNoRC4)
	}
	return out.settled(code)
}

// settled is the exit code once the result was printed, for the sinks that are
// finished behind it: one that could not be written is said, once, and counts.
func (out *output) settled(code int) int {
	if r := out.stdout; r.lost != nil && !r.told {
		r.told = true
		out.fail(&unwrittenError{r.lost})
	}
	return out.stdout.code(out.o.Command, code)
}

// failed reports what has ended a run before a tenant was worked on.
func failed(wwwroot string, code int, err error) rotate.TenantReport {
	return rotate.TenantReport{Wwwroot: wwwroot, Outcome: rotate.Failed, SelfCheck: rotate.SelfSkipped,
		Error: err.Error(), Err: err, Exit: code, Peers: []rotate.PeerReport{}}
}

// render is the report for people. It is whole on a terminal and on failure, and
// short where a job that went well is logged; a job that had nothing to do says
// nothing.
func (out *output) render(report rotate.TenantReport, code int) string {
	if out.o.Quiet && code == rotate.ExitOK || out.nothingHappened(report.Outcome, code) {
		return ""
	}
	// Of a tenant that could not be read there is nothing to show but that.
	read := report.Outcome != rotate.Failed
	switch {
	case out.o.Command == "status" && read:
		return renderStatus(report, out.started, out.paint)
	case out.o.Command == "doctor" && (read || len(report.Findings) > 0):
		return renderFindings(report, out.paint)
	}
	whole := out.terminal || code != rotate.ExitOK || out.o.DryRun || out.o.Command == "verify"
	return renderText(report, whole, out.o, out.paint)
}

// nothingHappened is for cron: a key that was not due, and peers that were proven,
// are no news.
func (out *output) nothingHappened(outcome rotate.Outcome, code int) bool {
	return out.o.Due.OnlyIfDue && !out.o.DryRun && !out.terminal && outcome == rotate.Kept && code == rotate.ExitOK
}

// write puts text on stdout, which remembers what it did not take.
func (out *output) write(text string) { _, _ = io.WriteString(out.stdout, text) }

// fail prints an error that ends the run.
func (out *output) fail(err error) { out.failHinted(err, rotate.HintOf(err)) }

// failHinted prints an error, as a line of the log where that is JSON.
func (out *output) failHinted(err error, hint string) {
	if out.o.LogFormat != "json" {
		printHinted(out.stderr, err, hint)
		return
	}
	out.log.Error().Str("hint", printable(hint)).Msg(printable(err.Error()))
}

// tell prints a line for people beside the result, or logs it where the log is
// JSON.
func (out *output) tell(format string, args ...any) {
	if out.o.LogFormat != "json" {
		fmt.Fprintf(out.stderr, format+"\n", args...)
		return
	}
	log := out.log.Level(zerolog.InfoLevel) // the level is for the log: what is told is told in any case
	log.Info().Msgf(format, args...)
}

// document is the contract of --json.
type document struct {
	Version  int                   `json:"version"`
	Command  string                `json:"command"`
	DryRun   bool                  `json:"dry_run"`
	ExitCode int                   `json:"exit_code"`
	Started  time.Time             `json:"started"`
	TookMS   int64                 `json:"took_ms"`
	Tenants  []rotate.TenantReport `json:"tenants"`
}

func (out *output) printJSON(report rotate.TenantReport, code int) {
	encoder := json.NewEncoder(out.stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(out.document(code, []rotate.TenantReport{report})); err != nil {
		out.stdout.fail(err)
	}
}

// document is what --json prints of the run so far.
func (out *output) document(code int, tenants []rotate.TenantReport) document {
	return document{Version: 1, Command: out.o.Command, DryRun: out.o.DryRun, ExitCode: code,
		Started: out.started.UTC().Truncate(time.Millisecond), TookMS: time.Since(out.started).Milliseconds(), Tenants: tenants}
}

// Colours by what a word means; words never rely on colour alone.
var colours = map[string]string{
	string(rotate.Renewed): "32", string(rotate.Accepted): "32", string(rotate.Healed): "32", string(rotate.SelfProven): "32",
	string(rotate.Pending): "33", string(rotate.Undone): "33", string(rotate.SelfUnreachable): "33", string(rotate.SelfNoRC4): "33",
	string(rotate.Refused): "31", string(rotate.Failed): "31",
}

func (out *output) paint(word, padded string) string {
	colour := colours[word]
	if !out.colour || colour == "" {
		return padded
	}
	return "\x1b[" + colour + "m" + padded + "\x1b[0m"
}

// printable keeps what a peer or a row sent from steering the terminal, and from
// writing lines of its own.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsPrint(r):
			return r
		case r == '\n':
			return ' '
		}
		return '·'
	}, s)
}
