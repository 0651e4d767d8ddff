package output

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/rotate"
)

func plain(_, padded string) string { return padded }

func reported(outcome rotate.Outcome, check rotate.SelfCheck, peers ...rotate.PeerReport) rotate.TenantReport {
	from, until := time.Date(2026, 3, 1, 11, 0, 0, 0, time.UTC), time.Date(2026, 3, 29, 12, 0, 0, 0, time.UTC)
	return rotate.TenantReport{Wwwroot: "https://t.example", Outcome: outcome, SelfCheck: check, History: 2, Peers: peers,
		Certificate: &rotate.KeyReport{SHA256: "aa11", NotBefore: &from, NotAfter: until},
		Previous:    &rotate.KeyReport{SHA256: "bb22", NotAfter: from}}
}

func TestAReportForPeople(t *testing.T) {
	good := rotate.PeerReport{Wwwroot: "https://good.example", Outcome: rotate.Accepted, TookMS: 12}
	dead := rotate.PeerReport{Wwwroot: "https://dead.example/moodle", Outcome: rotate.Pending, Reason: "timeout", Detail: "no answer in time", Attempts: 3, TookMS: 46000}
	evil := rotate.PeerReport{Wwwroot: "https://evil.example", Outcome: rotate.Refused, Reason: "fault_6999", Detail: "\x1b[2Jcleared", Attempts: 1, TookMS: 5}
	byRows := rotate.PeerReport{Wwwroot: "https://rows.example", Outcome: rotate.Refused, Reason: rotate.ReasonTwoRows, Detail: "it has two rows", Next: "decide"}
	head := `renewed https://t.example
  certificate  sha256 aa11
  valid        2026-03-01 11:00 UTC until 2026-03-29 12:00 UTC
  replaces     sha256 bb22 (2 in the history)
  local site   proven: it uses the stored key
`
	for _, c := range []struct {
		name  string
		r     rotate.TenantReport
		whole bool
		want  string
	}{
		{"whole: failures stand last, each with its next step, and nothing steers the terminal",
			reported(rotate.Renewed, rotate.SelfProven, dead, evil, good), true, head + `
  accepted  https://good.example            12 ms
  pending   https://dead.example/moodle  46000 ms  timeout: no answer in time (3 tries)
            next: if the site is only slow, give a longer --timeout. Otherwise check whether the site is down. When a peer is back, it fetches the new key by itself, if the key that it knows is still in the key history
  refused   https://evil.example             5 ms  fault_6999: cleared
            next: read the log of the site that answered

1 of 3 peers proven, 1 pending, 1 refused
`},
		{"what the databases show is no answer of the peer", reported(rotate.Renewed, rotate.SelfProven, byRows), true, head + `
  refused   https://rows.example      0 ms  two_rows: it has two rows (not called)
            next: decide

0 of 1 peer proven, 1 refused
`},
		{"short: the block and the summary", reported(rotate.Renewed, rotate.SelfProven, good), false, head + "1 of 1 peer proven\n"},
		{"no peers", reported(rotate.Renewed, rotate.SelfProven), true, head + "\nthe key is renewed; the site has no active peers\n"},
		{"nothing is known of the tenant: the error says it all", rotate.TenantReport{Outcome: rotate.Failed}, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			(&Printer{}).advise(&c.r)
			if diff := cmp.Diff(c.want, renderText(c.r, c.whole, cmdline.Options{Command: "renew"}, plain)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAReportSaysWhatItsCommandDid(t *testing.T) {
	notDue := reported(rotate.Kept, rotate.SelfProven)
	notDue.NotDue = true
	for want, c := range map[string]struct {
		r rotate.TenantReport
		o cmdline.Options
	}{
		"renewed":               {reported(rotate.Renewed, rotate.SelfProven), cmdline.Options{Command: "renew"}},
		"would renew":           {reported(rotate.Kept, rotate.SelfProven), cmdline.Options{Command: "renew", DryRun: true}},
		"would keep the key of": {notDue, cmdline.Options{Command: "renew", DryRun: true}},
		"kept":                  {reported(rotate.Kept, rotate.SelfProven), cmdline.Options{Command: "push"}},
		"would push the key of": {reported(rotate.Kept, rotate.SelfProven), cmdline.Options{Command: "push", DryRun: true}},
		"rolled back":           {reported(rotate.Renewed, rotate.SelfProven), cmdline.Options{Command: "rollback"}},
		"would roll back":       {reported(rotate.Kept, rotate.SelfProven), cmdline.Options{Command: "rollback", DryRun: true}},
		"undone":                {reported(rotate.Undone, rotate.SelfProven), cmdline.Options{Command: "rollback"}},
		"verified":              {reported(rotate.Kept, rotate.SelfProven), cmdline.Options{Command: "verify"}},
		"failed":                {reported(rotate.Failed, rotate.SelfFailed), cmdline.Options{Command: "verify"}},
	} {
		if text := renderText(c.r, true, c.o, plain); !strings.HasPrefix(text, want+" https://t.example\n") {
			t.Errorf("%s %+v: %s", c.o.Command, c.r.Outcome, text)
		}
	}
}

func TestADryRunSaysWhichCertificateItShowsAndWhichPeersItReached(t *testing.T) {
	plan := reported(rotate.Kept, rotate.SelfProven,
		rotate.PeerReport{Wwwroot: "https://a.example", Outcome: rotate.Skipped, Detail: "would be sent the new certificate, then tested by a sealed call", TookMS: 2},
		rotate.PeerReport{Wwwroot: "https://b.example", Outcome: rotate.Ignored, Reason: rotate.ReasonConnect, TookMS: 1})
	plan.Previous = nil
	want := `would renew https://t.example
  stored now   sha256 aa11
  valid        2026-03-01 11:00 UTC until 2026-03-29 12:00 UTC
  local site   proven: it uses the stored key

  reachable https://a.example      2 ms  would be sent the new certificate, then tested by a sealed call
  ignored   https://b.example      1 ms  connect

dry run: nothing was changed; 1 of 1 peer can be reached, 1 ignored
`
	if diff := cmp.Diff(want, renderText(plan, true, cmdline.Options{Command: "renew", DryRun: true}, plain)); diff != "" {
		t.Error(diff)
	}
}

// On a terminal somebody asks why the key was not renewed. A job has nothing to report.
func TestAKeyThatIsNotDueSaysWhenItIs(t *testing.T) {
	kept := reported(rotate.Kept, rotate.SelfProven)
	kept.NotDue, kept.DueAt = true, time.Date(2026, 3, 20, 3, 20, 0, 0, time.UTC)
	o := cmdline.Options{Command: "renew"}
	o.Due.OnlyIfDue = true
	for _, terminal := range []bool{true, false} {
		out := &Printer{Options: o, Terminal: terminal}
		text := out.render(kept, rotate.ExitOK)
		if strings.Contains(text, "\n  not due      the key will be renewed after 2026-03-20 03:20 UTC\n") != terminal || (text == "") == terminal {
			t.Errorf("terminal %v: %q", terminal, text)
		}
	}
}

func TestAnOwnSiteThatCannotBeProvenSaysWhatToDo(t *testing.T) {
	for _, check := range []rotate.SelfCheck{rotate.SelfNoRC4, rotate.SelfUnreachable} {
		var stdout, stderr strings.Builder
		out := printerOf(cmdline.Options{Command: "verify"}, &stdout, &stderr)
		out.Print(reported(rotate.Kept, check), rotate.ExitPeers)
		if !strings.Contains(stdout.String(), "next: "+check.NextStep()) {
			t.Errorf("%s: %s", check, stdout.String())
		}
		stdout.Reset()
		out = printerOf(cmdline.Options{Command: "verify", JSON: true}, &stdout, &stderr)
		out.Print(reported(rotate.Kept, check), rotate.ExitPeers)
		if !strings.Contains(stdout.String(), `"hint": "`+check.NextStep()) {
			t.Errorf("%s: %s", check, stdout.String())
		}
	}
}

// Every reason of the contract has a next step.
func TestEveryReasonHasANextStep(t *testing.T) {
	reasons := []rotate.Reason{rotate.HTTPReason(302), rotate.HTTPReason(404), rotate.HTTPReason(503), rotate.FaultReason(1), "a_reason_of_the_future"}
	for _, row := range rotate.Reasons {
		reasons = append(reasons, row.Code)
	}
	for _, reason := range reasons {
		for outcome, advised := range map[rotate.PeerOutcome]bool{rotate.Refused: true, rotate.Pending: true, "an outcome of the future": true,
			rotate.Healed: false, rotate.Skipped: false, rotate.Ignored: false} {
			for _, pushed := range []bool{false, true} {
				r := rotate.TenantReport{SelfCheck: rotate.SelfProven}
				next := r.NextStep(rotate.PeerReport{Outcome: outcome, Reason: reason}, pushed)
				if (next != "") != advised || pushed && reason.Row().NextPushed != "" && strings.Contains(next, "push") {
					t.Errorf("%s, %s: %q", outcome, reason, next)
				}
			}
		}
	}
}

func TestSentinelErrorsHaveHints(t *testing.T) {
	for _, err := range []error{rotate.ErrNoKey, rotate.ErrIncoherent, rotate.ErrExpired, rotate.ErrNothingRetired, rotate.ErrOnlyUndone, rotate.ErrNoneRetired, rotate.ErrMNetOff, rotate.ErrNoLocalRow, rotate.ErrLocked, rotate.ErrConflict, rotate.ErrUncertain, &rotate.UnreachableError{Wwwroot: "https://own.example", Failure: &rotate.Failure{Reason: "connect"}}, rotate.ErrOwnClock,
		&rotate.LocalSiteError{Failure: &rotate.Failure{Reason: "fault_7023"}}} {
		if rotate.HintOf(err) == "" {
			t.Errorf("%v leaves the operator alone", err)
		}
	}
}

// A name from a row, or a word from a peer, stays inside its line in every text for people.
func TestANameWritesNoLineOfItsOwn(t *testing.T) {
	const forged = "https://a.example\nerror: forged"
	tenant := reported(rotate.Renewed, rotate.SelfProven,
		rotate.PeerReport{Wwwroot: forged, Outcome: rotate.Refused, Reason: "fault_1", Detail: forged, Holds: "current"})
	tenant.Wwwroot, tenant.Warnings = forged, []string{forged}
	tenant.Findings = []rotate.Finding{{Code: "peers_http", Severity: rotate.SeverityInfo, Subject: forged, Message: forged, Next: forged}}
	var stderr strings.Builder
	PrintError(&stderr, errors.New(forged))
	check := newCheckSummary(&Printer{Started: time.Now()})
	check.add(tenant)
	for what, text := range map[string]string{
		"the report":   renderText(tenant, true, cmdline.Options{Command: "renew"}, plain),
		"the status":   renderStatus(tenant, time.Now(), plain),
		"the findings": renderFindings(tenant, true, plain),
		"a line":       statusLine(tenant, time.Now()),
		"an error":     stderr.String(),
		"the check":    check.String(),
	} {
		if strings.Contains(text, "\nerror: forged") || !strings.Contains(text, "error: forged") {
			t.Errorf("%s:\n%s", what, text)
		}
	}
}

// Ctrl-C leaves three hundred peers pending, for one reason.
func TestPeersWithTheSameNextStepHaveItOnce(t *testing.T) {
	peer := func(wwwroot, next string) rotate.PeerReport {
		return rotate.PeerReport{Wwwroot: wwwroot, Outcome: rotate.Pending, Reason: "connect", Next: next}
	}
	good := rotate.PeerReport{Wwwroot: "https://b.example", Outcome: rotate.Accepted}
	r := reported(rotate.Renewed, rotate.SelfProven, peer("https://a.example", "wait"), good, peer("https://c.example", "wait"), peer("https://d.example", "call"), peer("https://e.example", "wait"))
	text := renderText(r, true, cmdline.Options{Command: "renew"}, plain)
	const next = "\n            next: "
	want := []string{"https://c.example" /* and that of a */, "https://d.example", "https://e.example"}
	if parts := strings.Split(text, next); len(parts) != 1+len(want) || !strings.Contains(parts[0], "https://a.example") {
		t.Error(text)
	} else {
		for i, wwwroot := range want {
			if !strings.Contains(parts[i], wwwroot) {
				t.Errorf("not behind %s:\n%s", wwwroot, text)
			}
		}
	}
}

func TestManyTenantsThatAreWarnedOfTheSameAreOneLine(t *testing.T) {
	var stdout, stderr strings.Builder
	array := NewArray(printerOf(cmdline.Options{Command: "renew", All: true, DryRun: true}, &stdout, &stderr))
	array.Begin(6, 6)
	for i := range 6 {
		r := rotate.TenantReport{Wwwroot: fmt.Sprintf("https://t%d.example", i), Outcome: rotate.Kept, Warnings: []string{"it is young"}}
		if i == 5 {
			r.Warnings = []string{"it is old"}
		}
		array.Tenant(r)
	}
	array.Finish(rotate.ExitOK, nil)
	want := "\n5 tenants: it is young\n  tenants: https://t0.example, https://t1.example, https://t2.example, https://t3.example, https://t4.example\nhttps://t5.example: it is old\n"
	if !strings.Contains(stdout.String(), want) {
		t.Error(stdout.String())
	}
}

// A command in a next step is for those that it is about, never for the master alone.
func TestTheNextStepOfLinksIsForTheirTenants(t *testing.T) {
	for tenants, want := range map[int]string{1: " --host=https://t0.example\n", 2: " --all\n"} {
		var stdout, stderr strings.Builder
		out := printerOf(cmdline.Options{Command: "push", All: true}, &stdout, &stderr)
		out.Site = Site{Config: "/c.php", User: "www-data", Tenant: func(string) bool { return true }}
		array := NewArray(out)
		array.Begin(tenants, tenants)
		for i := range tenants {
			r := reported(rotate.Kept, rotate.SelfProven, rotate.PeerReport{Wwwroot: "https://p.example", Outcome: rotate.Pending, Reason: "interrupted", Next: "run: renew_mnetkeys push"})
			r.Wwwroot = fmt.Sprintf("https://t%d.example", i)
			array.Tenant(r)
		}
		array.Finish(rotate.ExitPeers, nil)
		if line := "\n  next: run: sudo -u www-data renew_mnetkeys push --config=/c.php" + want; !strings.Contains(stdout.String(), line) {
			t.Errorf("%d tenants:\n%s", tenants, stdout.String())
		}
	}
}

func TestStatusShowsTheNextStepOfPeers(t *testing.T) {
	down := rotate.PeerReport{Outcome: rotate.Pending, Reason: rotate.ReasonConnect, Next: "check whether it is down"}
	a, b, c := down, down, down
	a.Wwwroot, b.Wwwroot, c.Wwwroot, c.Next = "https://a.example", "https://b.example", "https://c.example", "renew its key"
	text := renderStatus(reported(rotate.Kept, rotate.SelfProven, a, b, c), time.Now(), plain)
	_, peers, _ := strings.Cut(text, "\n\n")
	var order []string
	for line := range strings.Lines(peers) {
		order = append(order, strings.Fields(line)[0])
	}
	if got := strings.Join(order, " "); got != "pending pending next: pending next:" {
		t.Errorf("%s:\n%s", got, text)
	}
}

// A note that does not change the exit code is none of what --quiet prints.
func TestAQuietRunPrintsNoNotes(t *testing.T) {
	for quiet, want := range map[bool]string{false: "MNet is switched off", true: ""} {
		var stdout, stderr strings.Builder
		r := reported(rotate.Kept, rotate.SelfSkipped)
		r.Warnings = []string{"MNet is switched off"}
		printerOf(cmdline.Options{Command: cmdline.Status, Quiet: quiet}, &stdout, &stderr).Print(r, rotate.ExitOK)
		if said := stdout.String() + stderr.String(); quiet && said != "" || !strings.Contains(said, want) {
			t.Errorf("quiet %v: %q", quiet, said)
		}
	}
}
