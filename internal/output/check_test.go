package output

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/rotate"
)

// failing is a tenant whose web server was not proven for this reason; "" if it was not asked.
func failing(code int, reason rotate.Reason) rotate.TenantReport {
	r := rotate.TenantReport{SelfCheck: rotate.SelfFailed, Exit: code}
	if reason != "" {
		r.Nodes = []rotate.NodeReport{{Address: "127.0.0.1", SelfCheck: rotate.SelfFailed, Reason: reason}}
	}
	return r
}

// If a report says that anything is not proven, a check is not OK; a local site that uses another
// key is critical.
func TestACheckIsNotOKWhereSomethingIsNotProven(t *testing.T) {
	peer := func(o rotate.PeerOutcome, reason string) []rotate.PeerReport {
		return []rotate.PeerReport{{Wwwroot: "https://p.example", Outcome: o, Reason: rotate.Reason(reason)}}
	}
	for name, c := range map[string]struct {
		r    rotate.TenantReport
		want checkState
		says string
	}{
		"all is proven":                       {rotate.TenantReport{SelfCheck: rotate.SelfProven, Peers: peer(rotate.Accepted, "")}, okay, ""},
		"a peer that is ignored":              {rotate.TenantReport{SelfCheck: rotate.SelfProven, Peers: peer(rotate.Ignored, "connect")}, okay, ""},
		"this side of a link":                 {rotate.TenantReport{SelfCheck: rotate.SelfProven, Exit: 3, Peers: peer(rotate.Pending, "own_site")}, warning, "own_site"},
		"what was not stored":                 {rotate.TenantReport{SelfCheck: rotate.SelfProven, Exit: 3, Peers: peer(rotate.Refused, "not_stored")}, warning, "not_stored"},
		"an outcome of the future":            {rotate.TenantReport{SelfCheck: rotate.SelfProven, Peers: peer("half", "why")}, warning, "peer https://p.example half: why"},
		"the local site uses another key":     {failing(4, "fault_7023"), critical, "uses a different key from the one in the database"},
		"nothing says which key it uses":      {failing(4, ""), critical, "was not proven to use the stored key"},
		"its clock is wrong":                  {failing(0, "clock"), critical, "its clock and the clock of this machine differ"},
		"so it says without an exit code":     {failing(0, "fault_7023"), critical, "uses a different key from the one in the database"},
		"it has several caches":               {rotate.TenantReport{SelfCheck: rotate.SelfFailed, Exit: 4, Err: errors.New("several_caches"), Error: "several_caches"}, critical, "several_caches"},
		"exit code 4 alone":                   {rotate.TenantReport{SelfCheck: rotate.SelfProven, Exit: 4}, critical, "local site"},
		"it cannot be asked":                  {rotate.TenantReport{SelfCheck: rotate.SelfUnreachable, Exit: 3}, warning, "local site unreachable"},
		"that is an error":                    {rotate.TenantReport{SelfCheck: rotate.SelfUnreachable, Exit: 1, Err: rotate.ErrOwnUnreachable, Error: "x"}, warning, "x"},
		"it is not asked":                     {rotate.TenantReport{SelfCheck: rotate.SelfSkipped}, warning, "the local site was not asked"},
		"a word of the future for it":         {rotate.TenantReport{SelfCheck: "puzzled"}, warning, "local site puzzled"},
		"an exit code that nothing says why":  {rotate.TenantReport{SelfCheck: rotate.SelfProven, Exit: 3}, warning, "not everything is proven"},
		"the database is down":                {rotate.TenantReport{SelfCheck: rotate.SelfSkipped, Exit: 1, Err: errors.New("down"), Error: "down"}, Unknown, "down"},
		"MNet is off":                         {rotate.TenantReport{SelfCheck: rotate.SelfSkipped, Exit: 1, Err: rotate.ErrMNetForcedOff, Error: rotate.ErrMNetForcedOff.Error()}, warning, "MNet is switched off on this site by"},
		"nobody knows whose turn it was":      {rotate.TenantReport{Exit: 1, Err: errors.New("no register"), Error: "no register"}, Unknown, "UNKNOWN - no register"},
		"the database of a tenant that fails": {rotate.TenantReport{Wwwroot: "https://t.example", Exit: 1, Err: errors.New("x"), Error: "https://t.example: x"}, Unknown, "UNKNOWN - https://t.example: x"},
	} {
		t.Run(name, func(t *testing.T) {
			sum := newCheckSummary(&Printer{Started: time.Now()})
			if c.r.Wwwroot == "" && !strings.HasPrefix(name, "nobody") {
				c.r.Wwwroot = "https://t.example"
			}
			sum.add(c.r)
			if sum.state() != c.want || !strings.HasPrefix(sum.String(), "MNET "+c.want.String()+" - ") || !strings.Contains(sum.String(), c.says) {
				t.Errorf("%s", sum)
			}
		})
	}
}

