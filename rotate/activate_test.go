package rotate

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A hook may reload a web server: its runs have enough time between them, and a refilled cache is
// dropped by the second run.
func TestACacheHookIsRunSeldom(t *testing.T) {
	for name, c := range map[string]struct {
		breakIt func(*world)
		want    []Scope // of the runs until the pair is stored again, or until the end
		undone  bool
	}{
		"it works":                             {func(*world) {}, []Scope{ScopeEntry}, false},
		"a request refills the cache after it": {func(w *world) { old := w.tenant.Pair; w.refill = func() { w.refill, w.cached = nil, &old } }, []Scope{ScopeEntry, ScopeDefinition}, false},
		"it does nothing":                      {func(w *world) { w.sticky = true }, []Scope{ScopeEntry, ScopeDefinition, ScopePHP}, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			old := w.tenant.Pair
			w.cached = &old
			c.breakIt(w)
			r := w.renewal(Options{})
			cache := &countedHook{world: w}
			r.Cache = cache
			r.Sleep = func(ctx context.Context, d time.Duration) error { cache.now += d; return ctx.Err() }
			if report := r.Run(t.Context()); (report.Outcome == Undone) != c.undone {
				t.Fatalf("%s: %v", report.Outcome, report.Err)
			}
			got := cache.runs
			if c.undone { // the undoing has its own runs, one for each scope
				got = got[:min(len(got), len(c.want))]
				if len(cache.runs) > 2*len(hookLadder) {
					t.Errorf("%d runs", len(cache.runs))
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			for i := 1; i < len(cache.at); i++ {
				if apart := cache.at[i] - cache.at[i-1]; apart < time.Second {
					t.Errorf("run %d comes %v after the one before", i, apart)
				}
			}
		})
	}
}

// countedHook records when it was run.
type countedHook struct {
	*world
	now  time.Duration
	runs []Scope
	at   []time.Duration
}

func (*countedHook) Hooked() bool { return true }

func (h *countedHook) Drop(ctx context.Context, site string, scope Scope) error {
	h.runs, h.at = append(h.runs, scope), append(h.at, h.now)
	return h.world.Drop(ctx, site, scope)
}

// A signal also ends the hook or the PHP that purges the cache: the error names the signal first.
func TestAnUndoneRunThatWasInterruptedSaysSo(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(context.Context) (context.Context, func())
		says bool
	}{
		"a signal": {func(ctx context.Context) (context.Context, func()) {
			ctx, cancel := context.WithCancelCause(ctx)
			return ctx, func() { cancel(errors.New("interrupted by SIGTERM")) }
		}, true},
		"nothing": {func(ctx context.Context) (context.Context, func()) { return ctx, func() {} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			old := w.tenant.Pair
			w.sticky = true
			ctx, end := c.end(t.Context())
			w.on = func(event string) {
				if event == "store" {
					end()
				}
			}
			report := w.renewal(Options{}).Run(ctx)
			if report.Outcome != Undone || w.tenant.Pair != old || !errors.Is(report.Err, ErrUndone) {
				t.Errorf("%+v", report)
			}
			if says := strings.HasPrefix(report.Error, "interrupted by SIGTERM: the old key was restored"); says != c.says {
				t.Error(report.Error)
			}
		})
	}
}

// A push refuses a pair that differs from the local host row, so the command after the purge is a
// renewal.
func TestTheHintForASiteThatDoesNotFollowIsACommandThatWorks(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*world)
		want  string
	}{
		"pair and row agree":  {func(*world) {}, "purge_caches.php && renew_mnetkeys push"},
		"pair and row differ": {func(w *world) { w.tenant.Own.Certificate = w.otherPair().Certificate }, "purge_caches.php && renew_mnetkeys"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.sticky, w.cached = true, w.otherPair()
			c.spoil(w)
			report := w.renewal(Options{}).Run(t.Context())
			if report.Exit != ExitLocalSite || !strings.HasSuffix(HintOf(report.Err), c.want) {
				t.Errorf("exit %d, %v, hint %q", report.Exit, report.Err, HintOf(report.Err))
			}
		})
	}
}

// A renewal that was undone for something else than a cache: no purge and no hook would help.
func TestAnUndoneRenewalIsExplainedByItsCause(t *testing.T) {
	for reason, hint := range map[Reason]string{ReasonClock: "by NTP", ReasonUnknownToPeer: "write the wwwroot exactly as the site does", ReasonFault7025: "before the next run, add a --cache-hook"} {
		w := newWorld(t)
		stores := 0
		w.on = func(e string) {
			if e == "store" {
				stores++
			}
		}
		w.answer = func(string, int) *Failure {
			if stores == 1 { // until the old key is put back
				return &Failure{Reason: reason}
			}
			return nil
		}
		report := w.renewal(Options{}).Run(t.Context())
		if report.Outcome != Undone || report.Exit != ExitNotRenewed || !strings.Contains(HintOf(report.Err), hint) {
			t.Errorf("%s: exit %d, %s: %v; %s", reason, report.Exit, report.Outcome, report.Err, HintOf(report.Err))
		}
	}
}
