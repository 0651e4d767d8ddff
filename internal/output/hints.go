package output

import (
	"errors"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/rotate"
)

// hintUnchanged is for a run that a signal has ended before it could change anything.
const hintUnchanged = "nothing was changed: start it again at any time"

// hintAllProven is for a run that a signal has ended after its last proof.
const hintAllProven = "every link is proven: nothing is left to do"

// hintNotBegun is for a tenant whose key a signal has spared.
const hintNotBegun = "the key was not changed: the same command can be started again at any time"

// advise sets the hints for a tenant and each of its peers, unless rotate has set them.
func (out *Printer) advise(r *rotate.TenantReport) {
	if r.Hint == "" {
		r.Hint = out.hintOf(*r)
	}
	if r.Err != nil {
		r.Err = out.Options.LocatedByName(r.Err)
		r.Error = r.Err.Error()
	}
	if r.Hint == "" && r.Err == nil && (r.SelfCheck == rotate.SelfUnreachable || r.SelfCheck == rotate.SelfNoRC4) {
		_, r.Hint = r.LocalSite()
	}
	if r.Moved != nil && out.Options.Redact { // the certificate in the message names the site
		r.Moved = &rotate.MoveReport{From: r.Moved.From}
	}
	changes := out.Options.Command.Row().Changes
	for i := range r.Peers {
		p := &r.Peers[i]
		if p.Next == "" {
			p.Next = r.NextStep(*p, changes)
		}
		if p.Reason == rotate.ReasonInterrupted && !changes {
			p.Next = nextLookAgain
		}
		p.Next = out.pushInstead(p.Next)
	}
	for i := range r.Findings {
		if f := &r.Findings[i]; f.Code == "peer_"+string(rotate.ReasonInterrupted) {
			f.Next = nextLookAgain
		}
	}
}

// pushInstead advises a push where the next step of a link is to run the command again: what its key
// needs is to be pushed and proven. To make one more key, or to go back to the retired one, is no
// cure of a link. A move, and --bindhost, do what a push does not.
func (out *Printer) pushInstead(next string) string {
	row := out.Options.Command.Row()
	switch {
	case len(out.Options.BindHost) > 0 && out.Options.DryRun: // which connects nothing
		return adviceOf(next).insteadOfAgain(really)
	case !row.Changes || row.Single || len(out.Options.BindHost) > 0:
		return next
	}
	return adviceOf(next).insteadOfAgain(push)
}

// really is a command that is repeated, and that is no dry run then.
func really(c command) command { c.change = forReal; return c }

func push(c command) command { return command{user: c.user, line: tool + " push"} }

// nextLookAgain is the next step for a link that a command which only looks did not come to.
const nextLookAgain = "the command ended before this link was tested. Start it again; if --deadline ended it, with more time"

// Completed is the report with the commands of its hints completed for this tenant. Texts about
// several tenants keep the general form.
func (out *Printer) Completed(r rotate.TenantReport) rotate.TenantReport {
	r.Hint = out.Complete(r.Hint, r.Wwwroot)
	r.Peers, r.Findings = slices.Clone(r.Peers), slices.Clone(r.Findings)
	for i := range r.Peers {
		r.Peers[i].Next = out.Complete(r.Peers[i].Next, r.Wwwroot)
	}
	for i := range r.Findings {
		r.Findings[i].Next = out.Complete(r.Findings[i].Next, r.Wwwroot)
	}
	return r
}

// hintOf is what to do about a tenant's error. After a signal it is a push, whatever else the
// signal has interrupted, if the key was changed: renewing again would only retire one more key. If the
// old key had to be restored, the next run needs what this one lacked.
func (out *Printer) hintOf(r rotate.TenantReport) string {
	var sig *SignalError
	hint := rotate.HintOf(r.Err)
	switch {
	case !savesKeys(r.Err):
	case out.rollsBack(), out.renews() && isPushable(r.Err):
		hint = adviceOf(hint).insteadOfAgain(push)
	case out.Options.DryRun: // which saves nothing
		hint = adviceOf(hint).insteadOfAgain(really)
	}
	switch {
	case out.isRestored(r):
		return hint
	case out.notBegun(r):
		return hintNotBegun
	case r.Exit != rotate.ExitLocalSite && errors.As(r.Err, &sig):
		return interruptedHint(out.Options)
	}
	return hint
}

// rollsBack reports whether a run that is repeated would bring back the key that it has retired.
func (out *Printer) rollsBack() bool {
	row := out.Options.Command.Row()
	return row.Good == rotate.Renewed && !row.MakesKey
}

// renews reports whether a run that is repeated would make one more key, and do nothing else.
func (out *Printer) renews() bool {
	row := out.Options.Command.Row()
	return row.MakesKey && !row.Single && len(out.Options.BindHost) == 0
}

// isPushable reports whether a push saves the key that only a cache may have.
func isPushable(err error) bool {
	var only *rotate.OnlyCopyError
	return errors.As(err, &only) && only.Pushable
}

// savesKeys reports whether the hint is to run the command on each web server.
func savesKeys(err error) bool {
	var away *rotate.UnreachableError
	return errors.Is(err, rotate.ErrOnlyCopy) || errors.As(err, &away) && away.Off
}

// notBegun reports whether a signal came before the tenant's key was changed by a command that
// changes keys.
func (out *Printer) notBegun(r rotate.TenantReport) bool {
	var sig *SignalError
	row := out.Options.Command.Row()
	return out.Options.Writes() && row.Good == rotate.Renewed && r.Exit != rotate.ExitLocalSite &&
		(r.Outcome == rotate.Kept || r.Outcome == rotate.Failed) && errors.As(r.Err, &sig)
}

// isRestored reports whether a signal came, and the tenant has its old key again.
func (out *Printer) isRestored(r rotate.TenantReport) bool {
	return r.Outcome == rotate.Undone && errors.As(r.Err, new(*SignalError))
}

// interruptedHint is what to do after a run that was ended by a signal, and has changed keys.
func interruptedHint(o cmdline.Options) string {
	switch row := o.Command.Row(); {
	case !row.Changes || o.DryRun:
		return hintUnchanged
	case row.Single:
		return "push and --if-due do not finish it: only the same command gives the new wwwroot to the rows at the other sites of the array. It makes no other key once one is stored. To finish, run: " + again
	}
	return "no new key is needed: push distributes and proves the stored key (for cron: --if-due does so too). To finish, " + pushHint(o)
}

// pushHint is the push for the sites of the run.
func pushHint(o cmdline.Options) string {
	push := "run: renew_mnetkeys push"
	if o.All {
		push += " --all"
	}
	if o.All && o.Array.WithMaster {
		push += " --withmaster"
	}
	return push
}

// ExplainFindings adds to the diagnosis of a tenant that could not be read what that diagnosis does
// not know: which tenant it is, and the advice of the database's error.
func ExplainFindings(report *rotate.TenantReport) {
	for i := range report.Findings {
		f := &report.Findings[i]
		if f.Subject == "" {
			f.Subject = report.Wwwroot
		}
		if hint := rotate.HintOf(report.Err); report.Err != nil && hint != "" {
			f.Next = hint
		}
	}
}

// SignalError is the cause of a context that was ended by a signal.
type SignalError struct{ Signal syscall.Signal }

func (e *SignalError) Error() string { return "interrupted by " + unix.SignalName(e.Signal) }

// StopsRun implements rotate.Stop.
func (*SignalError) StopsRun() {}
