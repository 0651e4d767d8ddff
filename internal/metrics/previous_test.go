package metrics

import (
	"bufio"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"renew_mnetkeys/rotate"
)

// Otherwise the expiry of a key that is not used any more would be an alert for ever.
func TestTheOldWwwrootOfASiteThatHasMovedDoesNotStand(t *testing.T) {
	const before, after, other = "http://a.example", "https://a.example", "https://b.example"
	for outcome, want := range map[rotate.Outcome][]string{
		rotate.Renewed: {after, other}, rotate.Kept: {after, other}, rotate.Undone: {before, after, other}, rotate.Failed: {before, after, other},
	} {
		path := filepath.Join(t.TempDir(), "mnet.prom")
		write(t, path, run(1, 0), report(before, 20), report(other, 21))
		moved, single := report(after, 25), run(2, 0)
		moved.Outcome, moved.Moved, single.Whole = outcome, &rotate.MoveReport{From: before}, false
		write(t, path, single, moved)
		got := slices.Sorted(maps.Keys(values(t, path, tenantOutcome, "wwwroot")))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", outcome, diff)
		}
	}
}

func TestWhatAFailedRunDoesNotKnowStands(t *testing.T) {
	const a, b = "https://a.example", "https://b.example"
	first, other := seconds(run(1, 0).Started.Add(1500*time.Millisecond)), run(2, 0)
	other.Command = "push"
	tests := map[string]struct {
		run     Run
		reports []rotate.TenantReport
		// afterwards
		notAfter, success, seen map[string]float64
		lastSuccess             map[string]float64
	}{
		"of a tenant that failed": {run(2, 1), []rotate.TenantReport{failed(a), report(b, 25)},
			map[string]float64{a: seconds(day(20)), b: seconds(day(25))}, map[string]float64{a: first, b: run(2, 0).ended()},
			map[string]float64{a: 0, b: 0}, map[string]float64{"renew": first}},
		"of all when no tenant was seen": {run(2, 2), nil,
			map[string]float64{a: seconds(day(20)), b: seconds(day(21))}, map[string]float64{a: first, b: first},
			map[string]float64{a: 0, b: 0}, map[string]float64{"renew": first}},
		"of all when only an error came": {run(2, 1), []rotate.TenantReport{failed("")},
			map[string]float64{a: seconds(day(20)), b: seconds(day(21))}, map[string]float64{a: first, b: first},
			map[string]float64{a: 0, b: 0}, map[string]float64{"renew": first}},
		"of those that an interrupted run did not come to": {run(2, 130), []rotate.TenantReport{report(b, 25)},
			map[string]float64{a: seconds(day(20)), b: seconds(day(25))}, map[string]float64{a: first, b: run(2, 0).ended()},
			map[string]float64{a: 0, b: 0}, map[string]float64{"renew": first}},
		"but not of a tenant that is there no more": {run(2, 3), []rotate.TenantReport{report(b, 25)},
			map[string]float64{b: seconds(day(25))}, map[string]float64{b: run(2, 0).ended()},
			map[string]float64{b: 0}, map[string]float64{"renew": first}},
		"until the next success": {run(2, 0), []rotate.TenantReport{report(b, 25)},
			map[string]float64{b: seconds(day(25))}, map[string]float64{b: run(2, 0).ended()},
			map[string]float64{b: 0}, map[string]float64{"renew": run(2, 0).ended()}},
		"as does the success of another command": {other, []rotate.TenantReport{report(b, 25)},
			map[string]float64{b: seconds(day(25))}, map[string]float64{b: run(2, 0).ended()},
			map[string]float64{b: 0}, map[string]float64{"push": run(2, 0).ended(), "renew": first}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "mnet.prom")
			write(t, path, run(1, 0), report(a, 20), report(b, 21))
			write(t, path, test.run, test.reports...)
			outcome := values(t, path, tenantOutcome, "wwwroot")
			for wwwroot := range outcome {
				outcome[wwwroot] = 0 // only its existence is checked
			}
			for _, diff := range []string{cmp.Diff(test.notAfter, values(t, path, notAfter, "wwwroot")), cmp.Diff(test.success, values(t, path, tenantSuccess, "wwwroot")),
				cmp.Diff(test.seen, outcome), cmp.Diff(test.lastSuccess, values(t, path, lastSuccess, "command"))} {
				if diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestACommandByHandTakesNothingFromWhatItHasNotLookedAt(t *testing.T) {
	const a, b, c = "https://a.example", "https://b.example", "https://c.example"
	path := filepath.Join(t.TempDir(), "mnet.prom")
	gone := report(a, 20, rotate.Accepted, rotate.Refused, rotate.Refused)
	gone.Outcome, gone.Exit = rotate.Renewed, rotate.ExitPeers
	write(t, path, run(1, 3), gone, report(b, 21, rotate.Healed), report(c, 22))
	before := strings.Split(read(t, path), "\n")

	byHand := run(2, 0)
	byHand.Command, byHand.Whole = "verify", false
	write(t, path, byHand, report(b, 25, rotate.Accepted))
	after := read(t, path)
	lines := map[string]bool{}
	for line := range strings.SplitSeq(after, "\n") {
		lines[line] = true
	}
	kept := 0
	for _, line := range before {
		if strings.Contains(line, `"`+b+`"`) {
			continue
		}
		kept++
		if !lines[line] {
			t.Errorf("%s has gone", line)
		}
	}
	if kept < 30 { // two tenants of twelve or thirteen lines, the command's three, and the comments
		t.Errorf("only %d lines were to be kept", kept)
	}
	for _, want := range []string{exitCode + `{command="verify",file="mnet.prom"} 0`, exitCode + `{command="renew",file="mnet.prom"} 3`,
		peers + `{wwwroot="https://a.example",outcome="refused"} 2`, peers + `{wwwroot="https://b.example",outcome="accepted"} 1`, peers + `{wwwroot="https://b.example",outcome="healed"} 0`} {
		if !lines[want] {
			t.Errorf("%s is not there:\n%s", want, after)
		}
	}

	again := byHand
	again.Started = day(3)
	write(t, path, again, report(b, 25, rotate.Accepted))
	if strings.Count(read(t, path), "\n") != strings.Count(after, "\n") {
		t.Errorf("it grows with every run:\n%s", read(t, path))
	}
	whole := run(4, 0)
	write(t, path, whole, report(a, 30), report(b, 30))
	if got := values(t, path, tenantOutcome, "wwwroot"); len(got) != 2 || len(values(t, path, lastRun, "command")) != 2 {
		t.Errorf("after a run that looked at all, there are %v", got)
	}
}

// An alert compares a series: a missing series triggers no alert. But an expiry of 0 would be a key
// that has expired.
func TestTheFirstRunWritesEverySeriesWhateverItCannotRead(t *testing.T) {
	const a = "https://a.example"
	path := filepath.Join(t.TempDir(), "mnet.prom")
	for range 2 {
		write(t, path, run(1, 1), failed(a))
		for name, label := range map[string]string{lastSuccess: "command", tenantSuccess: "wwwroot", localSite: "wwwroot"} {
			want := map[string]float64{map[string]string{"command": "renew", "wwwroot": a}[label]: 0}
			if diff := cmp.Diff(want, values(t, path, name, label)); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
		if n := len(values(t, path, peers, "outcome")); n != 6 {
			t.Errorf("%d outcomes of peers", n)
		}
		if known := values(t, path, notAfter, "wwwroot"); len(known) != 0 {
			t.Errorf("an expiry that is not known: %v", known)
		}
	}
}

func TestALocalSiteIsProvenOnlyWhileNothingIsKnownAgainstIt(t *testing.T) {
	const a = "https://a.example"
	for name, c := range map[string]struct {
		check rotate.SelfCheck
		exit  int
		want  float64
	}{
		"it was proven":                 {rotate.SelfProven, rotate.ExitOK, 1},
		"it was proven, a peer was not": {rotate.SelfProven, rotate.ExitPeers, 1},
		"it went back afterwards":       {rotate.SelfProven, rotate.ExitLocalSite, 0},
		"it uses another key":           {rotate.SelfFailed, rotate.ExitLocalSite, 0},
		"it cannot do RC4":              {rotate.SelfNoRC4, rotate.ExitPeers, 0},
		"it cannot be reached":          {rotate.SelfUnreachable, rotate.ExitPeers, 0},
		"it was not asked":              {rotate.SelfSkipped, rotate.ExitPeers, 0},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "mnet.prom")
			r := report(a, 20)
			r.SelfCheck, r.Exit = c.check, c.exit
			other := run(2, 0)
			other.Whole = false
			write(t, path, run(1, c.exit), r)
			write(t, path, other, report("https://b.example", 20)) // and it remains
			if got := values(t, path, localSite, "wwwroot"); got[a] != c.want || got["https://b.example"] != 1 {
				t.Errorf("%v", got)
			}
		})
	}
}

// A night in which the database was down must not end an alert on a peer.
func TestPeersStandWhileTheirTenantCannotBeRead(t *testing.T) {
	const a = "https://a.example"
	path := filepath.Join(t.TempDir(), "mnet.prom")
	write(t, path, run(1, 3), report(a, 20, rotate.Pending, rotate.Accepted))
	write(t, path, run(2, 1), failed(a))
	if got := values(t, path, peers, "outcome"); got["pending"] != 1 || got["accepted"] != 1 {
		t.Errorf("%v", got)
	}
	write(t, path, run(3, 0), report(a, 20, rotate.Accepted))
	if got := values(t, path, peers, "outcome"); got["pending"] != 0 || got["accepted"] != 1 {
		t.Errorf("%v", got)
	}
}

// Nor may a run that has failed before it asked the local site begin one.
func TestTheLocalSiteStaysAsItWasWhileNoRunAsksIt(t *testing.T) {
	const a = "https://a.example"
	for _, proven := range []bool{true, false} {
		path := filepath.Join(t.TempDir(), "mnet.prom")
		r := report(a, 20)
		if !proven {
			r.SelfCheck, r.Exit = rotate.SelfFailed, rotate.ExitLocalSite
		}
		write(t, path, run(1, r.Exit), r)
		refused := failed(a)
		refused.Exit = rotate.ExitUsage
		write(t, path, run(2, 1), failed(a))
		write(t, path, run(3, 2), refused)
		if got := values(t, path, localSite, "wwwroot"); got[a] != bit(proven) {
			t.Errorf("proven before: %v; then %v", proven, got)
		}
		unasked := report(a, 20) // it has a new key
		unasked.SelfCheck, unasked.Exit = rotate.SelfSkipped, rotate.ExitPeers
		write(t, path, run(4, 3), unasked)
		if got := values(t, path, localSite, "wwwroot"); got[a] != 0 {
			t.Errorf("renewed without a proof: %v", got)
		}
	}
}

func TestForeignContentSaysNothing(t *testing.T) {
	const expiry, good = notAfter + `{wwwroot="https://a.example"}`, notAfter + `{wwwroot="https://a.example"} 7`
	tests := map[string]struct {
		content string
		known   bool
	}{
		"of ours":            {good + "\n", true},
		"of ours in foreign": {"\xff\x00garbage{\n" + `x{a="1"} 2` + "\n" + good + "\n# end", true},
		"that was cut off":   {strings.TrimSuffix(good, ` 7`), false},
		"a foreign name":     {strings.Replace(good, "renew", "other", 1), false},
		"no number":          {expiry + " seven", false},
		"not a number":       {expiry + " NaN", false},
		"for ever":           {expiry + " +Inf", false},
		"long ago":           {expiry + " -1", false},
		"a time stamp":       {expiry + " 7 8", false},
		"without labels":     {notAfter + " 7", false},
		"another label":      {strings.Replace(good, "wwwroot", "host", 1), false},
		"an open quote":      {notAfter + `{wwwroot="https://a.example 7`, false},
		"a line too long":    {strings.Repeat("x", 1<<20) + "\n" + good, false},
		"nothing":            {"", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "mnet.prom")
			if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			write(t, path, run(1, 1), failed("https://a.example"))
			if got := values(t, path, notAfter, "wwwroot"); (got["https://a.example"] == 7) != test.known || len(got) > 1 {
				t.Errorf("%v", got)
			}
		})
	}
}

func TestPipeInPlaceOfTheFileIsNotWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mnet.prom")
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.Write(run(1, 0)); err != nil {
		t.Fatal(err)
	}
	if len(values(t, path, lastRun, "file")) != 1 {
		t.Error("not written")
	}
}

func FuzzSampleIsReadBack(f *testing.F) {
	f.Add("https://a.example", 1.5, `x{a="b"} 1`)
	f.Add("\"\\\n\xff{}=,", -1.5, `renew_mnetkeys_x{a="\x41\`)
	f.Add("", 1e300, `renew_mnetkeys_x{a="b",} 1`)
	f.Fuzz(func(t *testing.T, label string, value float64, line string) {
		parseSample(line) // does not panic
		var b strings.Builder
		w := bufio.NewWriter(&b)
		family{name: notAfter, samples: []sample{{[]string{"wwwroot", label, "file", label}, value}}}.write(w)
		_ = w.Flush()
		lines := strings.Split(b.String(), "\n")
		name, labels, got, ok := parseSample(lines[2])
		if len(lines) != 4 || !ok || name != notAfter || labels["wwwroot"] != text(label) || labels["file"] != text(label) || got != value && value == value {
			t.Errorf("%q: %v %v %v %v", b.String(), name, labels, got, ok)
		}
	})
}

// Jobs that leave out a tenant for ever would else be alerted of deleted ones for ever.
func TestATenantThatIsLeftOutStandsAndADeletedOneGoes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mnet.prom")
	write(t, path, run(1, 0), report("https://a.example", 20), report("https://deleted.example", 20), report("https://old.example", 20))
	second := run(2, 0)
	second.Excluded = rotate.Globs{"https://old.*"}
	write(t, path, second, report("https://a.example", 20))
	text := read(t, path)
	if strings.Contains(text, "deleted.example") || !strings.Contains(text, notAfter+`{wwwroot="https://old.example"}`) {
		t.Error(text)
	}
}
