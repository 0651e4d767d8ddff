package output

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/rotate"
)

func TestAPhaseLastsFromTheEndOfTheOneBefore(t *testing.T) {
	var stdout strings.Builder
	out := NewArray(&Printer{Options: cmdline.Options{Command: "renew"}, stdout: &Results{W: &stdout}})
	out.Begin(3, 4)
	out.phaseStarted = out.phaseStarted.Add(-time.Hour) // how long the only canary took
	out.Phase("canary", rotate.Progress{Done: 1, Total: 1})
	out.Phase("renew", rotate.Progress{Done: 1, Total: 2})
	out.Phase("renew", rotate.Progress{Done: 2, Total: 2, Failed: 1})
	for _, line := range []string{"3 tenants to renew, in an array of 4 sites\n", "renewed first 1/1 (1h0m", "renewed 2/2, 1 failed (0s)\n"} {
		if !strings.Contains(stdout.String(), line) {
			t.Errorf("nothing says %q:\n%s", line, stdout.String())
		}
	}
}

func TestAPhaseIsNamedByWhatTheCommandDoes(t *testing.T) {
	off := rotate.Options{SelfCheck: rotate.SelfCheckOff}
	for _, c := range []struct {
		o     cmdline.Options
		phase string
		want  string
	}{
		{cmdline.Options{Command: cmdline.Renew}, "canary", "renewed first"},
		{cmdline.Options{Command: cmdline.Rollback}, "canary", "rolled back first"},
		{cmdline.Options{Command: cmdline.Rollback}, "renew", "rolled back"},
		{cmdline.Options{Command: cmdline.Verify}, "ask", "local sites tested"},
		{cmdline.Options{Command: cmdline.Verify, Options: off}, "ask", "databases read"},
		{cmdline.Options{Command: cmdline.Push, Options: off}, "ask", "databases read"},
		{cmdline.Options{Command: cmdline.Status}, "ask", "other sites read"},
		{cmdline.Options{Command: cmdline.Status, Live: true}, "ask", "local sites tested"},
	} {
		var stdout strings.Builder
		NewArray(&Printer{Options: c.o, stdout: &Results{W: &stdout}}).Phase(c.phase, rotate.Progress{Done: 2, Total: 2})
		if !strings.HasPrefix(stdout.String(), c.want+" 2/2 (") {
			t.Errorf("%s of %s: %q", c.phase, c.o.Command, stdout.String())
		}
	}
}

// A push that left out tenants has not pushed them, though their outcome is that of a push.
func TestTenantsThatAreLeftOutAreNotCountedAsDone(t *testing.T) {
	stopped := fmt.Errorf("not pushed: %w", &SignalError{syscall.SIGTERM})
	for _, dry := range []bool{false, true} {
		var stdout, stderr strings.Builder
		out := NewArray(printerOf(cmdline.Options{Command: cmdline.Push, All: true, DryRun: dry}, &stdout, &stderr))
		out.Begin(3, 3)
		out.Tenant(rotate.TenantReport{Wwwroot: "https://t0.example", Outcome: rotate.Failed, Err: errors.New("down"), Exit: rotate.ExitNotRenewed})
		for _, name := range []string{"https://t1.example", "https://t2.example"} {
			out.Tenant(rotate.TenantReport{Wwwroot: name, Outcome: rotate.Kept, Err: stopped, Exit: rotate.ExitNotRenewed})
		}
		out.Finish(rotate.ExitNotRenewed, nil)
		if !strings.Contains(stdout.String(), "3 tenants: 2 not pushed, 1 failed") {
			t.Errorf("dry run %v:\n%s", dry, stdout.String())
		}
	}
}

// A canary that failed is the cause, whatever its name.
func TestTheTenantThatStoppedARunComesBeforeThoseThatWereLeftOut(t *testing.T) {
	stopped := fmt.Errorf("not renewed: %w", &SignalError{syscall.SIGTERM})
	var stdout, stderr strings.Builder
	out := NewArray(printerOf(cmdline.Options{Command: cmdline.Renew, All: true}, &stdout, &stderr))
	out.Begin(6, 6)
	for i := range 5 {
		out.Tenant(rotate.TenantReport{Wwwroot: fmt.Sprintf("https://t%d.example", i), Outcome: rotate.Kept, Err: stopped, Exit: rotate.ExitNotRenewed})
	}
	out.Tenant(rotate.TenantReport{Wwwroot: "https://t9.example", Outcome: rotate.Undone, Err: errors.New("the hook failed"), Exit: rotate.ExitNotRenewed})
	out.Finish(rotate.ExitNotRenewed, nil)
	cause, left := strings.Index(stdout.String(), "undone https://t9.example"), strings.Index(stdout.String(), "not renewed 5 tenants")
	if cause < 0 || left < cause {
		t.Error(stdout.String())
	}
}