// Tenants are examined concurrently: their order must not matter.
func TestTheFirstLineOfACheckIsTheSameWhateverComesFirst(t *testing.T) {
	add := map[string]func(*checkSummary){
		"unknown": func(c *checkSummary) {
			c.add(rotate.TenantReport{Wwwroot: "https://b.example", Err: errors.New("x"), Error: "down | x\ny"})
		},
		"warning": func(c *checkSummary) { c.problem(problem{state: warning, tenant: "https://c.example", cause: "late"}) },
		"critical": func(c *checkSummary) {
			c.add(rotate.TenantReport{Wwwroot: "https://a.example", Err: rotate.ErrExpired, Error: "over"})
		},
		"other": func(c *checkSummary) {
			c.problem(problem{state: critical, tenant: "https://d.example", cause: "later"})
		},
	}
	const want = "MNET CRITICAL - https://d.example: later; https://a.example: over; https://b.example: down ¦ x y; https://c.example: late" +
		"\n" +
		"[CRITICAL] https://d.example: later\n[CRITICAL] https://a.example: over\n[UNKNOWN] https://b.example: down ¦ x y\n[WARNING] https://c.example: late\n"
	for _, order := range [][]string{{"unknown", "warning", "critical", "other"}, {"other", "critical", "warning", "unknown"}, {"warning", "other", "unknown", "critical"}} {
		c := newCheckSummary(&Printer{})
		for _, name := range order {
			add[name](c)
		}
		if got := c.String(); got != want || c.state() != critical {
			t.Errorf("%q: %v\n%s", order, c.state(), got)
		}
	}
}

// linked is a tenant whose links to peers are all refused or pending for one reason.
func linked(tenant string, o rotate.PeerOutcome, reason rotate.Reason, peers ...string) rotate.TenantReport {
	r := rotate.TenantReport{Wwwroot: tenant, SelfCheck: rotate.SelfProven, Exit: rotate.ExitPeers}
	for _, p := range peers {
		r.Peers = append(r.Peers, rotate.PeerReport{Wwwroot: p, Outcome: o, Reason: reason, Detail: "of " + p, Attempts: 1})
	}
	return r
}

func TestACheckGroupsItsProblemsByCause(t *testing.T) {
	const a, b, d, p, q = "https://a.example", "https://b.example", "https://d.example", "https://p.example", "https://q.example"
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	expires := func(wwwroot string, in time.Duration) rotate.TenantReport {
		return rotate.TenantReport{Wwwroot: wwwroot, SelfCheck: rotate.SelfProven, Certificate: &rotate.KeyReport{NotAfter: now.Add(in)}}
	}
	off := func(wwwroot string) rotate.TenantReport {
		return rotate.TenantReport{Wwwroot: wwwroot, Exit: 1, Err: rotate.ErrMNetOff, Error: wwwroot + ": " + rotate.ErrMNetOff.Error()}
	}
	for name, c := range map[string]struct {
		reports []rotate.TenantReport
		want    string // the first line without its performance data
	}{
		"one link": {[]rotate.TenantReport{linked(a, rotate.Pending, "connect", p)},
			"MNET WARNING - https://a.example: peer https://p.example pending: connect: of https://p.example"},
		"links of one tenant": {[]rotate.TenantReport{linked(a, rotate.Refused, "no_rc4", p, q)},
			"MNET WARNING - 2 links refused (no_rc4) from https://a.example to https://p.example and https://q.example"},
		"a peer that is dead for all": {[]rotate.TenantReport{linked(d, rotate.Pending, "dns", p), linked(b, rotate.Pending, "dns", p), linked(a, rotate.Pending, "dns", p)},
			"MNET WARNING - 3 links pending (dns) from https://a.example, https://b.example and 1 more to https://p.example"},
		"two causes, the more frequent first": {[]rotate.TenantReport{linked(a, rotate.Pending, "dns", p), linked(b, rotate.Refused, "no_rc4", p, q)},
			"MNET WARNING - 2 links refused (no_rc4) from https://b.example to https://p.example and https://q.example; https://a.example: peer https://p.example pending: dns: of https://p.example"},
		"a site, and then links, which may be a consequence": {[]rotate.TenantReport{linked(b, rotate.Pending, "own_site", p, q), expires(a, 99*time.Hour)},
			"MNET WARNING - https://a.example: the key expires in 4 days; 2 links pending (own_site) from https://b.example to https://p.example and https://q.example"},
		"keys that expire at several times": {[]rotate.TenantReport{expires(a, 99*time.Hour), expires(b, 73*time.Hour)},
			"MNET WARNING - https://a.example and https://b.example: the key expires in less than 7 days"},
		"one key": {[]rotate.TenantReport{expires(a, 99*time.Hour)}, "MNET WARNING - https://a.example: the key expires in 4 days"},
		"MNet is off at several tenants": {[]rotate.TenantReport{off(a), off(b), off(d)},
			"MNET WARNING - https://a.example, https://b.example and 1 more: MNet is switched off on this site"},
		"all is well": {[]rotate.TenantReport{expires(a, 240*time.Hour)}, "MNET OK - https://a.example: the key expires in 10 days, 0 of 0 peers proven"},
	} {
		t.Run(name, func(t *testing.T) {
			sum := newCheckSummary(&Printer{Options: cmdline.Options{Warning: 7 * 24 * time.Hour, Critical: 48 * time.Hour}, Started: now})
			for _, r := range c.reports {
				sum.add(r)
			}
			line, details, _ := strings.Cut(sum.String(), "\n")
			if got, _, _ := strings.Cut(line, " |"); got != c.want {
				t.Errorf("%s\nwant %s", got, c.want)
			}
			if n := strings.Count("\n"+details, "\n["); n != len(sum.problems) && !(n == 0 && len(sum.problems) < 2) {
				t.Errorf("%d lines for %d problems:\n%s", n, len(sum.problems), details)
			}
		})
	}
}

