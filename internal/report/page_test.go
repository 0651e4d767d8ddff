package report_test

import (
	"errors"
	"fmt"
	"html"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"renew_mnetkeys/internal/report"
	"renew_mnetkeys/rotate"
)

// contains checks that each text is on the page, as a reader sees it.
func contains(t *testing.T, page string, texts ...string) {
	t.Helper()
	page = html.UnescapeString(page)
	for _, text := range texts {
		if !strings.Contains(page, text) {
			t.Errorf("the page lacks %q", text)
		}
	}
}

func TestThePageOfOneTenantSaysAllThatItsReportSays(t *testing.T) {
	p := newPage()
	p.Add(one())
	page := written(t, p, runWith(3))
	contains(t, page, "https://tenant.example.org: renewed; 2 of 4 peers proven, 1 pending, 1 refused, 1 skipped.",
		"Exit code 3", "done, but not everything is proven", "took 41.3s", "v1.4.0", "2026-11-22 03:04 UTC until 2026-12-20 03:04 UTC",
		"sha256 "+strings.Repeat("a1c03f1d", 8), "2 retired", "the history holds its 2 keys", "proven: it uses the stored key",
		"dial tcp 192.0.2.7:443: connect: connection refused", "<b>Next:</b> do something about mnet_off", "<b>Next:</b> do something about connect",
		`<td class="number tries">3</td><td class="number took">2,689</td>`, "27 days left")
	for _, p := range one().Peers {
		contains(t, page, p.Wwwroot, `data-o="`+string(p.Outcome)+`"`)
	}
	if strings.Count(page, "<b>Next:</b>") != 2 {
		t.Error("a peer that is proven or skipped has a next step")
	}
}

func TestThePageNamesTheWebServersThatWereAsked(t *testing.T) {
	asked := func(wwwroot string) rotate.TenantReport {
		return rotate.TenantReport{Wwwroot: wwwroot, Outcome: rotate.Kept, SelfCheck: rotate.SelfFailed, Nodes: []rotate.NodeReport{
			{Address: "web1.example:8443", SelfCheck: rotate.SelfProven}, {Address: "192.0.2.7", SelfCheck: rotate.SelfFailed, Reason: "fault_7023", Detail: "<old> key"}}}
	}
	for name, reports := range map[string][]rotate.TenantReport{
		"one tenant": {asked("https://a.example")},
		"an array":   {asked("https://a.example"), asked("https://b.example")},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPage()
			for _, r := range reports {
				p.Add(r)
			}
			contains(t, written(t, p, runWith(4)), "web1.example:8443: proven: it uses the stored key", "192.0.2.7: failed: ", "<old> key")
		})
	}
}

func TestTheHeadlineSaysWhatHappened(t *testing.T) {
	failed := rotate.TenantReport{Wwwroot: "https://a.example", Outcome: rotate.Failed, SelfCheck: rotate.SelfSkipped, Error: "locked", Err: errors.New("locked")}
	undone := failed
	undone.Outcome = rotate.Undone
	planned := rotate.TenantReport{Wwwroot: "https://b.example", Outcome: rotate.Kept, SelfCheck: rotate.SelfProven, Peers: []rotate.PeerReport{
		peer("https://x.example", rotate.Skipped, "", "would be told", 1, 1), peer("https://y.example", rotate.Pending, "dns", "", 1, 1)}}
	uncalled := rotate.TenantReport{Wwwroot: "https://d.example", Outcome: rotate.Kept, SelfCheck: rotate.SelfUnreachable, Peers: []rotate.PeerReport{
		peer("https://x.example", rotate.Skipped, "", "", 0, 0), peer("https://y.example", rotate.Skipped, "", "", 0, 0), peer("https://gone.example", rotate.Ignored, "dns", "", 1, 1)}}
	for name, c := range map[string]struct {
		reports []rotate.TenantReport
		run     report.Run
		want    []string
	}{
		"nobody":           {nil, report.Run{Command: renew}, []string{"No tenant was worked on.", "everything is proven, or nothing is due"}},
		"one failed":       {[]rotate.TenantReport{failed}, report.Run{Command: renew, ExitCode: 5}, []string{"https://a.example: failed.", "another run has the lock", "hint for locked"}},
		"a dry run of one": {[]rotate.TenantReport{planned}, report.Run{Command: renew, DryRun: true}, []string{"Dry run, nothing was changed. https://b.example: can be renewed; 1 of 2 peers can be reached, 1 pending."}},
		"two":              {[]rotate.TenantReport{planned, undone}, report.Run{Command: renew, ExitCode: 4}, []string{"2 tenants: 1 kept, 1 undone; 0 of 1 link proven, 1 pending, 1 skipped.", "act now"}},
		"some are ignored": {[]rotate.TenantReport{{Wwwroot: "https://c.example", Outcome: rotate.Renewed, SelfCheck: rotate.SelfProven, Peers: []rotate.PeerReport{
			peer("https://x.example", rotate.Accepted, "", "", 1, 1), peer("https://gone.example", rotate.Ignored, "dns", "", 1, 1)}}},
			report.Run{Command: renew}, []string{"https://c.example: renewed; 1 of 1 peer proven, 1 ignored."}},
		"none was called": {[]rotate.TenantReport{uncalled}, report.Run{Command: verify, ExitCode: 3}, []string{"https://d.example: verified; 2 peers skipped, 1 ignored."}},
		"none was tried":  {[]rotate.TenantReport{uncalled, uncalled}, report.Run{Command: push, ExitCode: 3}, []string{"2 tenants: 2 kept; 4 links skipped, 2 ignored."}},
		"pushed":          {[]rotate.TenantReport{planned}, report.Run{Command: push, ExitCode: 3}, []string{"renew_mnetkeys push", "Exit code 3</strong>: done, but not everything is proven"}},
		"not renewed":     {[]rotate.TenantReport{failed, undone}, report.Run{Command: renew, ExitCode: 1}, []string{"2 tenants: 1 undone, 1 failed.", "not renewed"}},
		"interrupted":     {nil, report.Run{Command: renew, ExitCode: 143}, []string{"interrupted at a safe point"}},
		"usage":           {nil, report.Run{Command: renew, ExitCode: 2}, []string{"wrong usage or configuration"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPage()
			for _, r := range c.reports {
				p.Add(r)
			}
			c.run.Started = started
			contains(t, written(t, p, c.run), c.want...)
		})
	}
}

