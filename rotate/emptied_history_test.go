package rotate

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// A history that was damaged is emptied by hand, as docs/recovery.md says: then only the cache has its
// keys.

// guardedCache is a cache of which this user reads a part at most, and PHP perhaps all.
type guardedCache struct {
	*world
	read []Retired // by this user
	php  bool
}

func (c guardedCache) Cached(ctx context.Context, site string, withPHP bool) ([]Retired, error) {
	if withPHP && c.php {
		return c.world.Cached(ctx, site, true)
	}
	return c.read, errors.New("cache store \"redis\" cannot be read: igbinary")
}

// emptied is a world whose cache has a key of the history that was emptied.
func emptied(t *testing.T) (*world, Retired) {
	w := newWorld(t)
	pair := testPair(t, ownURL, clock.AddDate(0, 0, -25))
	retired := Retired{Stored: storedPair(pair), Expires: pair.Certificate.NotAfter.Unix()}
	used := w.tenant.Pair
	w.cached, w.alsoCached = &used, []Retired{retired}
	return w, retired
}

// What this user reads comes first, and PHP reads the rest all the same.
func TestPHPReadsTheCacheIfTheHistoryIsEmpty(t *testing.T) {
	for name, run := range map[string]func(*Renewal, context.Context) TenantReport{"push": (*Renewal).Distribute, "renew": (*Renewal).Run} {
		w, retired := emptied(t)
		more := testPair(t, ownURL, clock.AddDate(0, 0, -26))
		w.alsoCached = append(w.alsoCached, Retired{Stored: storedPair(more), Expires: more.Certificate.NotAfter.Unix()})
		r := w.renewal(Options{})
		r.Cache = guardedCache{world: w, php: true, read: []Retired{retired}}
		if report := run(r, t.Context()); report.Exit != ExitOK || !w.hasRetired(retired.Stored) || !w.hasRetired(storedPair(more)) {
			t.Errorf("%s: exit %d: %v; %d in the history", name, report.Exit, report.Err, len(w.tenant.History))
		}
	}
}

// A person is told what was not saved; cron would be told every day.
func TestAPushSaysWhichCacheItDidNotCompareWithAnEmptyHistory(t *testing.T) {
	for cron, run := range map[bool]func(*Renewal, context.Context) TenantReport{false: (*Renewal).Distribute, true: (*Renewal).Run} {
		w, _ := emptied(t)
		r := w.renewal(Options{Due: DuePolicy{OnlyIfDue: cron}})
		r.Cache = guardedCache{world: w}
		report := run(r, t.Context())
		if told := strings.Contains(strings.Join(report.Warnings, ""), "igbinary"); report.Exit != ExitOK || told == cron {
			t.Errorf("cron %v: exit %d: %v; %q", cron, report.Exit, report.Err, report.Warnings)
		}
	}
}

func TestAPushThatCannotSaveWhatTheCacheHasSaysSo(t *testing.T) {
	w, _ := emptied(t)
	w.storeErr = errors.New("UPDATE command denied to user")
	report := w.renewal(Options{}).Distribute(t.Context())
	if report.Exit != ExitNotRenewed || report.Err == nil || !strings.Contains(report.Err.Error(), "denied") {
		t.Errorf("exit %d: %v", report.Exit, report.Err)
	}
}

// The damaged history in the cache makes Moodle answer with http_500.
func TestAPushSavesKeysWhateverTheWebServerAnswers(t *testing.T) {
	w := newWorld(t)
	only := w.otherPair()
	w.cached = only
	w.answer = func(string, int) *Failure { return &Failure{Reason: "http_500", Pending: true} }
	r := w.renewal(Options{Answers: 5})
	r.Cache = guardedCache{world: w, read: []Retired{{Stored: *only}}}
	if report := r.Distribute(t.Context()); report.Err == nil || !w.hasRetired(*only) || len(w.happened("drop")) > 0 {
		t.Errorf("exit %d: %v; saved: %v; %v", report.Exit, report.Err, w.hasRetired(*only), w.events)
	}
}

// Each web server may have a cache of its own, and the hook of the next renewal empties all.
func TestAPushSaysThatTheHookPurgesTheRetiredKeysOfOtherWebServers(t *testing.T) {
	for _, hooked := range []bool{false, true} {
		w := newWorld(t)
		r := w.renewal(Options{})
		if hooked {
			r.Cache = &countedHook{world: w}
		}
		report := r.Distribute(t.Context())
		if told := strings.Contains(strings.Join(report.Warnings, ""), "on each of them"); told != hooked || report.Exit != ExitOK {
			t.Errorf("hook %v: exit %d: %q", hooked, report.Exit, report.Warnings)
		}
	}
}
