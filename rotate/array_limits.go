package rotate

import (
	"fmt"
	"sync"
)

func cmpErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// limitError is why no other tenant is renewed after failures.
type limitError struct{ problem string }

func (e *limitError) Error() string { return e.problem }

// StopsRun implements Stop.
func (*limitError) StopsRun() {}

// failureLimit stops a run before damage spreads. It is safe for concurrent use.
type failureLimit struct {
	max  int  // number of failures while keys are renewed that stops the run; 0: no limit
	full bool // any failure stops the run
	mu   sync.Mutex
	n    int
	// cause is what stopped the run first: only that failure is the reason for which other tenants
	// are left out.
	cause error
}

// limit is that of one run.
func (a *Array) limit() *failureLimit { return &failureLimit{max: a.MaxFailures, full: a.FullStop} }

// checked takes a tenant that was checked, and that has perhaps failed.
func (f *failureLimit) checked(t *renewing) {
	if f.full && t.failed() {
		f.stop("%s failed, and --fullstop stops then", t.member.Wwwroot)
	}
}

// renewed takes a tenant whose renewal was tried, and that has perhaps failed.
func (f *failureLimit) renewed(t *renewing) {
	f.checked(t)
	if f.max == 0 || !t.failed() {
		return
	}
	f.mu.Lock()
	f.n++
	n := f.n
	f.mu.Unlock()
	switch {
	case n == 1 && f.max == 1:
		f.stop("%s failed, and --max-failures=1 stops then", t.member.Wwwroot)
	case n == f.max:
		f.stop("%d tenants failed, and --max-failures=%d stops then", n, f.max)
	}
}

// stop stops the run, unless something else has stopped it before.
func (f *failureLimit) stop(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cause == nil {
		f.cause = &limitError{fmt.Sprintf(format, args...)}
	}
}

// reached gives the reason why nothing more may be begun, nil if it may.
func (f *failureLimit) reached() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cause
}

// failed reports whether the tenant failed by itself, and was not only stopped.
func (t *renewing) failed() bool { return t.report.Err != nil && !IsStopped(t.report.Err) }

// leaveOut is for a tenant on which nothing is done because of a failure elsewhere, or a signal.
func (a *Array) leaveOut(t *renewing, cause error) {
	err := fmt.Errorf("not %s: %w", a.doneWord(t), cause)
	t.report.Outcome, t.report.Exit, t.report.NotDue = Kept, ExitNotRenewed, false
	t.report.Err, t.report.Error, t.current = err, err.Error(), nil
}

// doneWord is what would have been done to a tenant that is left out.
func (a *Array) doneWord(t *renewing) string {
	switch {
	case a.PushOnly, t.kept:
		return "pushed"
	case a.RollBack:
		return "rolled back"
	case a.Template.MovedFrom != "":
		return "moved"
	}
	return "renewed"
}

// leaveOutRest leaves out the tenants whose keys are as they were, after a failure for which
// --fullstop stops the run: to push their keys would be to begin something. Keys that were renewed
// before the failure are pushed all the same, since their web servers use them already.
func (a *Array) leaveOutRest(tenants []*renewing, failures *failureLimit) {
	cause := failures.reached()
	if !a.FullStop || cause == nil {
		return
	}
	for _, t := range tenants {
		if t.report.Err == nil && t.report.Outcome != Renewed {
			a.leaveOut(t, cause)
		}
	}
}

// exitCount computes one exit code from those of the tenants.
type exitCount map[int]int

func (e exitCount) add(r TenantReport) {
	code := r.Exit
	if code == ExitOK && r.Err != nil {
		code = ExitNotRenewed
	}
	e[code]++
}

// code: a local site that does not use its key is the worst. If some tenants were renewed, any
// other failure makes a 3; if none was, the code is that of the failure that all share.
func (e exitCount) code() int {
	total := 0
	for _, n := range e {
		total += n
	}
	switch {
	case total == 0: // a shard may be empty
		return ExitOK
	case e[ExitLocalSite] > 0:
		return ExitLocalSite
	}
	for code, n := range e {
		if n == total {
			return code
		}
	}
	if e[ExitOK]+e[ExitPeers] > 0 {
		return ExitPeers
	}
	return ExitNotRenewed
}