// stop ends a run, and is no failure of the tenants that were not worked on.
type stop struct{ error }

func (stop) StopsRun() {}

func TestTheCountsThatFilterHaveTheWordsOfTheHeadline(t *testing.T) {
	p := newPage()
	for i, r := range []rotate.TenantReport{
		{Outcome: rotate.Failed, Err: stop{errors.New("interrupted by SIGINT")}}, {Outcome: rotate.Failed, Err: stop{errors.New("interrupted by SIGINT")}},
		{Outcome: rotate.Failed, Err: errors.New("locked")}, {Outcome: rotate.Kept, Err: stop{errors.New("interrupted by SIGINT")}},
		{Outcome: rotate.Failed, Err: stop{errors.New("interrupted by SIGINT")}, Exit: rotate.ExitLocalSite},
	} {
		r.Wwwroot, r.SelfCheck = site(i), rotate.SelfSkipped
		p.Add(r)
	}
	contains(t, written(t, p, runWith(130)), "5 tenants: 3 not renewed, 1 failed, 1 interrupted.",
		`data-outcome="kept"`, "<b>3</b> not renewed</button>", `data-outcome="failed"`, "<b>1</b> failed, 1 interrupted</button>", "</span> not renewed</td>", "</span> interrupted</td>", "</span> failed</td>")
}

func TestEveryOutcomeAndOwnProofIsNamedAndMarked(t *testing.T) {
	p := newPage()
	checks := []rotate.SelfCheck{rotate.SelfProven, rotate.SelfNoRC4, rotate.SelfUnreachable, rotate.SelfSkipped, rotate.SelfFailed}
	for i, o := range []rotate.Outcome{rotate.Renewed, rotate.Kept, rotate.Undone, rotate.Failed, "unheard-of"} {
		p.Add(rotate.TenantReport{Wwwroot: site(i), Outcome: o, SelfCheck: checks[i], Peers: append(one().Peers,
			peer("https://gone.example", rotate.Ignored, "dns", "", 1, 1))})
	}
	page := written(t, p, runWith(3))
	for _, mark := range []string{"renewed ✓", "kept =", "undone ←", "failed ✗", "unheard-of ?", "accepted A", "healed H", "pending P", "refused R", "skipped S", "ignored –"} {
		word, letter, _ := strings.Cut(mark, " ")
		contains(t, page, `<span class="mark `+word+`" aria-hidden="true">`+letter+"</span>")
	}
	for _, c := range checks {
		contains(t, page, ">"+string(c)+"</td>")
	}
	contains(t, page, "local site no_rc4", "local site unreachable", "local site failed", "enable OpenSSL's legacy provider")
}

// failureRow is a site and its failures.
var failureRow = regexp.MustCompile(`<bdi class="n">([^<]*)</bdi></th><td>(as a peer of|to) .*?<td class="said"><bdi>([^<]*)<[^§]*?class="names">([^<]*)<`)

