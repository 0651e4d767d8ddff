package output

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/rotate"
)

// If a key is stored that was not pushed to all peers, a push is the cure: a renewal makes one more
// key.
func TestNobodyIsToldToRenewWhereAPushIsTheCure(t *testing.T) {
	interrupted := func(exit int) rotate.TenantReport {
		return rotate.TenantReport{Err: fmt.Errorf("stopped: %w", &SignalError{1}), Exit: exit, Outcome: rotate.Renewed}
	}
	before := func(outcome rotate.Outcome) rotate.TenantReport {
		return rotate.TenantReport{Err: fmt.Errorf("not renewed: %w", &SignalError{1}), Exit: 1, Outcome: outcome}
	}
	own := &rotate.LocalSiteError{Failure: &rotate.Failure{Reason: "fault_7023"}, Kept: true}
	silent := &rotate.LocalSiteError{Failure: &rotate.Failure{Reason: rotate.ReasonConnect, Pending: true}, Unseen: true}
	unsaved, differ := &rotate.LocalSiteError{Failure: own.Failure}, &rotate.LocalSiteError{Failure: &rotate.Failure{Reason: "several_caches"}}
	with := func(err *rotate.LocalSiteError, change func(*rotate.LocalSiteError)) *rotate.LocalSiteError {
		changed := *err
		change(&changed)
		return &changed
	}
	undone := func(e *rotate.LocalSiteError) { e.Undone = true }
	hooked := func(e *rotate.LocalSiteError) { e.Hooked = true }
	undoneHooked := func(e *rotate.LocalSiteError) { e.Undone, e.Hooked = true, true }
	array := cmdline.ArrayOptions{WithMaster: true}
	for name, c := range map[string]struct {
		o    cmdline.Options
		r    rotate.TenantReport
		want string // text of the hint
	}{
		"interrupted":                     {cmdline.Options{Command: "renew"}, interrupted(1), "run: renew_mnetkeys push"},
		"a push that was":                 {cmdline.Options{Command: "push"}, interrupted(1), "run: renew_mnetkeys push"},
		"a roll back that was":            {cmdline.Options{Command: "rollback"}, interrupted(1), "run: renew_mnetkeys push"},
		"before the key was changed":      {cmdline.Options{Command: "renew"}, before(rotate.Failed), "the key was not changed: the same command can be started again"},
		"in an array":                     {cmdline.Options{Command: "rollback", All: true}, before(rotate.Kept), "the key was not changed"},
		"a push, before it had pushed":    {cmdline.Options{Command: "push"}, before(rotate.Kept), "run: renew_mnetkeys push"},
		"an array that was":               {cmdline.Options{Command: "renew", All: true, Array: array}, interrupted(1), "run: renew_mnetkeys push --all --withmaster"},
		"what writes nothing":             {cmdline.Options{Command: "verify"}, interrupted(1), "nothing was changed"},
		"a move that was":                 {cmdline.Options{Command: "move"}, interrupted(1), "push and --if-due do not finish it: "},
		"a dry run":                       {cmdline.Options{Command: "renew", DryRun: true}, interrupted(1), "nothing was changed"},
		"the local site uses another key": {cmdline.Options{Command: "renew"}, rotate.TenantReport{Err: own, Exit: 4, Outcome: rotate.Failed}, "Run: php admin/cli/purge_caches.php && renew_mnetkeys push"},
		"and it may be the only copy":     {cmdline.Options{Command: "renew"}, rotate.TenantReport{Err: unsaved, Exit: 4, Outcome: rotate.Failed}, "do not purge any cache yet"},
		"a hook did not help":             {cmdline.Options{Command: "push", CacheHook: "true"}, rotate.TenantReport{Err: with(own, hooked), Exit: 4, Outcome: rotate.Failed}, "It must purge core/config for every web server, also for one that no --node names. If it does, the config.php of a web server may name another database. Purge Moodle's caches"},
		"nor in a look":                   {cmdline.Options{Command: "verify"}, rotate.TenantReport{Err: &rotate.LocalSiteError{Failure: own.Failure, Seen: true}, Exit: 4, Outcome: rotate.Failed}, "do not purge the caches yourself: only a push"},
		"its web servers differ":          {cmdline.Options{Command: "renew"}, rotate.TenantReport{Err: differ, Exit: 4, Outcome: rotate.Failed}, "do not purge any cache yet"},
		"they did, and it was restored":   {cmdline.Options{Command: "renew"}, rotate.TenantReport{Err: with(differ, undone), Exit: 1, Outcome: rotate.Undone}, "each has a cache of its own"},
		"interrupted there":               {cmdline.Options{Command: "renew"}, rotate.TenantReport{Err: errors.Join(own, &SignalError{1}), Exit: 4, Outcome: rotate.Failed}, "purge"},
		"the old key was restored":        {cmdline.Options{Command: "renew"}, rotate.TenantReport{Err: with(own, undone), Exit: 1, Outcome: rotate.Undone}, "before the next run"},
		"php could not purge the cache":   {cmdline.Options{Command: "renew"}, rotate.TenantReport{Err: &rotate.LocalSiteError{Failure: own.Failure, Cache: errors.New("php failed"), Undone: true}, Exit: 1, Outcome: rotate.Undone}, "before the next run"},
		"although there is a hook":        {cmdline.Options{Command: "renew", CacheHook: "true"}, rotate.TenantReport{Err: with(own, undoneHooked), Exit: 1, Outcome: rotate.Undone}, "correct the --cache-hook"},
		"it did not answer":               {cmdline.Options{Command: "renew"}, rotate.TenantReport{Err: with(silent, undone), Exit: 1, Outcome: rotate.Undone}, "since the web server could not be asked whether it uses the new one. When it answers again, start the same command again"},
		"it did not after a hook":         {cmdline.Options{Command: "renew", CacheHook: "true"}, rotate.TenantReport{Err: with(silent, undoneHooked), Exit: 1, Outcome: rotate.Undone}, "let the hook wait until the web server answers"},
		"for what no cache causes":        {cmdline.Options{Command: "renew", CacheHook: "true"}, rotate.TenantReport{Err: &rotate.LocalSiteError{Failure: own.Failure, Elsewhere: rotate.ErrOwnClock}, Exit: 1, Outcome: rotate.Undone}, "set both clocks"},
		"it was, by a signal":             {cmdline.Options{Command: "renew"}, rotate.TenantReport{Err: errors.Join(with(own, undone), &SignalError{1}), Exit: 1, Outcome: rotate.Undone}, "before the next run, add a --cache-hook"},
		"it was, and there is a hook":     {cmdline.Options{Command: "renew", CacheHook: "true"}, rotate.TenantReport{Err: errors.Join(with(own, undoneHooked), &SignalError{1}), Exit: 1, Outcome: rotate.Undone}, "before the next run, correct the --cache-hook"},
		"somebody else renewed":           {cmdline.Options{Command: "renew"}, rotate.TenantReport{Err: rotate.ErrConflict, Exit: 1}, "run: renew_mnetkeys push"},
		"it is not known what is stored":  {cmdline.Options{Command: "renew"}, rotate.TenantReport{Err: rotate.ErrUncertain, Exit: 4}, "run: renew_mnetkeys push"},
		"rotate knows better":             {cmdline.Options{Command: "renew"}, rotate.TenantReport{Err: own, Exit: 4, Hint: "do this"}, "do this"},
		"nothing went wrong":              {cmdline.Options{Command: "renew"}, rotate.TenantReport{}, ""},
	} {
		(&Printer{Options: c.o}).advise(&c.r)
		if !strings.Contains(c.r.Hint, c.want) || c.want == "" && c.r.Hint != "" {
			t.Errorf("%s: %q", name, c.r.Hint)
		}
	}
}