// A signal came after the tenants were checked, and before a link was.
func TestTenantsOfWhichNoLinkWasTriedAreNotCountedAsPushed(t *testing.T) {
	var stdout, stderr strings.Builder
	out := NewArray(printerOf(cmdline.Options{Command: cmdline.Push, All: true}, &stdout, &stderr))
	out.Begin(3, 3)
	for i, reason := range []rotate.Reason{rotate.ReasonInterrupted, rotate.ReasonInterrupted, rotate.ReasonConnect} {
		out.Tenant(rotate.TenantReport{Wwwroot: fmt.Sprintf("https://t%d.example", i), Outcome: rotate.Kept, SelfCheck: rotate.SelfProven,
			Peers: []rotate.PeerReport{{Wwwroot: "https://p.example", Outcome: rotate.Pending, Reason: reason}}})
	}
	out.Finish(130, nil)
	if !strings.Contains(stdout.String(), "3 tenants: 1 pushed, 2 not pushed; 0 of 3 links proven") {
		t.Error(stdout.String())
	}
}

func TestAnArraySaysWhenTheNextKeyIsDue(t *testing.T) {
	var stdout, stderr strings.Builder
	o := cmdline.Options{Command: "renew", All: true}
	o.Due.OnlyIfDue = true
	out := printerOf(o, &stdout, &stderr)
	out.Terminal, out.Started = true, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	array := NewArray(out)
	array.Begin(3, 4)
	for day, name := range map[int]string{20: "https://t0.example", 9: "https://t1.example", -5: "https://t2.example"} { // the last is fresh, though it would be due
		array.Tenant(rotate.TenantReport{Wwwroot: name, Outcome: rotate.Kept, NotDue: true, DueAt: time.Date(2026, 3, day, 3, 20, 0, 0, time.UTC)})
	}
	array.Finish(rotate.ExitOK, nil)
	for _, want := range []string{"3 tenants to look at (keys that are due are renewed), in an array of 4 sites\n", "3 tenants: 3 not due (the next one is due after 2026-03-09 03:20 UTC)"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("nothing says %q:\n%s", want, stdout.String())
		}
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestAJSONDocumentThatCannotBeWrittenIsAnError(t *testing.T) {
	var stderr strings.Builder
	told := new(int)
	out := NewArray(&Printer{Options: cmdline.Options{JSON: true}, stdout: &Results{W: fullDisk{}}, Stderr: &stderr, Sinks: sinks{exitCodeRecord{told}}})
	out.Tenant(rotate.TenantReport{Wwwroot: "https://t.example"})
	if code := out.Finish(rotate.ExitOK, nil); code != rotate.ExitPeers || *told != code {
		t.Errorf("exit code %d, a record got %d", code, *told)
	}
	if strings.Count(stderr.String(), "error: the result could not be written: no space left on device") != 1 {
		t.Errorf("it says %q", stderr.String())
	}
}

// exitCodeRecord keeps the exit code that it receives.
type exitCodeRecord struct{ code *int }

func (exitCodeRecord) Add(rotate.TenantReport) {}
func (r exitCodeRecord) Finish(code int) error { *r.code = code; return nil }

// A command without a tenant is one for the master.
func TestAnArraysNextStepsOfLinksAreCompleteCommands(t *testing.T) {
	refused := rotate.PeerReport{Wwwroot: "https://p.example", Outcome: rotate.Refused, Reason: rotate.ReasonCannotOpen, Attempts: 1}
	alone := rotate.PeerReport{Wwwroot: "https://q.example", Outcome: rotate.Refused, Reason: rotate.ReasonFault710, Attempts: 1}
	var stdout strings.Builder
	out := NewArray(&Printer{Options: cmdline.Options{Command: cmdline.Verify, All: true}, stdout: &Results{W: &stdout}, Site: Site{Config: "/c.php"}})
	out.Begin(2, 2)
	out.Tenant(rotate.TenantReport{Wwwroot: "https://t0.example", Peers: []rotate.PeerReport{refused, alone}})
	out.Tenant(rotate.TenantReport{Wwwroot: "https://t1.example", Peers: []rotate.PeerReport{refused}})
	out.Finish(rotate.ExitPeers, nil)
	for _, want := range []string{"un: renew_mnetkeys push --config=/c.php --all\n", "run: curl https://t0.example/mnet/publickey.php\n"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("nothing says %q:\n%s", want, stdout.String())
		}
	}
}