func TestEveryFailureOfAnArrayIsListedOnce(t *testing.T) {
	page := written(t, array(200), runWith(3))
	listed := map[string]int{}
	for _, row := range failureRow.FindAllStringSubmatch(page, -1) {
		for name := range strings.SplitSeq(row[4], "\n") {
			tenant, peer := "https://"+name+".example.org", row[1]
			if row[2] == "to" {
				tenant, peer = peer, tenant
			}
			listed[tenant+" "+peer+" "+html.UnescapeString(row[3])]++
		}
	}
	failed := 0
	for i := range 200 {
		for _, p := range tenantOf(i, 200).Peers {
			if p.Outcome != rotate.Pending && p.Outcome != rotate.Refused {
				continue
			}
			failed++
			if link := site(i) + " " + p.Wwwroot + " " + p.Detail; listed[link] != 1 {
				t.Errorf("%s is listed %d times", link, listed[link])
			}
		}
	}
	if len(listed) != failed || failed < 500 {
		t.Errorf("%d failures are listed, there are %d", len(listed), failed)
	}
	contains(t, page, "unknown_to_peer <span class=\"count\">197 links", "194 links", "to 197 peers", "as a peer of 194 tenants", "All 4 tenants",
		"hint for read the tenant: access denied for user 'moodle'", "read the tenant: access denied", "do something about unknown_to_peer",
		`<span class="quiet">not asked</span>`)
}

func TestTheTenantThatStoppedARunComesFirst(t *testing.T) {
	p := newPage()
	for i := range 5 {
		err := stop{errors.New("the canary failed")}
		p.Add(rotate.TenantReport{Wwwroot: site(i), Outcome: rotate.Kept, Err: err, Error: err.Error()})
	}
	broken := errors.New("the hook failed")
	p.Add(rotate.TenantReport{Wwwroot: site(9), Outcome: rotate.Undone, Err: broken, Error: broken.Error()})
	page := written(t, p, runWith(1))
	if cause, left := strings.Index(page, "hint for the hook failed"), strings.Index(page, "hint for the canary failed"); cause < 0 || left < cause {
		t.Errorf("the cause is at %d, the tenants that were left out at %d", cause, left)
	}
}

func TestFailuresThatDifferKeepTheirDetails(t *testing.T) {
	p := newPage()
	for i := range 3 {
		p.Add(rotate.TenantReport{Wwwroot: site(i), Outcome: rotate.Renewed, Peers: []rotate.PeerReport{
			peer("https://down.example.com", rotate.Pending, "connect", fmt.Sprintf("from port %d", 5000+i), 1+i, 1)}})
	}
	contains(t, written(t, p, runWith(3)), "t000\tfrom port 5000\nt001\tfrom port 5001 (2 tries)\nt002\tfrom port 5002 (3 tries)")
}

func TestCertificatesStandInTheOrderInWhichTheyExpire(t *testing.T) {
	p := newPage()
	for i, k := range []*rotate.KeyReport{lives(0, 28), lives(-40, 28), lives(-25, 28), nil} {
		p.Add(rotate.TenantReport{Wwwroot: site(i), Outcome: rotate.Kept, Certificate: k})
	}
	page := written(t, p, runWith(0))
	_, line, _ := strings.Cut(page, `id="timeline-title"`)
	at := 0
	for _, want := range []string{"t001", "expired 12 days ago", "t002", "2 days left", "due:", "t000", "27 days left"} {
		i := strings.Index(line[at:], want)
		if i < 0 {
			t.Fatalf("%q does not stand behind what expires sooner", want)
		}
		at += i
	}
	if strings.Contains(line[:strings.Index(line, "</section>")], "t003") {
		t.Error("a tenant without a certificate has a life")
	}
}

func TestNamesFromDatabasesAndPeersAreInert(t *testing.T) {
	for _, hostile := range []string{`</script><img src=x onerror=alert(1)>`, `"><script>alert(1)</script>`, `' onmouseover='alert(1)`, "<!--", "]]>", "{{.}}",
		"javascript:alert(1)", "\u202egro.elpmaxe", "\x1b[2J\x1b]0;x\x07", "a\u2028b\x00c\xff"} {
		for _, n := range []int{1, 2, 36} {
			p := newPage()
			for i := range n {
				r := rotate.TenantReport{Wwwroot: fmt.Sprint(i, hostile), Outcome: rotate.Outcome(hostile), SelfCheck: rotate.SelfCheck(hostile), Error: hostile, Err: errors.New(hostile),
					Warnings: []string{hostile}, Certificate: lives(0, 28), Findings: []rotate.Finding{{Code: hostile, Severity: rotate.Severity(hostile), Subject: fmt.Sprint("x", hostile),
						Message: hostile, Next: hostile, Peers: []string{hostile}}}}
				for j := range 2 * n { // 36 times 72 cells: drawn by the script
					r.Peers = append(r.Peers, rotate.PeerReport{Wwwroot: fmt.Sprint(j, hostile), Application: hostile, Outcome: rotate.Refused, Reason: rotate.Reason(hostile), Detail: hostile, Holds: hostile},
						rotate.PeerReport{Wwwroot: hostile, Outcome: rotate.PeerOutcome(hostile)})
				}
				p.Add(r)
			}
			run := runWith(3)
			run.Command.Name, run.Version = hostile, hostile
			page := written(t, p, run)
			lower := strings.ToLower(page)
			if strings.Count(lower, "<script") != 2 || strings.Count(lower, "</script") != 2 || strings.Contains(lower, "<img") {
				t.Fatalf("%q has become an element among %d tenants", hostile, n)
			}
			if i := strings.IndexAny(page, "\u202e\u2028\x1b\x07\x00"); i >= 0 || !utf8.ValidString(page) {
				t.Fatalf("%q is not replaced: %q", hostile, page[max(0, i-100):max(0, i)+20])
			}
		}
	}
}

