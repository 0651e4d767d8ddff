package report_test

import (
	"strings"
	"testing"

	"renew_mnetkeys/internal/report"
	"renew_mnetkeys/rotate"
)

func kept(wwwroot string, exit int) rotate.TenantReport {
	return rotate.TenantReport{Wwwroot: wwwroot, Outcome: rotate.Kept, SelfCheck: rotate.SelfProven, Exit: exit, Peers: []rotate.PeerReport{peer("https://x.example", rotate.Skipped, "", "", 0, 0)}}
}

func TestWordsAndExitCodesAreThoseOfTheCommand(t *testing.T) {
	notDue := kept("https://a.example", 0)
	notDue.NotDue, notDue.DueAt = true, started
	fresh := kept("https://a.example", 0)
	fresh.NotDue = true
	back := kept("https://a.example", 3)
	back.Outcome = rotate.Renewed
	for name, c := range map[string]struct {
		command report.Command
		dryRun  bool
		exit    int
		r       rotate.TenantReport
		want    []string
		never   string
	}{
		"a check that is well":           {check, false, 0, kept("https://a.example", 0), []string{"<h1>OK: https://a.example: looked at", `header class="good"`}, "nothing due"},
		"a check that warns":             {check, false, 1, kept("https://a.example", 0), []string{"<h1>WARNING: https://a.example", "WARNING: the key expires soon", `header class="warn"`}, "not renewed"},
		"a critical check":               {check, false, 2, kept("https://a.example", 0), []string{"<h1>CRITICAL: ", `header class="bad"`, "the web server does not use it"}, "usage"},
		"a check that knows nothing":     {check, false, 3, kept("https://a.example", 0), []string{"<h1>UNKNOWN: ", `aria-hidden="true">?</span>`, "the state was not determined"}, "not everything is proven"},
		"a status":                       {status, false, 0, kept("https://a.example", 0), []string{"https://a.example: looked at; 1 peer skipped.", "</strong>: the databases were read; no link was tested</p>"}, "everything is"},
		"a status of what was not read":  {status, false, 3, kept("https://a.example", 3), []string{"not all tenants were read, or a result could not be written"}, "--live"},
		"a verification":                 {verify, false, 3, kept("https://a.example", 3), []string{"https://a.example: verified", "not everything is proven"}, "done, but"},
		"a diagnosis":                    {doctor, false, 1, kept("https://a.example", 1), []string{"examined; 0 errors, 0 warnings, 0 notes", "No problem was found.", "its own setup is wrong"}, "not renewed"},
		"a dry run of a push":            {push, true, 0, kept("https://a.example", 0), []string{"https://a.example: can be pushed", "</strong>: expected of a run without --dry-run, if the peers accept the key: everything is proven</p>"}, "can be renewed"},
		"a dry run that was interrupted": {push, true, 130, kept("https://a.example", 0), []string{"</strong>: interrupted at a safe point"}, "expected of"},
		"a dry run of a roll back":       {rollback, true, 0, kept("https://a.example", 0), []string{"https://a.example: can be rolled back", "<dd>can be rolled back</dd>"}, "kept:"},
		"a roll back":                    {rollback, false, 3, back, []string{"https://a.example: rolled back", "<dd>rolled back: the previous key is stored and in use</dd>"}, "renewed:"},
		"a dry run of a key that is new": {renew, true, 0, fresh, []string{"https://a.example: would only be pushed (its key is younger than --fresh)"}, "not due"},
		"a dry run of what is not due":   {renew, true, 0, notDue, []string{"https://a.example: not due"}, "<h1>x"},
		"a renewal means what it always": {renew, false, 1, kept("https://a.example", 1), []string{"failed: nothing was changed, or the change was undone"}, "setup"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPage()
			p.Add(c.r)
			page := written(t, p, report.Run{Command: c.command, DryRun: c.dryRun, Started: started, ExitCode: c.exit})
			contains(t, page, c.want...)
			if strings.Contains(page, c.never) {
				t.Errorf("the page says %q", c.never)
			}
		})
	}
}

func TestAFailureWithoutAHintLeadsToItsExitCode(t *testing.T) {
	for n, want := range map[int]int{1: 1, 3: 1} { // alone, and as one group of an array
		p := newPage()
		for i := range n {
			p.Add(rotate.TenantReport{Wwwroot: site(i), Outcome: rotate.Failed, SelfCheck: rotate.SelfSkipped, Error: "strange", Exit: rotate.ExitLocalSite})
		}
		page := written(t, p, runWith(4))
		if got := strings.Count(page, "exit code 4 of this tenant means: the web server does not use the stored key: act now; docs/recovery.md says what to do"); got != want {
			t.Errorf("of %d tenants, %d are on the page", n, got)
		}
	}
}

