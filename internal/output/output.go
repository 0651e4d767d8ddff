package output

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"

	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/internal/printable"
	"renew_mnetkeys/rotate"
)

// Logger is the log of a run, on stderr.
type Logger = zerolog.Logger

// Printer is everything that the command prints: results on stdout, the log, progress and errors on
// stderr.
type Printer struct {
	Arguments []string // of the command line, without the name of the program
	Options   cmdline.Options
	Site      Site                      // after it was found
	SiteOf    func(wwwroot string) Site // in an array of several config.php, else nil; Site is then what all have in common
	Partial   bool                      // not every site of the array is known
	Masters   []string                  // wwwroots of masters that the run leaves out
	Started   time.Time
	Sinks     sinks
	stdout    *Results
	Stderr    io.Writer
	Terminal  bool // a person watches stdout
	colour    bool
	live      bool // a person watches stderr: progress may be drawn and wiped
	said      bool // something was written to stdout
	ignored   ignoredGlobs
	Log       Logger
}

// New is the printer of one run. Whether it may draw progress and use colours depends on the kind
// of stdout and stderr, and on NO_COLOR and TERM, for which it asks getenv.
func New(o cmdline.Options, stdout *Results, stderr io.Writer, getenv func(string) string) *Printer {
	out := &Printer{Options: o, Started: time.Now(), stdout: stdout, Stderr: stderr, Terminal: IsTerminal(stdout.W), live: IsTerminal(stderr)}
	out.ignored.unmatched = o.IgnorePeers
	out.colour = out.Terminal && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
	out.live = out.live && !o.Quiet && !o.Debug && o.LogFormat == "console"
	var w io.Writer = stderr
	if o.LogFormat == "console" {
		w = zerolog.ConsoleWriter{Out: stderr, NoColor: !out.live || !out.colour, TimeFormat: time.TimeOnly}
	}
	level := zerolog.WarnLevel
	switch {
	case o.Debug:
		level = zerolog.DebugLevel
	case o.Quiet: // cron sends a mail for any output
		level = zerolog.ErrorLevel
	}
	out.Log = zerolog.New(w).Level(level).With().Timestamp().Logger()
	return out
}

// IsTerminal reports whether a person may watch w.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// Progress draws one line that replaces itself.
func (out *Printer) Progress(done, total int) {
	if !out.live || total < 2 {
		return
	}
	fmt.Fprintf(out.Stderr, "\r\x1b[Kpeers %d/%d", done, total)
	if done == total {
		fmt.Fprint(out.Stderr, "\r\x1b[K")
	}
}

// Waiting informs a person at once that the run waits, and why.
func (out *Printer) Waiting(upTo time.Duration) {
	if !out.live {
		out.Log.Debug().Stringer("lock_wait", upTo).Msg("another run has the lock: waiting")
		return
	}
	fmt.Fprintf(out.Stderr, "\r\x1b[Kanother run is at work on this tenant: waiting up to %s for it to end (--lock-wait)\n", upTo.Round(time.Second))
}

// Print gives the result of one tenant: one JSON document, or text. It gives the exit code, which
// is a special one for check.
func (out *Printer) Print(report rotate.TenantReport, code int) int {
	out.advise(&report)
	out.ignored.add(report)
	out.Sinks.add(report)
	if out.Options.Command.Row().Prints == cmdline.PrintsState {
		sum := newCheckSummary(out)
		sum.add(report)
		code = sum.close(out)
		if !out.Options.JSON {
			out.write(sum.String())
			return out.settled(code)
		}
	}
	report = out.Completed(report)
	if out.Options.JSON {
		code = out.Close(code) // the exit code is part of the Document
		out.printJSON(report, code)
	} else if text := out.render(withoutHinted(report, code), code); text != "" {
		out.write(text)
		out.tellUnmatched()
	} else if !out.Options.Quiet { // prints nothing except notes that operators need
		for _, w := range report.Warnings {
			out.Tell("warning: %s", printable.Line(w, 0))
		}
	}
	switch {
	case report.Err != nil && len(report.Findings) > 0: // which say it already
	case report.Err != nil:
		out.failHinted(report.Err, report.Hint)
	case code > 128 && out.Options.Writes() && !out.Options.Command.Row().Single && report.SelfCheck == rotate.SelfProven && report.Unproven() == 0:
		out.Tell("hint: %s", hintAllProven)
	case code > 128:
		out.Tell("hint: %s", out.Complete(interruptedHint(out.Options), report.Wwwroot))
	case out.Options.JSON && report.SelfCheck == rotate.SelfNoRC4:
		out.Tell("hint: %s", rotate.SelfNoRC4.NextStep())
	}
	return out.settled(code)
}

// withoutHinted is the report without the next steps that the hint after a signal repeats.
func withoutHinted(r rotate.TenantReport, code int) rotate.TenantReport {
	r.Peers = slices.Clone(r.Peers)
	for i := range r.Peers {
		if p := &r.Peers[i]; code > 128 && p.Reason == rotate.ReasonInterrupted {
			p.Next = ""
		}
	}
	return r
}