func TestAnArrayOf500IsSmallInMemoryAndOnDisk(t *testing.T) {
	for name, report := range map[string]func(i int) rotate.TenantReport{
		"nearly all is proven": func(i int) rotate.TenantReport { return tenantOf(i, 500) },
		"all is refused": func(i int) rotate.TenantReport {
			r := rotate.TenantReport{Wwwroot: site(i), Outcome: rotate.Renewed}
			for j := range 500 {
				r.Peers = append(r.Peers, peer(site(j), rotate.Refused, "mnet_off", "its MNet is switched off", 1, 3))
			}
			return r
		},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			p := newPage()
			for i := range 500 {
				p.Add(report(i))
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 5<<20 {
				t.Errorf("500 tenants are kept in %d bytes", grown)
			}
			begun := time.Now()
			size := len(written(t, p, runWith(3)))
			t.Logf("%d bytes in %s", size, time.Since(begun))
			if size > 3_000_000 {
				t.Errorf("the page has %d bytes", size)
			}
		})
	}
}

// A site whose local proof failed has one next step, which its links have too. On the page of several
// sites each group has its own: a filter may hide the others.
func TestANextStepIsSaidOnce(t *testing.T) {
	const next = "to see which store it is, run the doctor"
	failed := func(i int) rotate.TenantReport {
		return rotate.TenantReport{Wwwroot: site(i), Outcome: rotate.Failed, SelfCheck: rotate.SelfFailed, Error: "it failed", Err: &rotate.LocalSiteError{}, Hint: next, Exit: 4,
			Peers: []rotate.PeerReport{{Wwwroot: "https://p.example", Outcome: rotate.Pending, Reason: rotate.ReasonLocalSite, Next: next},
				{Wwwroot: "https://q.example", Outcome: rotate.Pending, Reason: rotate.ReasonConnect, Next: "start it"}}}
	}
	kept := func(i int) rotate.TenantReport { // its next step is that of the local site
		r := failed(i)
		r.Outcome, r.SelfCheck, r.Error, r.Err, r.Exit = rotate.Kept, rotate.SelfNoRC4, "", nil, 3
		_, r.Hint = r.LocalSite()
		r.Peers[0].Next = r.Hint
		return r
	}
	for _, c := range []struct {
		name    string
		next    string
		tenants []rotate.TenantReport
	}{
		{"one that failed", next, []rotate.TenantReport{failed(1)}},
		{"one whose local site is not proven", kept(1).Hint, []rotate.TenantReport{kept(1)}},
	} {
		p := advised{report.New()}
		for _, r := range c.tenants {
			p.Page.Add(r)
		}
		page := written(t, p, runWith(4))
		if n := strings.Count(page, html.EscapeString(c.next)); n != 1 {
			t.Errorf("%s: the next step is said %d times", c.name, n)
		}
		contains(t, page, "<b>Next:</b> start it")
	}
}

func TestCommandsOnThePageAreCompletedForTheirTenant(t *testing.T) {
	complete := func(next, wwwroot string, several bool) string {
		if several {
			wwwroot = "all as " + wwwroot
		}
		return next + " of [" + wwwroot + "]"
	}
	one := rotate.TenantReport{Wwwroot: "https://one.example", Outcome: rotate.Failed, Error: "it failed", Hint: "run: push", Exit: 1,
		Peers: []rotate.PeerReport{{Wwwroot: "https://p.example", Outcome: rotate.Refused, Reason: rotate.ReasonInterrupted}}}
	two := one
	two.Wwwroot = "https://two.example"
	of := func(reports ...rotate.TenantReport) string {
		p := newPage()
		for _, r := range reports {
			p.Add(r)
		}
		return written(t, p, report.Run{Command: renew, ExitCode: 1, Complete: complete})
	}
	contains(t, of(one), "run: push of [https://one.example]", "do something about interrupted of [https://one.example]")
	two.Hint = "run: doctor"
	contains(t, of(one, two), "run: push of [https://one.example]", "run: doctor of [https://two.example]", "do something about interrupted of [all as https://one.example]")
}
