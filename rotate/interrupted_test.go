package rotate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// interruptible are the runs of one tenant that ask the local site.
var interruptible = map[string]func(*Renewal, context.Context) TenantReport{
	"renew":  (*Renewal).Run,
	"push":   (*Renewal).Distribute,
	"verify": (*Renewal).Verify,
	"doctor": (*Renewal).Diagnose,
}

// A call that was cut short says nothing about the site: whoever reads that no web server answers
// looks for a fault that is not there.
func TestARunThatEndsBeforeTheLocalSiteHasAnsweredDoesNotCallItUnreachable(t *testing.T) {
	stop := errors.New("interrupted by SIGINT")
	for name, run := range interruptible {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.addPeer(peerA, fakePeer{})
			ctx, cancel := context.WithCancelCause(t.Context())
			w.on = func(e string) {
				if e == "prove "+ownURL {
					cancel(stop)
					w.unreachable = true
				}
			}
			report := run(w.renewal(Options{}), ctx)
			if report.SelfCheck != SelfSkipped || len(report.Nodes) > 0 {
				t.Errorf("the local site: %s, its web servers: %+v", report.SelfCheck, report.Nodes)
			}
			says := func(f Finding) bool { return strings.Contains(f.Detail, stop.Error()) }
			if !errors.Is(report.Err, stop) && !slices.ContainsFunc(report.Findings, says) {
				t.Errorf("it does not say what ended it: %v, %+v", report.Err, report.Findings)
			}
			if slices.ContainsFunc(report.Findings, func(f Finding) bool { return f.Code == "own_unreachable" }) {
				t.Errorf("findings: %+v", report.Findings)
			}
		})
	}
}

// "context canceled" tells an operator nothing, and what ended the run decides about the hint.
func TestARunThatEndsWhileTheTenantIsReadSaysWhatEndedIt(t *testing.T) {
	stop := errors.New("interrupted by SIGINT")
	for name, run := range interruptible {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			w.on = func(e string) {
				if e == "read" {
					cancel(stop)
					w.readErr = context.Canceled
				}
			}
			report := run(w.renewal(Options{}), ctx)
			if !errors.Is(report.Err, stop) || strings.Contains(report.Error, context.Canceled.Error()) {
				t.Errorf("it says %q", report.Error)
			}
			if slices.ContainsFunc(report.Findings, func(f Finding) bool { return strings.Contains(f.Next, "database") }) {
				t.Errorf("findings that blame the database: %+v", report.Findings)
			}
		})
	}
}

// It is not known whether the rows were written, but why is: the database is well, and a push ends
// the work.
func TestACommitThatASignalHasCutShortIsNoFaultOfTheDatabase(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupted by SIGINT"))
	err := fmt.Errorf("store the peers' certificates: %w", ErrUncertain)
	if f := databaseFailure(ctx, "its database: ", err); f.Reason != ReasonInterrupted {
		t.Errorf("after a signal: %v", f)
	}
	if f := databaseFailure(t.Context(), "its database: ", err); f.Reason != ReasonDatabase {
		t.Errorf("without a signal: %v", f)
	}
}

// The advice is that of the database's error, if it has one. A command in it would be completed for
// another site than the one whose database it is.
func TestTheNextStepAfterAnErrorOfAMembersDatabase(t *testing.T) {
	other := &OtherSiteError{Wwwroot: "https://a.example", Row: "https://b.example"}
	errOfCommand := &hinted{"unreadable", "run: sudo -u games renew_mnetkeys …"}
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"a password that is refused", hinting{errors.New("access denied")}, "name the server that takes writes. Then run: renew_mnetkeys push"},
		{"an error without advice", errDown, ReasonDatabase.NextStep(true)},
		{"a database of another site", other, other.Hint() + " --host=https://a.example"},
		{"a command", errOfCommand, ReasonDatabase.NextStep(true)},
		{"no answer in time", context.DeadlineExceeded, "the database or the site did not answer in time: check whether they run. Then run: renew_mnetkeys push"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := databaseFailure(t.Context(), "its database: ", fmt.Errorf("open: %w", c.err))
			if f.Reason != ReasonDatabase || !f.Pending || f.Next != c.want || !strings.HasPrefix(f.Detail, "its database: open: ") {
				t.Errorf("%+v", f)
			}
		})
	}
}

// A deadline hides nothing of the database that did not answer; a signal says nothing about it, nor
// does a database that was not asked any more.
func TestWhatADeadlineHasCutShort(t *testing.T) {
	deadline, signal := errors.New("the run's --deadline has passed"), errors.New("interrupted by SIGINT")
	late, cancel := context.WithDeadlineCause(t.Context(), time.Unix(0, 0), deadline)
	defer cancel()
	stopped, stop := context.WithCancelCause(t.Context())
	stop(signal)
	hangs := fmt.Errorf("connect: %w", fmt.Errorf("database a: no answer in time: %w", context.DeadlineExceeded))
	for _, c := range []struct {
		name  string
		ctx   context.Context
		err   error
		want  string
		cause error
	}{
		{"the run goes on", t.Context(), hangs, hangs.Error(), context.DeadlineExceeded},
		{"a database hangs", late, hangs, deadline.Error() + ": connect: database a: no answer in time", deadline},
		{"the same, once more", late, fmt.Errorf("read: %w", Ended(late, hangs)), "read: " + deadline.Error() + ": connect: database a: no answer in time", deadline},
		{"nothing was asked any more", late, context.DeadlineExceeded, deadline.Error(), deadline},
		{"a site hangs", late, &UnreachableError{Failure: &Failure{Reason: ReasonTimeout, Err: context.DeadlineExceeded}}, deadline.Error(), deadline},
		{"a signal", stopped, fmt.Errorf("connect: %w", context.Canceled), signal.Error(), signal},
	} {
		if got := Ended(c.ctx, c.err); got.Error() != c.want || !errors.Is(got, c.cause) {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if f := databaseFailure(late, "its database: ", hangs); f.Reason != ReasonInterrupted || !strings.HasSuffix(f.Detail, "database a: no answer in time") {
		t.Errorf("%+v", f)
	}
}

// stop is a signal.
type stop struct{ error }

func (stop) StopsRun() {}

// A tenant that was not begun has not failed, whether a signal is the reason or another tenant.
func TestTheProgressOfAnArrayCountsNoStopAsAFailure(t *testing.T) {
	for name, c := range map[string]struct {
		options ArrayOptions
		spoil   func(*fleet, func(error))
		phase   string
		want    Progress
	}{
		"a signal before the canary": {ArrayOptions{Canary: 1}, func(f *fleet, cancel func(error)) {
			f.on = func(e string) {
				if strings.HasPrefix(e, "prove") {
					cancel(stop{errors.New("interrupted by SIGINT")})
				}
			}
		}, "canary", Progress{Done: 1, Total: 1, Stopped: 1}},
		"a canary that fails": {ArrayOptions{Canary: 1, Parallel: 1}, func(f *fleet, _ func(error)) { f.sites[0].sticky = true },
			"renew", Progress{Done: 2, Total: 2, Stopped: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, 3)
			ctx, cancel := context.WithCancelCause(t.Context())
			c.spoil(f, cancel)
			a := f.array(c.options, 0, 1, 2)
			last := map[string]Progress{}
			a.Phase = func(phase string, p Progress) { last[phase] = p }
			a.Run(ctx)
			if last[c.phase] != c.want {
				t.Errorf("%+v", last)
			}
		})
	}
}
