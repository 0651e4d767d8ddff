package output

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/rotate"
)

// noRC4, dead and stock are next steps for these tests.
var (
	noRC4 = rotate.Finding{Code: "own_no_rc4", Severity: rotate.SeverityError, Message: "no RC4", Next: "enable it"}
	stock = rotate.Finding{Code: "peers_stock", Severity: rotate.SeverityInfo, Message: "as released", Next: "nothing to do"}
)

func dead(peer string) rotate.Finding {
	return rotate.Finding{Code: "peer_timeout", Severity: rotate.SeverityWarning, Subject: peer, Message: "not reached", Detail: "no answer from " + peer, Next: "check it"}
}

// examined is the report of a tenant with findings and one peer, from which users come.
func examined(wwwroot string, findings ...rotate.Finding) rotate.TenantReport {
	users, sessions, used := int64(3), int64(1), time.Date(2026, 3, 1, 11, 0, 0, 0, time.UTC)
	r := rotate.TenantReport{Wwwroot: wwwroot, Outcome: rotate.Kept, Site: &rotate.SiteReport{Moodle: "4.5.6", PHPWeb: "8.2.7", SingleSignOn: rotate.SignOnOn, RC4: "yes"},
		Peers: []rotate.PeerReport{{Wwwroot: "https://p.example", Outcome: rotate.Pending, Reason: "timeout", Use: &rotate.LinkUse{Users: &users, Sessions: &sessions, LastUsed: &used}}}}
	for _, f := range findings {
		if f.Subject == "" {
			f.Subject = wwwroot
		}
		r.Findings = append(r.Findings, f)
	}
	return r
}

func TestTheDiagnosisOfOneTenantForPeople(t *testing.T) {
	r := examined("https://t.example", noRC4, dead("https://p.example"), dead("https://q.example"), stock)
	const head = `https://t.example

error   no RC4 [own_no_rc4]
        next: enable it

warning not reached [peer_timeout]
        peer https://p.example: no answer from https://p.example
        peer https://q.example: no answer from https://q.example
        next: check it
`
	const site = "\nMoodle 4.5.6; PHP 8.2.7; single sign-on (auth_mnet) on; RC4 (OpenSSL's legacy provider) works\nlinks in use: 1 of the 1 in the databases (3 users, 1 open session)"
	short := head + site + "; --verbose lists them\n1 error, 2 warnings, 1 note (--verbose shows them); those with the same cause are listed once\n"
	whole := head + `
note    as released [peers_stock]
        next: nothing to do

users of the links of https://t.example
  https://p.example       3 users      1 session  last used 2026-03-01  last call -
` + site + "\n1 error, 2 warnings, 1 note; those with the same cause are listed once\n"
	for verbose, want := range map[bool]string{false: short, true: whole} {
		if diff := cmp.Diff(want, renderFindings(r, verbose, plain)); diff != "" {
			t.Errorf("verbose %v: %s", verbose, diff)
		}
	}
}

// Hundreds of peers that are down are a few lines for one tenant, too.
func TestManyPeersWithOneCauseAreAFewLines(t *testing.T) {
	r := examined("https://t.example")
	for i := range 300 {
		f := dead(fmt.Sprintf("https://p%03d.example", i))
		f.Subject = strings.TrimPrefix(f.Detail, "no answer from ")
		r.Findings = append(r.Findings, f)
	}
	text := renderFindings(r, false, plain)
	if !strings.Contains(text, "peer https://p004.example: no answer from https://p004.example\n        and 295 more peers\n") || strings.Count(text, "\n") > 14 {
		t.Error(text)
	}
}

func TestWhatIsNotKnownOfASiteIsCalledSo(t *testing.T) {
	r := examined("https://t.example")
	r.Site, r.Peers[0].Use = &rotate.SiteReport{PHPCommand: "8.4.1"}, &rotate.LinkUse{}
	text := renderFindings(r, false, plain)
	for _, want := range []string{"Moodle release not known; PHP 8.4.1 on the command line; single sign-on not known; RC4 (OpenSSL's legacy provider) not tested\n",
		"links in use: 0 of the 1 in the databases (0 users, 0 open sessions); 1 link could not be counted completely\n", "0 errors, 0 warnings, 0 notes\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("nothing says %q:\n%s", want, text)
		}
	}
}

// arrayOf diagnoses many tenants and gives what is printed.
func arrayOf(tenants int, verbose bool, of func(i int) rotate.TenantReport) string {
	var stdout strings.Builder
	out := NewArray(&Printer{Options: cmdline.Options{Command: cmdline.Doctor, Verbose: verbose}, stdout: &Results{W: &stdout}, Started: time.Now()})
	out.Begin(tenants, tenants)
	for i := range tenants {
		out.Tenant(of(i))
	}
	out.Finish(rotate.ExitPeers, nil)
	return stdout.String()
}

