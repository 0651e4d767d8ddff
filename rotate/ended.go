package rotate

import (
	"context"
	"errors"
	"strings"
	"time"
)

// Ended is what ended the run, instead of the error that this caused; err if the run goes on. After
// a deadline it also says which database did not answer until then, however soon that was.
func Ended(ctx context.Context, err error) error {
	late := over(ctx)
	cause := context.Cause(ctx)
	switch {
	case late == nil:
		return err
	case errors.As(err, new(*lateError)):
		return err
	case !errors.Is(late, context.DeadlineExceeded), !errors.Is(err, late), err.Error() == late.Error(), errors.As(err, new(*Failure)):
		return cause
	}
	return &lateError{cause, err}
}

// over is ctx.Err(). The timer of a connection may be earlier than that of the context whose deadline
// the connection has: over waits for the latter.
func over(ctx context.Context) error {
	if deadline, limited := ctx.Deadline(); limited && time.Until(deadline) <= 0 {
		<-ctx.Done()
	}
	return ctx.Err()
}

// lateError is a deadline with what it has cut short. What that error says of a database or a site
// is not known, so it is not wrapped.
type lateError struct{ cause, what error }

func (e *lateError) Error() string {
	return e.cause.Error() + ": " + strings.TrimSuffix(e.what.Error(), ": "+context.DeadlineExceeded.Error())
}

func (e *lateError) Unwrap() error { return e.cause }

// Stop is an error that ends a run, and that is no failure of the tenants that were not worked on:
// a signal, the deadline, or too many failures of others.
type Stop interface {
	error
	StopsRun()
}

// IsStopped reports whether an error is because of a Stop.
func IsStopped(err error) bool {
	var stop Stop
	return errors.As(err, &stop)
}

// Interrupted reports whether a Stop came before the work on the tenant ended. It is no failure,
// for which Outcome has no word of its own.
func (r *TenantReport) Interrupted() bool { return r.Outcome == Failed && IsStopped(r.Err) }

// NotDone reports whether a Stop came before the tenant was changed: what the command does was not
// done to it.
func (r *TenantReport) NotDone() bool {
	return r.LeftOut() || r.Interrupted() && r.Exit != ExitLocalSite
}

// Rank orders tenants that have an error: what made a Stop, 0, is to be read before the tenants to
// which nothing was done because of it, 1.
func (r *TenantReport) Rank() int {
	if r.NotDone() {
		return 1
	}
	return 0
}

// LeftOut reports whether a Stop came before anything was done to the tenant.
func (r *TenantReport) LeftOut() bool { return r.Outcome == Kept && IsStopped(r.Err) }