// Monitoring systems cut longer answers, and with them the performance data. This is the line of an
// array of 300 tenants with every link broken.
func TestACheckFitsWhatMonitoringSystemsRead(t *testing.T) {
	for name, letter := range map[string]string{"in ASCII": "x", "in letters of four bytes": "😀", "in bars": "|"} {
		t.Run(name, func(t *testing.T) {
			sum := newCheckSummary(&Printer{})
			for i := range 300 {
				r := linked(fmt.Sprintf("https://%s%d.example", strings.Repeat(letter, 200), i), rotate.Refused, rotate.Reason(fmt.Sprintf("fault_%d", i%50)), "https://p.example", "https://q.example")
				r.Err, r.Error = errors.New("x"), strings.Repeat(letter, 5000)+fmt.Sprint(i%7)
				sum.add(r)
			}
			text := sum.String()
			line, _, _ := strings.Cut(text, "\n")
			if len(line) > 1024 || len(text) > 4096 || !utf8.ValidString(text) {
				t.Errorf("%d bytes, the first line %d:\n%s", len(text), len(line), text)
			}
			if !strings.HasSuffix(line, " | peers_pending=0;0;;0 peers_refused=600;0;;0") || strings.Count(line, "|") != 1 || !strings.Contains(line, " more causes |") {
				t.Errorf("the first line: %s", line)
			}
			lines, left := strings.Split(strings.TrimSuffix(text, "\n"), "\n"), 0
			shown := len(lines) - 2 // without the first line and the last
			if _, err := fmt.Sscanf(lines[len(lines)-1], "and %d more", &left); err != nil || shown < 2 || shown+left != len(sum.problems) {
				t.Errorf("%d lines of %d problems, then: %s", shown, len(sum.problems), lines[len(lines)-1])
			}
		})
	}
}