func TestThreeHundredTenantsWithOneCauseFitAScreen(t *testing.T) {
	tenant := func(i int) string { return fmt.Sprintf("https://t%03d.example", i) }
	text := arrayOf(300, false, func(i int) rotate.TenantReport {
		return examined(tenant(i), noRC4, dead("https://p.example"), dead(tenant(i+1)), stock)
	})
	for _, want := range []string{
		"error   no RC4 [own_no_rc4]\n        300 tenants: https://t000.example, https://t001.example, https://t002.example, https://t003.example, https://t004.example and 295 more\n",
		"301 peers: ", "300 tenants: Moodle 4.5.6; PHP 8.2.7;", "links in use: 300 of the 300 in the databases (900 users, 300 open sessions)",
		"300 errors, 600 warnings, 300 notes (--verbose shows them); those with the same cause are listed once\n", "300 tenants: 300 examined; 0 of 300 links proven",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("nothing says %q:\n%s", want, text)
		}
	}
	if lines := strings.Count(text, "\n"); lines > 24 {
		t.Errorf("%d lines:\n%s", lines, text)
	}
}

func TestErrorsOfAnArrayComeBeforeItsWarnings(t *testing.T) {
	text := arrayOf(2, true, func(i int) rotate.TenantReport {
		return examined(fmt.Sprintf("https://t%d.example", i), [][]rotate.Finding{{stock, dead("https://p.example")}, {noRC4}}[i]...)
	})
	last := -1
	for _, severity := range []string{"\nerror ", "\nwarning ", "\nnote "} {
		at := strings.Index(text, severity)
		if at <= last {
			t.Errorf("%q does not come in order:\n%s", severity, text)
		}
		last = at
	}
}

// What is wrong with one site can cut the links of all others.
func TestTheCauseOfASiteComesBeforeTheLinksThatItCuts(t *testing.T) {
	refused := rotate.Finding{Code: "peer_fault_7023", Severity: rotate.SeverityError, Subject: "https://t0.example", Message: "refused", Next: "push"}
	text := arrayOf(3, false, func(i int) rotate.TenantReport {
		return examined(fmt.Sprintf("https://t%d.example", i), [][]rotate.Finding{{noRC4}, {refused}, {refused}}[i]...)
	})
	if site, link := strings.Index(text, noRC4.Code), strings.Index(text, refused.Code); site < 0 || link < site {
		t.Error(text)
	}
}

// Hundreds of kinds of sites are cut, and no tenant is missing from the sum.
func TestManyKindsOfSitesAreAFewLines(t *testing.T) {
	text := arrayOf(300, false, func(i int) rotate.TenantReport {
		r := examined(fmt.Sprintf("https://t%03d.example", i))
		r.Site.Moodle = fmt.Sprintf("3.%d", i)
		return r
	})
	if !strings.Contains(text, "and 295 other kinds of sites, which --json lists\n") || strings.Count(text, "\n") > 12 {
		t.Error(text)
	}
}

// A tenant that cannot be read is one more of a group, and not a block of its own.
func TestTenantsThatCannotBeReadAreOneGroup(t *testing.T) {
	text := arrayOf(300, false, func(i int) rotate.TenantReport {
		r := Failed(fmt.Sprintf("https://t%03d.example", i), 1, fmt.Errorf("connection refused"))
		r.Findings = []rotate.Finding{{Code: "own_unreadable", Severity: rotate.SeverityError, Subject: r.Wwwroot, Message: "cannot be read", Detail: "connection refused", Next: "check"}}
		return r
	})
	if !strings.Contains(text, "300 tenants: https://t000.example") || !strings.Contains(text, "300 failed") || strings.Count(text, "\n") > 12 {
		t.Error(text)
	}
}

