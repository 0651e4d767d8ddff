package output

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/internal/printable"
	"renew_mnetkeys/rotate"
)

// Array prints what happens to an array while it is renewed. It keeps counts and the tenants that
// failed, but not the reports: those are streamed.
type Array struct {
	*Printer
	tenants      int
	phaseStarted time.Time // when the one before it ended
	json         *jsonStream

	outcomes     map[rotate.Outcome]int
	notDue       int       // included in those that are kept
	nextDue      time.Time // when the first of them is due, zero if that is not known
	proven       int       // peers: how many were proven
	byRow        int       // proven by database
	total        int
	skipped      int // in a dry run they can be reached, else nothing was tried
	ignoredLinks int // not part of total
	unproven     map[linkCause]*unprovenPeers
	failures     []rotate.TenantReport
	spared       int                 // a signal came before they had another key, or it was undone
	changed      bool                // some have another key
	youngest     time.Time           // of the keys of those, zero if none is known
	notDone      int                 // included in those that failed: a signal came before they were changed
	interrupted  int                 // the others of those that failed because of a signal
	leftOut      int                 // included in those that are kept: because others failed, or of a signal
	hinted       bool                // the end says how to go on after a signal
	notes        []string            // of tenants that did not fail
	warned       map[string][]string // tenants, by what they are warned of
	delayed      []string            // lines that are written once something happens
	check        *checkSummary
	doctor       *doctorText // of doctor
}

// NewArray is the printer of an array.
func NewArray(out *Printer) *Array {
	a := &Array{Printer: out, outcomes: map[rotate.Outcome]int{}, unproven: map[linkCause]*unprovenPeers{}, warned: map[string][]string{}}
	if out.Options.JSON {
		a.json = &jsonStream{w: out.stdout, head: out.Document(0, nil)}
	}
	if out.Options.Command.Row().Prints == cmdline.PrintsState {
		a.check = newCheckSummary(out)
	}
	if out.Options.Command.Row().Prints == cmdline.PrintsFindings {
		a.doctor = newDoctorText(out.Options.Verbose, true)
	}
	return a
}

// Begin says what is going to be done.
func (a *Array) Begin(selected, members int) {
	a.tenants, a.phaseStarted = selected, time.Now()
	what := "to " + a.Options.Command.Row().To
	if a.Options.Due.OnlyIfDue {
		what = "to look at (keys that are due are renewed)"
	}
	a.say("%s %s, in an array of %s", count(selected, "tenant"), what, count(members, "site"))
}

// SayLeftOut says which sites or files the run does not work on, and why.
func (a *Array) SayLeftOut(all []LeftOut) {
	for _, l := range all {
		if !l.None() {
			a.Log.Debug().Strs(l.Kind, l.Names).Msg("left out: " + l.Why)
			a.say("%s", l)
		}
	}
}

// say writes a line for people that is not a result: scripts get no such line. A job that may have
// nothing to do keeps its lines back until it has something to do.
func (a *Array) say(format string, args ...any) {
	if a.Options.Quiet || a.Options.JSON || a.check != nil {
		return
	}
	a.delayed = append(a.delayed, fmt.Sprintf(format+"\n", args...))
	if !a.nothingHappened(rotate.Kept, rotate.ExitOK) {
		a.sayHeld()
	}
}

func (a *Array) sayHeld() {
	a.write(strings.Join(a.delayed, ""))
	a.delayed = nil
}

// phaseWords say what happens in the phases of rotate.Array.
var phaseWords = map[string]string{
	"check": "checked", "ask": "local sites tested", "tell": "pushed by database",
	"repair": "rows of other sites repaired", "prove": "links tested and reported",
	"read": "read", "look": "rows of peers read", "examine": "examined", "plan": "peers tested",
}

// phaseWordsOfStatus and phaseWordsWithoutCalls replace them if no local site is called in these
// phases.
var (
	phaseWordsOfStatus     = map[string]string{"ask": "other sites read", "prove": "reported"}
	phaseWordsWithoutCalls = map[string]string{"ask": "databases read"}
)

// phaseWord says what has happened in a phase.
func (a *Array) phaseWord(name string) string {
	switch row := a.Options.Command.Row(); {
	case name == "canary":
		return row.Done + " first"
	case name == "renew":
		return row.Done
	case row.Prints == cmdline.PrintsStored && !a.Options.Live:
		return cmp.Or(phaseWordsOfStatus[name], phaseWords[name])
	case row.Prints == cmdline.PrintsFindings, a.Options.SelfCheck == rotate.SelfCheckOff:
		return cmp.Or(phaseWordsWithoutCalls[name], phaseWords[name])
	}
	return phaseWords[name]
}

// Phase draws progress on a terminal, and writes a line at the end of a phase. What was stopped was
// neither done, nor has it failed.
func (a *Array) Phase(name string, p rotate.Progress) {
	line := fmt.Sprintf("%s %d/%d", a.phaseWord(name), p.Done-p.Stopped, p.Total)
	if p.Failed > 0 {
		line += fmt.Sprintf(", %d failed", p.Failed)
	}
	if p.Stopped > 0 {
		line += fmt.Sprintf(", %d not done", p.Stopped)
	}
	took := time.Since(a.phaseStarted)
	if name == "canary" || name == "renew" {
		a.sayHeld()
	}
	if p.Done < p.Total {
		if a.live {
			left := took / time.Duration(p.Done) * time.Duration(p.Total-p.Done)
			fmt.Fprintf(a.Stderr, "\r\x1b[K%s, about %s left", line, left.Round(time.Second))
		}
		return
	}
	if a.live {
		fmt.Fprint(a.Stderr, "\r\x1b[K")
	}
	a.say("%s (%s)", line, took.Round(10*time.Millisecond))
	a.phaseStarted = time.Now()
}