// settled is the exit code after the result was printed, for the sinks that are finished
// afterwards. A result that could not be written is reported, once, and changes the exit code.
func (out *Printer) settled(code int) int {
	if r := out.stdout; r.lost != nil && !r.told {
		r.told = true
		out.fail(&unwrittenError{r.lost})
	}
	return out.stdout.code(out.Options.Command, code)
}

// Failed reports an error that ended a run before the work on a tenant began. After a signal there is
// nothing to finish, and it may not even be known for which site a command would be.
func Failed(wwwroot string, code int, err error) rotate.TenantReport {
	hint := ""
	if errors.As(err, new(*SignalError)) {
		hint = hintUnchanged
	}
	return rotate.TenantReport{Hint: hint, Wwwroot: wwwroot, Outcome: rotate.Failed, SelfCheck: rotate.SelfSkipped,
		Error: err.Error(), Err: err, Exit: code, Peers: []rotate.PeerReport{}}
}

// render is the report for people. It is complete on a terminal and on failure, and short if a job
// that succeeded is logged; a job that had nothing to do prints nothing.
func (out *Printer) render(report rotate.TenantReport, code int) string {
	if out.Options.Quiet && code == rotate.ExitOK || out.nothingHappened(report.Outcome, code) {
		return ""
	}
	// For a tenant that could not be read, the error is all there is to show.
	read := report.Outcome != rotate.Failed
	prints := out.Options.Command.Row().Prints
	switch {
	case prints == cmdline.PrintsStored && read:
		return renderStatus(report, out.Started, out.paint)
	case prints == cmdline.PrintsFindings && (read || len(report.Findings) > 0):
		return renderFindings(report, out.Options.Verbose, out.paint)
	}
	whole := out.Terminal || code != rotate.ExitOK || out.Options.DryRun || prints == cmdline.PrintsLinks
	return renderText(report, whole, out.Options, out.paint)
}

// nothingHappened is for cron: a key that was not due, and peers that were proven, are not worth a
// mail.
func (out *Printer) nothingHappened(outcome rotate.Outcome, code int) bool {
	return out.Options.Due.OnlyIfDue && !out.Options.DryRun && !out.Terminal && outcome == rotate.Kept && code == rotate.ExitOK
}

// write puts text on stdout, which remembers whether it failed. An empty line separates two texts,
// and never comes first.
func (out *Printer) write(text string) {
	if !out.said {
		text = strings.TrimLeft(text, "\n")
	}
	out.said = out.said || text != ""
	_, _ = io.WriteString(out.stdout, text)
}

// fail prints an error that ends the run.
func (out *Printer) fail(err error) {
	out.failHinted(err, out.Complete(rotate.HintOf(err), out.Options.Host))
}

// failHinted prints an error, as a line of the log if the log is JSON.
func (out *Printer) failHinted(err error, hint string) {
	if out.Options.LogFormat != "json" {
		printHinted(out.Stderr, err, hint)
		return
	}
	out.Log.Error().Str("hint", printable.Line(hint, 0)).Msg(printable.Line(err.Error(), 0))
}

// Tell prints a line for people beside the result, or logs it if the log is JSON.
func (out *Printer) Tell(format string, args ...any) {
	if out.Options.LogFormat != "json" {
		fmt.Fprintf(out.Stderr, format+"\n", args...)
		return
	}
	log := out.Log.Level(zerolog.InfoLevel) // only for the log: these lines are always printed
	log.Info().Msgf(format, args...)
}

// Document is what --json prints: docs/schema/renew_mnetkeys.schema.json describes it.
type Document struct {
	Version  int                   `json:"version"`
	Command  string                `json:"command"`
	DryRun   bool                  `json:"dry_run"`
	ExitCode int                   `json:"exit_code"`
	Started  time.Time             `json:"started"`
	TookMS   int64                 `json:"took_ms"`
	Tenants  []rotate.TenantReport `json:"tenants"`
}

func (out *Printer) printJSON(report rotate.TenantReport, code int) {
	encoder := json.NewEncoder(out.stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(out.Document(code, []rotate.TenantReport{report})); err != nil {
		out.stdout.fail(err)
	}
}

// Document is what --json prints of the run so far.
func (out *Printer) Document(code int, tenants []rotate.TenantReport) Document {
	return Document{Version: 1, Command: string(out.Options.Command), DryRun: out.Options.DryRun, ExitCode: code,
		Started: out.Started.UTC().Truncate(time.Millisecond), TookMS: time.Since(out.Started).Milliseconds(), Tenants: tenants}
}

// colours depend on the meaning of a word; the words are clear without colour, too.
var colours = map[string]string{
	string(rotate.Renewed): "32", string(rotate.Accepted): "32", string(rotate.Healed): "32", string(rotate.SelfProven): "32",
	string(rotate.Pending): "33", string(rotate.Undone): "33", string(rotate.SelfUnreachable): "33", string(rotate.SelfNoRC4): "33",
	string(rotate.Refused): "31", string(rotate.Failed): "31", interrupted: "33",
}

func (out *Printer) paint(word, padded string) string {
	colour := colours[word]
	if !out.colour || colour == "" {
		return padded
	}
	return "\x1b[" + colour + "m" + padded + "\x1b[0m"
}