// Who is called at night pastes a command that mends it. Half a command would do something else.
func TestACheckNamesTheCommandThatMendsIt(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	const a, b, p, q = "https://a.example", "https://b.example", "https://p.example", "https://q.example"
	expiring := func(wwwroot string) rotate.TenantReport {
		return rotate.TenantReport{Wwwroot: wwwroot, SelfCheck: rotate.SelfProven, Certificate: &rotate.KeyReport{NotAfter: now.Add(time.Hour)}}
	}
	long := rotate.TenantReport{Wwwroot: "https://" + strings.Repeat("x", 1000) + ".example", SelfCheck: rotate.SelfFailed, Exit: rotate.ExitLocalSite}
	for name, c := range map[string]struct {
		reports []rotate.TenantReport
		want    string // the lines after the first
	}{
		"a key that expires": {[]rotate.TenantReport{expiring(a)},
			"next: look into the log of the job that renews the keys, and renew this one. Run: renew_mnetkeys --config=/c.php --host=https://a.example\n"},
		"two of them": {[]rotate.TenantReport{expiring(a), expiring(b)},
			"[CRITICAL] https://a.example: the key expires in 1 hour\n" +
				"next: do this for each of these tenants, for example for https://a.example: look into the log of the job that renews the keys, and renew this one. Run: renew_mnetkeys --config=/c.php --host=https://a.example\n" +
				"[CRITICAL] https://b.example: the key expires in 1 hour\n"},
		"the local site": {[]rotate.TenantReport{{Wwwroot: a, SelfCheck: rotate.SelfFailed, Exit: rotate.ExitLocalSite}},
			"next: " + strings.TrimSuffix(rotate.SelfFailed.NextStep(), "push") + "push --config=/c.php --host=https://a.example\n"},
		"links of several tenants": {[]rotate.TenantReport{linked(a, rotate.Refused, rotate.ReasonCannotOpen, p), linked(b, rotate.Refused, rotate.ReasonCannotOpen, p)},
			"[WARNING] https://a.example: peer https://p.example refused: cannot_open: of https://p.example\n" +
				"next: the peer does not have the current certificate of this site. A push sends it; if that does not help, ask the peer's administrator to delete this site's key and to fetch it again. Run: renew_mnetkeys push --config=/c.php --all\n" +
				"[WARNING] https://b.example: peer https://p.example refused: cannot_open: of https://p.example\n"},
		"links that are cured in different ways": {[]rotate.TenantReport{{Wwwroot: a, SelfCheck: rotate.SelfProven, Exit: rotate.ExitPeers, Peers: []rotate.PeerReport{
			{Wwwroot: p, Outcome: rotate.Pending, Reason: rotate.ReasonDatabase, Next: "start its database"}, {Wwwroot: q, Outcome: rotate.Pending, Reason: rotate.ReasonDatabase, Next: "correct its password"}}}},
			"[WARNING] https://a.example: peer https://q.example pending: database\nnext: correct its password\n[WARNING] https://a.example: peer https://p.example pending: database\nnext: start its database\n"},
		"several tenants to be looked at": {[]rotate.TenantReport{linked(a, rotate.Pending, rotate.ReasonLocalSite, p), linked(b, rotate.Pending, rotate.ReasonLocalSite, p)},
			"[WARNING] https://a.example: peer https://p.example pending: own_site: of https://p.example\n" +
				"next: this side of the link must be proven first. To see what is wrong with the local site, run: renew_mnetkeys doctor --config=/c.php --all\n" +
				"[WARNING] https://b.example: peer https://p.example pending: own_site: of https://p.example\n"},
		"the database is down":       {[]rotate.TenantReport{{Wwwroot: a, Exit: 1, Err: errors.New("down"), Error: "down", Hint: "start it"}}, "next: start it\n"},
		"a command that is too long": {[]rotate.TenantReport{long}, ""},
		"a command with a bar":       {[]rotate.TenantReport{expiring(a + "/x|y")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			out := &Printer{Options: cmdline.Options{Command: cmdline.Check, All: true, Critical: 48 * time.Hour}, Started: now, Site: Site{Config: "/c.php"}}
			sum := newCheckSummary(out)
			for _, r := range c.reports {
				out.advise(&r)
				sum.add(r)
			}
			if _, got, _ := strings.Cut(sum.String(), "\n"); got != c.want {
				t.Errorf("%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// However full the answer is, a problem is shown with its next step, or counted.
func TestACheckCutsNoNextStepOff(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	last := linked("https://z.example", rotate.Refused, rotate.ReasonMNetOff, "https://p.example")
	cut := 0
	for n := range 60 {
		var stdout strings.Builder
		out := &Printer{Options: cmdline.Options{Command: cmdline.Check, All: true}, stdout: &Results{W: &stdout}, Site: Site{Config: "/c.php"}, Started: now}
		sum := newCheckSummary(out)
		for i := range n {
			r := linked(fmt.Sprintf("https://t%02d.example", i), rotate.Refused, rotate.ReasonCannotOpen, "https://p.example")
			out.advise(&r)
			sum.add(r)
		}
		out.advise(&last)
		sum.add(last)
		text := sum.String()
		shown, has := strings.Contains(text, "[WARNING] https://z.example"), strings.Contains(text, "next: ask the peer's administrator to enable MNet")
		if n > 0 && (shown != has || !shown && !strings.HasSuffix(text, "which the command verify shows\n")) {
			t.Errorf("%d problems before it:\n%s", n, text)
		}
		if !shown {
			cut++
		}
	}
	if cut == 0 || cut > 40 {
		t.Errorf("%d answers were too full: the test shows nothing", cut)
	}
}