// After a restored backup, a push is no cure for the links that know a newer key, and to some of the
// other links with that reason it is.
func TestLinksThatAreCuredInDifferentWaysAreNotOneGroup(t *testing.T) {
	const reason, restored = rotate.ReasonCannotOpen, "this site's database is older than the peer's"
	to := func(peer, next string) rotate.PeerReport {
		return rotate.PeerReport{Wwwroot: peer, Outcome: rotate.Refused, Reason: reason, Next: next, Attempts: 1}
	}
	peers := []rotate.PeerReport{to("https://p.example", ""), to("https://q.example", ""), to("https://m.example", restored),
		to("https://n.example", "to see what is wrong there, run: renew_mnetkeys doctor --host=https://n.example"),
		to("https://o.example", "to see what is wrong there, run: renew_mnetkeys doctor --host=https://o.example")}
	for command, want := range map[cmdline.Name][]string{
		cmdline.Verify: {"\nrefused 2 links: cannot_open\n  from https://t.example to https://p.example, https://q.example\n  next: the peer does not have the current certificate",
			"\nrefused 1 link: cannot_open\n  from https://t.example to https://m.example\n  next: " + restored + "\n",
			"\nrefused 2 links: cannot_open\n  from https://t.example to https://n.example, https://o.example\n  next: for example for https://n.example: to see what is wrong there, run: renew_mnetkeys doctor --host=https://n.example --config=/c.php\n"},
		cmdline.Check: {"MNET WARNING - 2 links refused (cannot_open) from https://t.example to https://p.example and https://q.example; 2 links refused (cannot_open) from https://t.example to https://n.example and https://o.example; https://t.example: peer https://m.example refused: cannot_open |",
			"\nnext: " + restored + "\n", "\nnext: for example for https://n.example: to see"},
	} {
		var stdout, stderr strings.Builder
		out := printerOf(cmdline.Options{Command: command, All: true}, &stdout, &stderr)
		out.Site.Config = "/c.php"
		array := NewArray(out)
		array.Begin(1, 3)
		array.Tenant(rotate.TenantReport{Wwwroot: "https://t.example", SelfCheck: rotate.SelfProven, Peers: peers})
		array.Finish(rotate.ExitPeers, nil)
		for _, text := range want {
			if !strings.Contains(stdout.String(), text) {
				t.Errorf("%s says nowhere %q:\n%s", command, text, stdout.String())
			}
		}
	}
}

func TestAnArraySaysWhyKeysWereKept(t *testing.T) {
	for _, c := range []struct {
		o    cmdline.Options
		due  bool
		want string
	}{
		{cmdline.Options{Command: "renew", All: true}, false, "1 not renewed again (its key is younger than --fresh)"},
		{cmdline.Options{Command: "renew", All: true, DryRun: true}, false, "1 would only be pushed (its key is younger than --fresh)"},
		{cmdline.Options{Command: "renew", All: true}, true, "1 not due"},
	} {
		var stdout strings.Builder
		c.o.Due.OnlyIfDue = c.due
		out := NewArray(&Printer{Options: c.o, stdout: &Results{W: &stdout}})
		out.Begin(3, 3)
		out.Tenant(rotate.TenantReport{Wwwroot: "https://t0.example", Outcome: rotate.Kept, NotDue: true})
		out.Tenant(rotate.TenantReport{Wwwroot: "https://t1.example", Outcome: rotate.Undone, NotDue: true}) // later
		out.Tenant(rotate.TenantReport{Wwwroot: "https://t2.example", Outcome: rotate.Renewed})
		out.Finish(rotate.ExitOK, nil)
		if !strings.Contains(stdout.String(), c.want) || !strings.Contains(stdout.String(), "1 undone") || strings.Contains(stdout.String(), "1 kept,") {
			t.Errorf("want %q in\n%s", c.want, stdout.String())
		}
	}
}