// Several tenants get one command for all only if it does no more than needed.
func TestTheCommandForSeveralTenants(t *testing.T) {
	for _, c := range []struct {
		next    string
		tenants int
		want    string
	}{
		{"Run: renew_mnetkeys push", 1, "        next: Run: sudo -u www-data renew_mnetkeys push --config=/c.php --host=https://t0.example\n"},
		{"Run: renew_mnetkeys push", 2, "        next: Run: sudo -u www-data renew_mnetkeys push --config=/c.php --all --withmaster\n"},
		{"Run: renew_mnetkeys verify", 2, "        next: Run: sudo -u www-data renew_mnetkeys verify --config=/c.php --all --withmaster\n"},
		{"Run: renew_mnetkeys", 2, "        next: do this for each of these tenants, for example for https://t0.example: Run: sudo -u www-data renew_mnetkeys --config=/c.php --host=https://t0.example\n"},
		{"Run: renew_mnetkeys --newkey", 2, "        next: do this for each of these tenants, for example for https://t0.example: Run: sudo -u www-data renew_mnetkeys --newkey --config=/c.php --host=https://t0.example\n"},
		{"Run: php admin/cli/purge_caches.php && renew_mnetkeys push", 2, "        next: do this for each of these tenants, for example for https://t0.example: Run: sudo -u www-data php /v/purge_caches.php --host=https://t0.example && sudo -u www-data renew_mnetkeys push --config=/c.php --host=https://t0.example\n"},
		{"check the clock", 2, "        next: check the clock\n"},
	} {
		o := cmdline.Options{Command: cmdline.Doctor, All: true}
		o.Array.WithMaster = true
		var stdout strings.Builder
		out := NewArray(&Printer{Options: o, stdout: &Results{W: &stdout}, Started: time.Now(), Site: Site{Config: "/c.php", User: "www-data",
			Tenant: func(string) bool { return true }, Purge: "/purge_caches.php", PurgeTenant: "/v/purge_caches.php"}})
		out.Begin(c.tenants, 2)
		for i := range c.tenants {
			out.Tenant(examined(fmt.Sprintf("https://t%d.example", i), rotate.Finding{Code: "own_x", Severity: rotate.SeverityError, Message: "m", Next: c.next}))
		}
		out.Finish(rotate.ExitNotRenewed, nil)
		if !strings.Contains(stdout.String(), c.want) {
			t.Errorf("nothing says %q:\n%s", c.want, stdout.String())
		}
	}
}

// The advice for one cause would hide the other.
func TestWhatIsCuredInDifferentWaysIsNotOneGroup(t *testing.T) {
	text := arrayOf(4, false, func(i int) rotate.TenantReport {
		next := []string{"check dbpass", "start the server"}[i%2]
		return examined(fmt.Sprintf("https://t%d.example", i), rotate.Finding{Code: "own_unreadable", Severity: rotate.SeverityError, Message: "cannot be read", Detail: next, Next: next})
	})
	for _, says := range []string{"next: check dbpass", "next: start the server", "2 tenants: https://t1.example, https://t3.example"} {
		if !strings.Contains(text, says) {
			t.Errorf("nothing says %q:\n%s", says, text)
		}
	}
}

// Every tenant is asked on every address: that all of them are proven is one line.
func TestWebServersThatAreProvenAreOneLine(t *testing.T) {
	node := func(address string, check rotate.SelfCheck) rotate.NodeReport {
		return rotate.NodeReport{Address: address, SelfCheck: check}
	}
	of := func(i int) rotate.TenantReport {
		r := examined(fmt.Sprintf("https://t%d.example", i))
		r.Nodes = []rotate.NodeReport{node("10.0.0.1", rotate.SelfProven), node("10.0.0.2", rotate.SelfProven), node("10.0.0.3", rotate.SelfUnreachable)}
		return r
	}
	text := arrayOf(5, false, of)
	if !strings.Contains(text, "2 web servers proven to use the stored key: 10.0.0.1, 10.0.0.2\n5 tenants: web server 10.0.0.3: unreachable: ") || strings.Count(text, "10.0.0.1") != 1 {
		t.Error(text)
	}
	if text := arrayOf(5, true, of); !strings.Contains(text, "5 tenants: web server 10.0.0.1: proven: it uses the stored key\n") {
		t.Error(text)
	}
}

// The site whose database all others wait for is named, whichever comes first.
func TestTheTenantWithTheMostToSayIsTheExample(t *testing.T) {
	d := newDoctorText(false, true)
	for i := range 5 {
		detail := "open the tenant's database: the run's --deadline has passed"
		if i == 3 {
			detail = "read the tenant: the run's --deadline has passed: read table mnet_host: no answer in time"
		}
		d.add(rotate.TenantReport{Wwwroot: fmt.Sprintf("https://t%d.example", i), Findings: []rotate.Finding{{Severity: rotate.SeverityError,
			Code: "own_unreadable", Message: "the tenant cannot be read", Detail: detail, Next: "give the run more time"}}})
	}
	text := d.text(plain, func(hint, _ string, _ bool) string { return hint })
	if !strings.Contains(text, "for example: https://t3.example: read the tenant: the run's --deadline has passed: read table mnet_host: no answer in time\n") {
		t.Error(text)
	}
}