// A push finishes no command that only looks, and it writes.
func TestWhatOnlyLooksIsStartedAgain(t *testing.T) {
	for command, next := range map[cmdline.Name]string{cmdline.Verify: nextLookAgain, cmdline.Check: nextLookAgain, cmdline.Doctor: nextLookAgain,
		cmdline.Renew: rotate.ReasonInterrupted.NextStep(true), cmdline.Push: rotate.ReasonInterrupted.NextStep(true)} {
		out := &Printer{Options: cmdline.Options{Command: command}}
		r := rotate.TenantReport{Wwwroot: "https://t.example", Peers: []rotate.PeerReport{{Wwwroot: "https://p.example", Outcome: rotate.Pending, Reason: rotate.ReasonInterrupted}}}
		if command == cmdline.Doctor {
			r.Findings = []rotate.Finding{{Code: "peer_interrupted", Next: rotate.ReasonInterrupted.NextStep(false)}}
		}
		out.advise(&r)
		if got := r.Peers[0].Next; got != next {
			t.Errorf("%s: %s", command, got)
		}
		for _, f := range r.Findings {
			if f.Next != next {
				t.Errorf("%s: %s", f.Code, f.Next)
			}
		}
	}
}

func TestTenantsThatWereNotComeToAreCountedInTheWordsOfTheCommand(t *testing.T) {
	for command, want := range map[cmdline.Name]string{cmdline.Verify: "2 not verified", cmdline.Renew: "2 not renewed"} {
		out := NewArray(&Printer{Options: cmdline.Options{Command: command, All: true}, stdout: &Results{W: io.Discard}})
		out.leftOut, out.outcomes[rotate.Kept] = 2, 2
		if got := out.outcomeSummary(); got != want {
			t.Errorf("%s: %q", command, got)
		}
	}
}

// Ignored peers do not count, also if a signal came while they were called.
func TestNothingIsLeftToDoIfEveryLinkIsProven(t *testing.T) {
	out := NewArray(&Printer{Options: cmdline.Options{Command: cmdline.Push, All: true}, stdout: &Results{W: io.Discard}})
	out.total, out.proven, out.ignoredLinks = 3, 3, 1
	if got := out.interruptedHint(); !strings.Contains(got, "nothing is left to do") {
		t.Error(got)
	}
	out.proven--
	if got := out.interruptedHint(); !strings.Contains(got, "run: renew_mnetkeys push --all") {
		t.Error(got)
	}
}

// To repeat a rollback for one link brings back the key that it has retired, and a renewal makes one
// more key: the next step of a link is a push.
func TestALinkIsNeverAReasonToRepeatAChange(t *testing.T) {
	for command, want := range map[cmdline.Name]string{cmdline.Rollback: "renew_mnetkeys push", cmdline.Renew: "renew_mnetkeys push", cmdline.Push: "renew_mnetkeys push", cmdline.Move: "renew_mnetkeys …", cmdline.Verify: "renew_mnetkeys …"} {
		var stdout, stderr strings.Builder
		out := printerOf(cmdline.Options{Command: command}, &stdout, &stderr)
		r := rotate.TenantReport{Wwwroot: "https://own.example", Outcome: rotate.Renewed, SelfCheck: rotate.SelfProven, Exit: rotate.ExitPeers,
			Peers: []rotate.PeerReport{{Wwwroot: "https://p.example", Outcome: rotate.Refused, Reason: rotate.ReasonTwoRows}}}
		out.advise(&r)
		if next := r.Peers[0].Next; !strings.HasSuffix(next, "un: "+want) {
			t.Errorf("%s: %s", command, next)
		}
	}
}