// A push does nothing for a tenant that was not begun, and a second rollback would undo the first.
func TestAfterASignalAnArrayNamesTheCommandThatGoesOn(t *testing.T) {
	signal := fmt.Errorf("not renewed: %w", &SignalError{syscall.SIGINT})
	left := rotate.TenantReport{Wwwroot: "https://left.example", Outcome: rotate.Kept, Err: signal, Error: signal.Error(), Exit: rotate.ExitNotRenewed}
	checked := left
	checked.Wwwroot, checked.Outcome = "https://checked.example", rotate.Failed
	renewed := rotate.TenantReport{Wwwroot: "https://renewed.example", Outcome: rotate.Renewed}
	undone := left
	undone.Wwwroot, undone.Outcome = "https://undone.example", rotate.Undone
	down := rotate.TenantReport{Wwwroot: "https://down.example", Outcome: rotate.Failed, Exit: rotate.ExitNotRenewed, Err: errors.New("down"), Error: "down"}
	unused := rotate.TenantReport{Wwwroot: "https://unused.example", Outcome: rotate.Failed, Exit: rotate.ExitLocalSite, Err: rotate.ErrNotFollowed, Error: "not followed"}
	hourOld, made := left, time.Now().Add(-time.Hour-30*time.Second)
	hourOld.Certificate = &rotate.KeyReport{NotBefore: &made}
	for name, c := range map[string]struct {
		command string
		args    []string
		tenants []rotate.TenantReport
		want    string
	}{
		"a renewal": {"renew", []string{"--all", "--match=*"}, []rotate.TenantReport{renewed, left, checked},
			"hint: to go on with the tenants that are not renewed yet (2 of 3; a key younger than --fresh is only pushed), run: renew_mnetkeys --all '--match=*'\n"},
		"a renewal of fresh keys too": {"renew", []string{"--all", "--fresh=0s"}, []rotate.TenantReport{renewed, left, checked},
			"hint: the same command would renew the others again: to go on with the tenants that are not renewed yet (2 of 3), run: renew_mnetkeys --all --fresh=24h0m\n"},
		"a renewal of keys that are fresh for a minute": {"renew", []string{"--all", "--fresh=1m"}, []rotate.TenantReport{renewed, left, checked},
			"hint: the same command would renew the others again: to go on with the tenants that are not renewed yet (2 of 3), run: renew_mnetkeys --all --fresh=24h0m\n"},
		"a renewal of fresh keys too, some of them an hour old": {"renew", []string{"--all", "--fresh", "0s", "--quiet"}, []rotate.TenantReport{renewed, left, hourOld},
			"run: renew_mnetkeys --all --quiet --fresh=1h0m\n"},
		"a renewal of fresh keys too, one of them not used": {"renew", []string{"--all", "--fresh=0s"}, []rotate.TenantReport{unused, left, left}, "would renew the others again"},
		"none was renewed": {"renew", []string{"--all", "--fresh=0s"}, []rotate.TenantReport{left, left, checked},
			"hint: to go on with the tenants that are not renewed yet (3 of 3), run: renew_mnetkeys --all --fresh=0s\n"},
		"none was renewed, and one was undone": {"renew", []string{"--all"}, []rotate.TenantReport{left, undone, left},
			"hint: to go on with the tenants that are not renewed yet (3 of 3), run: renew_mnetkeys --all\n"},
		"none was renewed, and one is down": {"renew", []string{"--all", "--fresh=0s"}, []rotate.TenantReport{down, left, left},
			"hint: to go on with the tenants that are not renewed yet (2 of 3), run: renew_mnetkeys --all --fresh=0s\n"},
		"one was renewed, and one undone": {"renew", []string{"--all", "--fresh=0s"}, []rotate.TenantReport{renewed, undone, left},
			"hint: the same command would renew the others again: to go on with the tenants that are not renewed yet (2 of 3), run: "},
		"what was renewed is not due": {"renew", []string{"--all", "--if-due", "--fresh=0s"}, []rotate.TenantReport{renewed, left, left},
			"hint: to go on with the tenants that are not renewed yet (2 of 3), run: renew_mnetkeys --all --if-due --fresh=0s\n"},
		"a rollback that was undone": {"rollback", []string{"rollback", "--all"}, []rotate.TenantReport{renewed, undone, left}, "hint: name only the tenants that are not rolled back (2 of 3) with --match: "},
		"all were renewed":           {"renew", []string{"--all"}, []rotate.TenantReport{renewed, renewed, renewed}, "hint: no new key is needed: "},
		"a push":                     {"push", []string{"push", "--all"}, []rotate.TenantReport{left, left, left}, "To finish, run: renew_mnetkeys push --all"},
		"a rollback": {"rollback", []string{"rollback", "--all"}, []rotate.TenantReport{renewed, renewed, left},
			"hint: name only the tenants that are not rolled back (1 of 3) with --match: the same command would undo it for the others. For the others, run: renew_mnetkeys push --all"},
		"a rollback that has not begun": {"rollback", []string{"rollback", "--all"}, []rotate.TenantReport{left, left, left},
			"hint: to go on with the tenants that are not rolled back yet (3 of 3), run: renew_mnetkeys rollback --all\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr strings.Builder
			options := cmdline.Options{Command: cmdline.Name(c.command), All: true, LogFormat: "console"}
			if !slices.ContainsFunc(c.args, func(arg string) bool { return strings.HasPrefix(arg, "--fresh") }) {
				options.Array.Fresh = time.Hour
			}
			options.Due.OnlyIfDue = slices.Contains(c.args, "--if-due")
			out := NewArray(&Printer{Options: options, Arguments: c.args, stdout: &Results{W: &stdout}, Stderr: &stderr})
			out.Begin(3, 3)
			for _, r := range c.tenants {
				out.Tenant(r)
			}
			out.Finish(128+int(syscall.SIGINT), nil)
			if !strings.Contains(stderr.String(), c.want) {
				t.Errorf("it says %q, want %q", stderr.String(), c.want)
			}
			if said := strings.ReplaceAll(stdout.String(), "hint: "+rotate.HintOf(rotate.ErrNotFollowed), ""); strings.Contains(said, "hint: ") {
				t.Errorf("each tenant has a hint as well:\n%s", stdout.String())
			}
		})
	}
}

