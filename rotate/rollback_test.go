package rotate

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// VMoodle's PHP script has overwritten the pair, and only the cache has the one in use: the run puts
// it into the history before it can see that it is the newest there, and not the one agreed to.
func TestARollBackThatHasKeptAKeyDoesNotSayThatNothingWasChanged(t *testing.T) {
	w := newWorld(t)
	w.renewed(t)
	asked := w.renewal(Options{}).Status(t.Context(), false).Back.SHA256
	inUse := storedPair(testPair(t, ownURL, clock.AddDate(0, 0, -3)))
	w.cached = &inUse
	before := w.tenant.Pair
	report := w.renewal(Options{Asked: map[string]string{ownURL: asked}}).RollBack(t.Context())
	if !errors.Is(report.Err, ErrOtherThanAsked) || report.Exit != ExitNotRenewed || w.tenant.Pair != before || !w.hasRetired(inUse) {
		t.Fatalf("exit %d: %v", report.Exit, report.Err)
	}
	if strings.Contains(report.Error, "nothing was changed") || !strings.Contains(report.Error, "the key was not changed") {
		t.Error(report.Error)
	}
}

// What the database shows is refused before the local site is asked or its cache purged.
func TestARollBackIsRefusedBeforeACacheIsPurged(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(*world) map[string]string
		err     error
	}{
		"another key than the one agreed to": {func(w *world) map[string]string { w.renewed(w.t); return map[string]string{ownURL: "00"} }, ErrOtherThanAsked},
		"no key to go back to":               {func(*world) map[string]string { return nil }, ErrNothingRetired},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			asked := c.prepare(w)
			used := storedPair(testPair(t, ownURL, clock.AddDate(0, 0, -3)))
			w.cached, w.events = &used, nil
			report := w.renewal(Options{Asked: asked}).RollBack(t.Context())
			if !errors.Is(report.Err, c.err) || len(w.happened("store", "store-history", "drop", "prove")) > 0 || *w.cached != used {
				t.Errorf("%v: %v", report.Err, w.events)
			}
			if plan := w.renewal(Options{Asked: asked}).PlanRollBack(t.Context()); !errors.Is(plan.Err, c.err) || plan.Exit != report.Exit {
				t.Errorf("dry run: exit %d: %v", plan.Exit, plan.Err)
			}
		})
	}
}

// The keys of another site's database, and whether it has any to go back to, are not this site's.
func TestARollBackNamesFirstWhyTheDatabaseIsNotToBeUsed(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(*world)
		err     error
		exit    int
	}{
		"it is that of another site": {func(w *world) { w.tenant.Own.Wwwroot = "https://other.example" }, &OtherSiteError{Wwwroot: ownURL, Row: "https://other.example"}, ExitUsage},
		"MNet is off":                {func(w *world) { w.tenant.DispatcherMode = "off" }, ErrMNetOff, ExitNotRenewed},
	} {
		for command, run := range map[string]func(*Renewal, context.Context) TenantReport{"rollback": (*Renewal).RollBack, "dry run": (*Renewal).PlanRollBack} {
			w := newWorld(t)
			c.prepare(w)
			if report := run(w.renewal(Options{}), t.Context()); report.Exit != c.exit || report.Error != c.err.Error() {
				t.Errorf("%s, %s: exit %d: %v", command, name, report.Exit, report.Err)
			}
		}
	}
}
