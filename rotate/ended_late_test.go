package rotate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// lateTimer is a context whose deadline has passed, and whose timer has not fired yet.
type lateTimer struct{ context.Context }

func (lateTimer) Deadline() (time.Time, bool) { return time.Now().Add(-time.Millisecond), true }

func (l lateTimer) Err() error {
	if l.Context.Err() != nil {
		return context.DeadlineExceeded
	}
	return nil
}

type hintedStop struct{}

func (hintedStop) Error() string { return "the deadline has passed" }
func (hintedStop) Hint() string  { return "give the run more time" }
func (hintedStop) StopsRun()     {}

// timedOut is a connection whose own timer has fired at the same deadline.
type timedOut struct{}

func (timedOut) Error() string { return "no answer in time" }
func (timedOut) Hint() string  { return "check the firewall" }
func (timedOut) Unwrap() error { return errors.Join(os.ErrDeadlineExceeded, context.DeadlineExceeded) }

func TestATimeOutAtTheDeadlineIsThatOfTheRunHoweverLateItsTimer(t *testing.T) {
	for name, check := range map[string]func(context.Context, error) (reason Reason, next string){
		"an error of a database": func(ctx context.Context, err error) (Reason, string) {
			ended := Ended(ctx, err)
			if !IsStopped(ended) {
				t.Errorf("no stop: %v", ended)
			}
			return ReasonInterrupted, HintOf(ended)
		},
		"a link": func(ctx context.Context, err error) (Reason, string) {
			f := databaseFailure(ctx, "its database: ", err)
			return f.Reason, f.Next
		},
		"a peer": func(ctx context.Context, _ error) (Reason, string) {
			p := PeerReport{Outcome: Pending, Reason: ReasonTimeout}
			p.interruptedBy(ctx)
			return p.Reason, ""
		},
	} {
		t.Run(name, func(t *testing.T) {
			parent, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(20*time.Millisecond, func() { cancel(hintedStop{}) })
			reason, next := check(lateTimer{parent}, fmt.Errorf("open the register: %w", timedOut{}))
			if reason != ReasonInterrupted || strings.Contains(next, "firewall") {
				t.Errorf("%s, next %q", reason, next)
			}
		})
	}
}

func TestAHintThatIsAQuestionHasNoFullStop(t *testing.T) {
	for hint, want := range map[string]string{
		"is it Moodle's database?": "is it Moodle's database? Then run: renew_mnetkeys push",
		"check dbhost":             "check dbhost. Then run: renew_mnetkeys push",
	} {
		if got := nextOfDatabase(&hinted{"lost", hint}); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestThatTheKeyWasNotChangedIsSaidOnce(t *testing.T) {
	parent, cancel := context.WithCancelCause(t.Context())
	cancel(hintedStop{})
	ctx := lateTimer{parent}
	err := stoppedOr(ctx, fmt.Errorf("read the tenant: %w", timedOut{}))
	for range 2 { // the steps that pass it on
		err = stoppedOr(ctx, err)
	}
	if want := "stopped before anything was changed: the deadline has passed: read the tenant: no answer in time"; err.Error() != want {
		t.Errorf("%v", err)
	}
	if !IsStopped(err) || HintOf(err) != "give the run more time" {
		t.Errorf("stop %v, hint %q", IsStopped(err), HintOf(err))
	}
}