// Such a run does not end with the exit code of a signal, but some of its tenants were spared by
// one.
func TestAnArrayThatWasInterruptedSaysHowToGoOnThoughASiteNeedsHelp(t *testing.T) {
	var stdout, stderr strings.Builder
	options := cmdline.Options{Command: "renew", All: true, LogFormat: "console"}
	options.Array.Fresh = time.Hour
	out := NewArray(&Printer{Options: options, Arguments: []string{"--all"}, stdout: &Results{W: &stdout}, Stderr: &stderr})
	out.Begin(2, 2)
	out.Tenant(rotate.TenantReport{Wwwroot: "https://a.example", Outcome: rotate.Failed, Exit: rotate.ExitLocalSite, Err: rotate.ErrNotFollowed, Error: "not followed"})
	signal := fmt.Errorf("not renewed: %w", &SignalError{syscall.SIGINT})
	out.Tenant(rotate.TenantReport{Wwwroot: "https://b.example", Outcome: rotate.Kept, Exit: rotate.ExitNotRenewed, Err: signal, Error: signal.Error()})
	code := out.Finish(rotate.ExitLocalSite, nil)
	if said := stdout.String() + stderr.String(); code != rotate.ExitLocalSite || !strings.Contains(said, "hint: to go on with the tenants that are not renewed yet (1 of 2; ") {
		t.Errorf("exit code %d: %s", code, said)
	}
}

// A command that calls no site must not say that it has tested or proven one.
func TestStatusOfAnArrayClaimsNoTest(t *testing.T) {
	for _, live := range []bool{false, true} {
		var stdout strings.Builder
		out := NewArray(&Printer{Options: cmdline.Options{Command: cmdline.Status, All: true, Live: live}, stdout: &Results{W: &stdout}})
		for _, phase := range []string{"read", "ask", "look", "prove"} {
			out.Phase(phase, rotate.Progress{Done: 1, Total: 1})
		}
		if claims := strings.Contains(stdout.String(), "tested") || strings.Contains(stdout.String(), "proven"); claims != live {
			t.Errorf("live %v:\n%s", live, stdout.String())
		}
	}
}

