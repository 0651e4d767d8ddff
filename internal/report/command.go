package report

import (
	"cmp"
	"fmt"

	"renew_mnetkeys/internal/printable"
	"renew_mnetkeys/rotate"
)

// mode decides the words of the page: what the command does, and whether it was a dry run.
type mode struct {
	Command
	dryRun bool
}

// said is a tenant's outcome in the words of the text that the command prints, behind the number n
// of tenants with this outcome. A dry run keeps every key: its words are what the command could do.
func (m mode) said(r rotate.TenantReport, n int) string {
	switch {
	case r.LeftOut():
		return "not " + cmp.Or(m.Done, m.Did)
	case r.Outcome == rotate.Kept && r.NotDue:
		return rotate.WhyNotDue(!r.DueAt.IsZero(), m.dryRun, n)
	case m.dryRun && r.Outcome == rotate.Kept:
		return "can be " + m.Done
	case m.Did != "" && r.Outcome == m.Good:
		return m.Did
	case r.Interrupted():
		return "interrupted"
	}
	return printable.Line(string(r.Outcome), 0)
}

// renewed, kept and failed are the meanings of these outcomes.
func (m mode) renewed() string {
	if m.MakesKey {
		return "the new key is stored and in use"
	}
	return "the previous key is stored and in use"
}

func (m mode) kept() string {
	switch {
	case m.ReadsOnly:
		return "it was looked at, and left as it is"
	case m.dryRun && m.MakesKey:
		return "can be renewed, or would only be pushed"
	case m.dryRun:
		return "can be " + m.Done
	}
	return "the key was left as it is"
}

func (m mode) failed() string {
	what := "not " + cmp.Or(m.Done, m.Did)
	if m.ReadsOnly {
		what = "it could not be looked at"
	}
	return what + ", or the local site does not use the key"
}

// checkStates are the exit codes of a command that checks.
func checkStates() []checkState {
	return []checkState{
		{"OK", mark{Outcome: "good", Letter: "✓"}},
		{"WARNING", mark{Outcome: "warn", Letter: "!"}},
		{"CRITICAL", mark{Outcome: "bad", Letter: "✗"}},
		{"UNKNOWN", mark{Outcome: "warn", Letter: "?"}},
	}
}

type checkState struct {
	state string
	mark  mark
}

func isCheck(run Run) bool {
	return run.Command.Checks && run.ExitCode >= 0 && run.ExitCode < len(checkStates())
}

// verdict is the mark of the run as a whole.
func verdict(run Run) mark {
	if isCheck(run) {
		return checkStates()[run.ExitCode].mark
	}
	switch run.ExitCode {
	case rotate.ExitOK:
		return mark{Outcome: "good", Letter: "✓"}
	case rotate.ExitPeers, rotate.ExitLocked, 130, 143:
		return mark{Outcome: "warn", Letter: "!"}
	}
	return mark{Outcome: "bad", Letter: "✗"}
}

// meaning says what the run's exit code means.
func meaning(run Run) string {
	if isCheck(run) {
		return rotate.ExitsOfCheck.Means(run.ExitCode)
	}
	means := run.mode().exits().Means(run.ExitCode)
	switch {
	case !run.DryRun, run.ExitCode > 128:
		return means
	case run.ExitCode == rotate.ExitOK: // peers outside of the array were only connected to
		return "expected of a run without --dry-run, if the peers accept the key: " + means
	}
	return "expected of a run without --dry-run: " + means
}

// exits are the meanings of the exit codes of tenants: those of a check are the same as verify's.
func (m mode) exits() rotate.Exits {
	if m.Checks {
		return rotate.ExitsOfLook
	}
	return m.Exits
}

// next is what to do about a tenant's error. If nothing better is known, it is the meaning of its
// exit code.
func (t tenant) next(m mode) string {
	if t.report.Hint != "" || t.report.Error == "" {
		return t.report.Hint
	}
	const where = "docs/recovery.md says what to do, by exit code"
	if t.report.Exit == rotate.ExitOK { // the run's code may be one of check, not of the document
		return where
	}
	return fmt.Sprintf("exit code %d of this tenant means: %s; %s", t.report.Exit, m.exits().Means(t.report.Exit), where)
}