// Tenant takes a tenant's report: it is streamed as JSON, or else counted.
func (a *Array) Tenant(r rotate.TenantReport) {
	a.outcomes[r.Outcome]++
	switch {
	case r.LeftOut(), a.onlyChecked(r):
		a.leftOut++
	case r.NotDue && r.Outcome == rotate.Kept:
		a.notDue++
		if r.DueAt.After(a.Started) && (a.nextDue.IsZero() || r.DueAt.Before(a.nextDue)) {
			a.nextDue = r.DueAt
		}
	}
	ExplainFindings(&r)
	a.advise(&r)
	a.ignored.add(r)
	a.Sinks.add(r)
	if a.json != nil {
		a.json.tenant(a.Completed(r))
	}
	if a.check != nil {
		a.check.add(r)
	}
	a.note(r)
	for _, p := range r.Peers {
		if p.Outcome == rotate.Ignored {
			a.ignoredLinks++
			continue
		}
		a.total++
		switch {
		case p.Outcome.Proven():
			a.proven++
			if p.Reason == rotate.ReasonDatabase {
				a.byRow++
			}
		case p.Outcome == rotate.Skipped:
			a.skipped++
		default:
			a.addUnproven(r.Wwwroot, p)
		}
	}
	a.changed = a.changed || r.Outcome == rotate.Renewed || r.Outcome == rotate.Failed && r.Exit == rotate.ExitLocalSite
	if a.notBegun(r) || a.isRestored(r) {
		a.spared++
		if c := r.Certificate; c != nil && c.NotBefore != nil && c.NotBefore.After(a.youngest) {
			a.youngest = *c.NotBefore
		}
	}
	switch {
	case !r.Interrupted():
	case r.NotDone():
		a.notDone++
	default:
		a.interrupted++
	}
	if r.Err != nil && len(r.Findings) == 0 {
		r.Peers = nil
		a.failures = append(a.failures, r)
	}
}

// onlyChecked reports whether a push was ended before it came to a link of the tenant: its outcome is
// that of a push all the same, since its key is as it was.
func (a *Array) onlyChecked(r rotate.TenantReport) bool {
	row := a.Options.Command.Row()
	if !row.Changes || row.Good != rotate.Kept || a.Options.DryRun || r.Outcome != rotate.Kept || r.Err != nil || len(r.Peers) == 0 {
		return false
	}
	return !slices.ContainsFunc(r.Peers, func(p rotate.PeerReport) bool {
		return p.Outcome != rotate.Ignored && p.Reason != rotate.ReasonInterrupted
	})
}

// note keeps the notes on a tenant that did not fail. What doctor has to say is completely in its
// findings, also for a tenant that failed.
func (a *Array) note(r rotate.TenantReport) {
	switch {
	case a.doctor != nil:
		a.doctor.add(r)
		return
	case a.Options.Command.Row().Prints == cmdline.PrintsStored && r.Err == nil:
		a.notes = append(a.notes, statusLine(r, a.Started))
	}
	if r.SelfCheck == rotate.SelfNoRC4 {
		a.notes = append(a.notes, fmt.Sprintf("%s: local site %s\n  next: %s\n", printable.Line(r.Wwwroot, 0), ownSite(r), rotate.SelfNoRC4.NextStep()))
	}
	for _, w := range r.Warnings {
		a.warned[w] = append(a.warned[w], r.Wwwroot)
	}
}

// Finish closes the JSON document, or writes the summary: failures first. It gives the exit code,
// which is a special one for check.
func (a *Array) Finish(code int, err error) int {
	if err != nil { // no tenant was reached
		a.Tenant(Failed("", code, err))
	}
	if a.check != nil {
		code = a.check.close(a.Printer)
	}
	code = a.settled(code)
	a.hinted = err == nil && (code > 128 || slices.ContainsFunc(a.failures, a.saidAtTheEnd))
	switch {
	case a.json != nil:
		code = a.Close(code) // the exit code is part of the Document
		a.json.close(a.Document(code, nil))
	case a.check != nil:
		a.write(a.check.String())
		return a.settled(code)
	case err != nil:
	case (!a.Options.Quiet || code != rotate.ExitOK) && (len(a.notes)+len(a.warned) > 0 || !a.nothingHappened(a.overall(), code)):
		a.sayHeld()
		a.write(a.summary())
		a.tellUnmatched()
	}
	switch {
	case err != nil && code > 128:
		a.failHinted(err, hintUnchanged)
	case err != nil:
		a.fail(err)
	case a.hinted:
		a.Tell("hint: %s", a.Complete(a.interruptedHint(), ""))
	}
	return a.settled(code)
}

// overall is kept if every tenant was kept.
func (a *Array) overall() rotate.Outcome {
	if a.outcomes[rotate.Kept] == a.tenants {
		return rotate.Kept
	}
	return rotate.Renewed
}