// A tenant whose MNet is off calls no peer: doctor lists its links, and verify does not. Both count
// the same links as proven or not.
func TestTheLinksThatAnArrayCountsAreThoseThatWereTried(t *testing.T) {
	peers := func(outcomes ...rotate.PeerOutcome) (all []rotate.PeerReport) {
		for i, o := range outcomes {
			all = append(all, rotate.PeerReport{Wwwroot: fmt.Sprintf("https://p%d.example", i), Outcome: o})
		}
		return all
	}
	for want, reports := range map[string][]rotate.TenantReport{
		"; 1 of 2 links proven (":                      {{Peers: peers(rotate.Accepted, rotate.Pending)}, {Err: rotate.ErrMNetOff}},
		"; 1 of 2 links proven, 2 skipped (":           {{Peers: peers(rotate.Accepted, rotate.Pending)}, {Peers: peers(rotate.Skipped, rotate.Skipped)}},
		"; 1 of 1 link proven, 1 skipped, 1 ignored (": {{Peers: peers(rotate.Accepted, rotate.Ignored, rotate.Skipped)}},
		"; 2 links skipped (":                          {{Peers: peers(rotate.Skipped, rotate.Skipped)}},
	} {
		var stdout strings.Builder
		out := NewArray(&Printer{Options: cmdline.Options{Command: cmdline.Doctor, All: true}, stdout: &Results{W: &stdout}, Stderr: io.Discard})
		out.Begin(len(reports), len(reports))
		for _, r := range reports {
			out.Tenant(r)
		}
		out.Finish(rotate.ExitPeers, nil)
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("nothing says %q:\n%s", want, stdout.String())
		}
	}
}

// The members that could not be read count, too.
func TestTheStatusOfAnArrayCountsTheSitesThatCouldNotBeRead(t *testing.T) {
	line := statusLine(rotate.TenantReport{Wwwroot: "https://t.example", Peers: []rotate.PeerReport{
		{Member: true, Holds: "current"}, {Member: true, Holds: "other"}, {Member: true}, {}}}, time.Now())
	if want := "4 peers, 1 of 3 in the array have it (1 could not be read)\n"; !strings.HasSuffix(line, want) {
		t.Errorf("%q", line)
	}
}

// What a signal has ended has not failed, and the end says once how to go on.
func TestWhatWasInterruptedHasNotFailed(t *testing.T) {
	signal := fmt.Errorf("stopped before anything was changed: %w", &SignalError{syscall.SIGINT})
	cut := rotate.PeerReport{Wwwroot: "https://p.example", Outcome: rotate.Pending, Reason: rotate.ReasonInterrupted}
	for name, command := range map[string]cmdline.Name{"renew": cmdline.Renew, "push": cmdline.Push} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr strings.Builder
			options := cmdline.Options{Command: command, All: true, LogFormat: "console"}
			options.Array.Fresh = time.Hour
			out := NewArray(&Printer{Options: options, Arguments: []string{string(command), "--all"}, stdout: &Results{W: &stdout}, Stderr: &stderr, Site: Site{Config: "/c.php"}})
			out.Begin(4, 4)
			out.Phase("check", rotate.Progress{Done: 3, Total: 3, Failed: 1, Stopped: 1})
			out.Tenant(rotate.TenantReport{Wwwroot: "https://a.example", Outcome: rotate.Failed, Err: signal, Error: signal.Error(), Exit: rotate.ExitNotRenewed})
			out.Tenant(rotate.TenantReport{Wwwroot: "https://d.example", Outcome: rotate.Kept, Err: signal, Error: signal.Error(), Exit: rotate.ExitNotRenewed})
			out.Tenant(rotate.TenantReport{Wwwroot: "https://b.example", Outcome: rotate.Failed, Err: rotate.ErrMNetOff, Error: "off", Exit: rotate.ExitNotRenewed})
			out.Tenant(rotate.TenantReport{Wwwroot: "https://c.example", Outcome: options.Command.Row().Good, Peers: []rotate.PeerReport{{Wwwroot: "https://q.example", Outcome: rotate.Accepted}, cut}, Exit: rotate.ExitPeers})
			out.Finish(128+int(syscall.SIGINT), nil)
			said := stdout.String() + stderr.String()
			not := "not " + options.Command.Row().Done
			for _, want := range []string{"checked 2/3, 1 failed, 1 not done (", not + " https://a.example\n", not + " https://d.example\n", "failed https://b.example\n", "1 " + strings.TrimPrefix(not, "not ") + ", 2 " + not + ", 1 failed; ", "pending 1 link: interrupted"} {
				if !strings.Contains(said, want) {
					t.Errorf("nothing says %q:\n%s", want, said)
				}
			}
			if strings.Count(said, "push --config=/c.php --all") > 1 || strings.Contains(stdout.String(), "next: ") && strings.Contains(stdout.String(), "To finish") || strings.Count(said, "hint: ") != 2 {
				t.Errorf("the same is said twice:\n%s", said)
			}
		})
	}
}