func TestStatusShowsWhatBothSidesHold(t *testing.T) {
	r := kept("https://a.example", 0)
	r.History, r.Retired = 1, []rotate.KeyReport{*lives(-27, 28)}
	r.Peers[0].Certificate, r.Peers[0].Holds = lives(0, 28), "archived"
	run := report.Run{Command: status, Started: started}
	p := newPage()
	p.Add(r)
	held := "its certificate a1c03f1da1c03f1d until 2026-12-20 03:04 UTC; has a retired certificate of this site"
	contains(t, written(t, p, run), "1 retired<br>2026-10-26 03:04 UTC until 2026-11-23 03:04 UTC", held)
	r.Wwwroot = "https://b.example"
	p.Add(r)
	contains(t, written(t, p, run), "Retired keys", "1, the newest until 2026-11-23", held)
}

// found has findings that a diagnosis may have, not sorted by severity.
func found(wwwroot string) rotate.TenantReport {
	r := kept(wwwroot, 1)
	r.Findings = []rotate.Finding{
		{Code: "own_history", Severity: rotate.SeverityInfo, Subject: wwwroot, Message: "it holds 2 keys", Next: "nothing to do"},
		{Code: "peers_same", Severity: rotate.SeverityWarning, Subject: wwwroot, Message: "2 of 5 peers: one key", Next: "look at them", Peers: []string{"https://p.example", "https://q.example"}},
		{Code: "peer_dns", Severity: rotate.SeverityError, Subject: "https://x.example", Message: "no such host", Next: "check the wwwroot"},
	}
	return r
}

func TestFindingsOfOneTenantStandByTheirSeverity(t *testing.T) {
	p := newPage()
	p.Add(found("https://a.example"))
	page := written(t, p, report.Run{Command: doctor, Started: started, ExitCode: 1})
	contains(t, page, "examined; 1 error, 1 warning, 1 note", "<b>1</b> note</button>", "https://p.example\nhttps://q.example", "<b>Next:</b> check the wwwroot", "2 of 5 peers: one key")
	_, list, _ := strings.Cut(page, `id="findings-title"`)
	at := -1
	for _, row := range []string{`>✗</span> error</td>`, `>!</span> warning</td>`, `>i</span> note</td>`} {
		i := strings.Index(list, row)
		if i <= at {
			t.Errorf("%s is at %d", row, i)
		}
		at = i
	}
}

func TestFindingsOfAnArrayStandByTheirCode(t *testing.T) {
	p := newPage()
	for i := range 3 {
		p.Add(found(site(i)))
	}
	page := written(t, p, report.Run{Command: doctor, Started: started, ExitCode: 1})
	contains(t, page, "error: peer_dns <span class=\"count\">3 findings", "warning: peers_same", "note: own_history", `<bdi class="n">https://x.example</bdi>: <bdi>no such host`,
		"2 of 5 peers: one key; peers: https://p.example, https://q.example", site(0)+"\n"+site(1)+"\n"+site(2), "3 errors, 3 warnings, 3 notes",
		"<b>3</b> errors</button>", "<b>3</b> warnings</button>", "<b>3</b> notes</button>", `data-o="error kept note skipped warning" data-tenant`)
	if strings.Count(page, "no such host") != 1 {
		t.Error("what all tenants share is not said once")
	}
	if e, w := strings.Index(page, "error: peer_dns"), strings.Index(page, "warning: peers_same"); e > w {
		t.Error("a warning comes before an error")
	}
}

// The page of an array counts tenants in the words of the text.
func TestKeysThatAreNewAreCountedInTheWordsOfTheText(t *testing.T) {
	p := newPage()
	for i := range 3 {
		r := kept(site(i), 0)
		r.NotDue = i < 2
		p.Add(r)
	}
	contains(t, written(t, p, report.Run{Command: renew, DryRun: true, Started: started}),
		"3 tenants: 1 can be renewed, 2 would only be pushed (their keys are younger than --fresh)")
	contains(t, written(t, p, report.Run{Command: renew, Started: started}),
		"3 tenants: 1 kept, 2 not renewed again (their keys are younger than --fresh)")
}
