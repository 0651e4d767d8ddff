package test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/rotate"
)

// Every command that writes nothing looks at an array of a master and a tenant, with a peer
// outside.
func TestLookingWritesNothing(t *testing.T) {
	t.Parallel()
	own, tenant, outside := threeSites(t)
	v := newVMoodle(t, own, tenant)
	look := func(word string, args ...string) ran { return operate(t, v.config, word, args, own, tenant, outside) }
	renewIt(t, own).expect(t, 0)
	certificate := own.Certificate(t)
	for _, s := range []*testbed.Site{own, tenant, outside} {
		s.Warm(t)
	}
	caches := cached(t, own)
	unwritten := func(t *testing.T, run func()) {
		t.Helper()
		unchanged(t, run, own, tenant, outside)
		if cached(t, own) != caches {
			t.Error("the cache was touched")
		}
	}

	t.Run("all is well", func(t *testing.T) {
		unwritten(t, func() {
			look("verify").expect(t, 0, "verified "+own.Wwwroot, "local site   proven", "2 of 2 peers proven")
			d := look("verify", "--json").document(t)
			if p := d.peer(t, tenant.Wwwroot); d.Command != "verify" || p.Outcome != rotate.Accepted || p.Detail != "both ways" {
				t.Errorf("the tenant: %+v", p)
			}
			if p := d.peer(t, outside.Wwwroot); p.Outcome != rotate.Accepted || p.Detail != "" {
				t.Errorf("the peer outside: %+v", p)
			}
			live := look("status", "--live", "--json").document(t)
			if p := live.peer(t, tenant.Wwwroot); p.Outcome != rotate.Accepted || p.Holds != "current" || p.Certificate == nil {
				t.Errorf("status --live: %+v", p)
			}
			answer := checked(t, look("check"))
			if answer.state != "OK" || answer.code != 0 || !strings.Contains(answer.text, "2 of 2 peers proven") ||
				!strings.Contains(answer.text, "27 days") || answer.data["days_left"] != "27.99" {
				t.Errorf("%+v", answer)
			}
			healthy := look("doctor", "--json")
			healthy.expect(t, 0)
			for _, f := range healthy.document(t).Tenants[0].Findings {
				if f.Severity != rotate.SeverityInfo || f.Next == "" {
					t.Errorf("of a healthy site: %+v", f)
				}
			}
		})
	})

	t.Run("status says what the rows say", func(t *testing.T) {
		// No site can be asked.
		for _, s := range []*testbed.Site{own, tenant, outside} {
			s.Stop()
			defer s.Start(t)
		}
		holds := func(t *testing.T, change, want string) {
			t.Helper()
			if change != "" {
				tenant.DB.Exec(t, "UPDATE {mnet_host} SET "+change+" WHERE wwwroot = ?", own.Wwwroot)
			}
			unchanged(t, func() {
				r := look("status", "--json")
				r.expect(t, 0)
				if p := r.document(t).peer(t, tenant.Wwwroot); p.Holds != want || p.Outcome != rotate.Skipped || p.Attempts != 0 {
					t.Errorf("want %s: %+v", want, p)
				}
			}, own, tenant)
		}
		archived, _, _ := strings.Cut(historyOf(t, own)[0], "@@@@@@@@")
		holds(t, "", "current")
		holds(t, "public_key = '"+archived+"'", "archived")
		holds(t, "public_key = '"+tenant.Certificate(t)+"'", "other")
		holds(t, "deleted = 1", "none")
		holds(t, "deleted = 0, public_key = '"+certificate+"'", "current")
		d := look("status", "--json").document(t).Tenants[0]
		if d.SelfCheck != rotate.SelfSkipped || len(d.Retired) != 1 || d.History != 1 || d.Certificate == nil || d.Retired[0].SHA256 == d.Certificate.SHA256 {
			t.Errorf("%+v", d)
		}
		r := look("status")
		r.expect(t, 0, d.Certificate.SHA256, d.Retired[0].SHA256, "27 days left", "1 retired key\n", "has the current certificate of this site")
		if outside := lineWith(r.stdout, outside.Wwwroot); !strings.Contains(outside, "its certificate ") || strings.Contains(outside, "holds") {
			t.Errorf("it says of the peer outside %q", outside)
		}
		look("status", "--live", "--retries=0").expect(t, 3, "unreachable", "connection refused")
	})

	t.Run("of a database that is down nothing is said but that", func(t *testing.T) {
		down := []string{"--cfg", "dbhost=127.0.0.1", "--cfg", "dboptions.dbport=1"}
		r := look("doctor", down...)
		r.expect(t, 1, "[own_unreadable]", "127.0.0.1:1", "next: check that the database server is running", "1 error, 0 warnings, 0 notes")
		for _, word := range []string{"status", "verify"} {
			r := look(word, down...)
			if r.code != 1 || r.stdout != "failed "+own.Wwwroot+"\n" || !strings.Contains(r.stderr, "error: ") || !strings.Contains(r.stderr, "127.0.0.1:1") || !strings.Contains(r.stderr, "hint: ") {
				t.Errorf("%s: %+v", word, r)
			}
		}
	})

	t.Run("a tenant that holds a key of nobody's is refused", func(t *testing.T) {
		tenant.DB.Exec(t, "UPDATE {mnet_host} SET public_key = ? WHERE wwwroot = ?", tenant.Certificate(t), own.Wwwroot)
		defer tenant.DB.Exec(t, "UPDATE {mnet_host} SET public_key = ? WHERE wwwroot = ?", certificate, own.Wwwroot)
		unwritten(t, func() {
			r := look("verify")
			r.expect(t, 3, "1 of 2 peers proven, 1 refused", "a push to the array writes this site's key into the peer's database. Run: ", "renew_mnetkeys push --all")
			if line := lineWith(r.stdout, tenant.Wwwroot); !strings.Contains(line, "refused") || !strings.Contains(line, "it uses another certificate of this site, whose key this site does not have") {
				t.Errorf("it says of the tenant %q", line)
			}
			if answer := checked(t, look("check")); answer.state != "WARNING" || answer.code != 1 || answer.data["peers_refused"] != "1" || answer.data["peers_pending"] != "0" || !strings.Contains(answer.text, tenant.Wwwroot) {
				t.Errorf("%+v", answer)
			}
		})
	})
}

// lineWith is the first line of a text that contains a word.
func lineWith(text, word string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, word) {
			return line
		}
	}
	return ""
}

// answer is what a monitoring system reads from a check.
type answer struct {
	code        int
	state, text string
	data        map[string]string // value by label
}

// These patterns follow the Monitoring Plugins' guidelines: a state and text, a bar, and for each
// number its label, value, and the ranges and limits after semicolons.
var (
	answerForm = regexp.MustCompile(`^MNET (OK|WARNING|CRITICAL|UNKNOWN) - ([^|]*[^| ])(?: \|((?: [a-z_]+=\S+)+))?$`)
	numberForm = regexp.MustCompile(`^([a-z_]+)=(-?[0-9]+(?:\.[0-9]+)?);([0-9.]+:?)?;([0-9.]+:?)?(?:;([0-9.]+))?$`)
)

func checked(t testing.TB, r ran) answer {
	t.Helper()
	first, _, _ := strings.Cut(r.stdout, "\n")
	m := answerForm.FindStringSubmatch(first)
	if m == nil {
		t.Fatalf("no line of a check: %q\n%s", first, r.stderr)
	}
	a := answer{code: r.code, state: m[1], text: m[2], data: map[string]string{}}
	for _, number := range strings.Fields(m[3]) {
		n := numberForm.FindStringSubmatch(number)
		if n == nil {
			t.Errorf("no performance data: %q", number)
			continue
		}
		a.data[n[1]] = n[2]
	}
	if want := map[string]int{"OK": 0, "WARNING": 1, "CRITICAL": 2, "UNKNOWN": 3}[a.state]; a.code != want {
		t.Errorf("%s with exit code %d", a.state, a.code)
	}
	return a
}

func TestCheckTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	own, peer := patched(t), patched(t)
	own.Peer(t, peer)
	check := func(args ...string) answer {
		t.Helper()
		return checked(t, operate(t, own.ConfigFile, "check", args, own))
	}
	aged(t, own, 22*day+day/2, 28, peer) // 5.5 days are left
	for _, c := range []struct {
		name        string
		args        []string
		spoil, mend func()
		state, says string
		pending     string // "" if no peer was looked at
	}{
		{name: "all is well", args: []string{"--warning=5d"}, state: "OK", says: "the key expires in 5 days, 1 of 1 peer proven", pending: "0"},
		{name: "the key ends soon", state: "WARNING", says: "the key expires in 5 days", pending: "0"},
		{name: "the key ends very soon", args: []string{"--critical=6d"}, state: "CRITICAL", says: "the key expires in 5 days", pending: "0"},
		{name: "a peer is down", args: []string{"--warning=5d", "--retries=0"}, spoil: peer.Stop, state: "WARNING", says: "peer " + peer.Wwwroot + " pending: connect", pending: "1"},
		{name: "a peer is down and the key ends very soon", args: []string{"--critical=6d", "--retries=0"}, mend: func() { peer.Start(t) },
			state: "CRITICAL", says: own.Wwwroot + ": the key expires in 5 days", pending: "1"},
		{name: "the own site is not reachable", args: []string{"--warning=5d", "--retries=0"}, spoil: own.Stop, state: "WARNING", says: "local site unreachable", pending: "1"},
		{name: "the own site must be asked", args: []string{"--warning=5d", "--retries=0", "--self-check=require"}, mend: func() { own.Start(t) },
			state: "WARNING", says: "local site unreachable", pending: "1"},
		{name: "the own site is not asked", args: []string{"--warning=5d", "--self-check=off"}, state: "WARNING", says: "the local site was not asked", pending: "1"},
		{name: "MNet is off", spoil: func() { own.SetMNet(t, false) }, mend: func() { own.SetMNet(t, true) }, state: "WARNING", says: "MNet is switched off on this site"},
		{name: "the own site uses the key before", spoil: func() { own.Renew(t, testbed.Renewal{Stale: true}) }, mend: func() { own.Purge(t) },
			state: "CRITICAL", says: "the web server does not use the key"},
		{name: "the row holds another certificate", spoil: func() { own.BrokenPHPRenewal(t) }, state: "CRITICAL", says: "key pair and local host row differ"},
		{name: "the key has expired", spoil: func() { aged(t, own, 30*day, 28, peer) }, state: "CRITICAL", says: own.Wwwroot + ": the key has expired"},
		{name: "the database is down", args: []string{"--cfg", "dbhost=127.0.0.1", "--cfg", "dboptions.dbport=1"}, state: "UNKNOWN", says: "127.0.0.1:1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.spoil != nil {
				c.spoil()
			}
			unchanged(t, func() {
				got := check(c.args...)
				if got.state != c.state || !strings.Contains(got.text, c.says) || got.data["peers_pending"] != c.pending || got.data["peers_refused"] != strings.Repeat("0", len(c.pending)) {
					t.Errorf("%+v", got)
				}
			}, own, peer)
			if c.mend != nil {
				c.mend()
			}
		})
	}
}

func TestDoctorFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	own, peer := patched(t), patched(t)
	own.Peer(t, peer)
	own.Warm(t)
	examine := func(t *testing.T, code int) map[string][]rotate.Finding {
		t.Helper()
		found := map[string][]rotate.Finding{}
		unchanged(t, func() {
			r := operate(t, own.ConfigFile, "doctor", []string{"--json", "--retries=0"}, own, peer)
			r.expect(t, code)
			for _, f := range r.document(t).Tenants[0].Findings {
				found[f.Code] = append(found[f.Code], f)
				if f.Next == "" || f.Message == "" || f.Subject == "" {
					t.Errorf("%+v", f)
				}
			}
		}, own, peer)
		return found
	}
	has := func(t *testing.T, found map[string][]rotate.Finding, severity rotate.Severity, code, subject string) {
		t.Helper()
		if !slices.ContainsFunc(found[code], func(f rotate.Finding) bool { return f.Severity == severity && f.Subject == subject }) {
			t.Errorf("no %s %s of %s: %+v", severity, code, subject, found[code])
		}
	}
	const nobody, elsewhere, expired = "https://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3"
	t.Run("with its peers", func(t *testing.T) {
		row := func(wwwroot, certificate string, verification int) {
			own.DB.Exec(t, `INSERT INTO {mnet_host} (wwwroot, name, public_key, public_key_expires, applicationid, sslverification)
				VALUES (?, 'planted', ?, UNIX_TIMESTAMP() + 86400, (SELECT id FROM {mnet_application} WHERE name = 'moodle'), ?)`, wwwroot, certificate, verification)
		}
		row(nobody, "", 0)
		row(elsewhere, peer.Certificate(t), 2)
		row(expired, certify(t, expired, 40*day, 28).Certificate.PEM, 2)
		row(peer.Wwwroot+"/", peer.Certificate(t), 2)
		row("ftp://peer.example", peer.Certificate(t), 2)
		found := examine(t, 3)
		has(t, found, rotate.SeverityError, "peer_certificate_missing", nobody)
		has(t, found, rotate.SeverityWarning, "peers_tls_unverified", own.Wwwroot)
		has(t, found, rotate.SeverityWarning, "peer_certificate_other_name", elsewhere)
		has(t, found, rotate.SeverityWarning, "peer_connect", elsewhere)
		has(t, found, rotate.SeverityWarning, "peer_certificate_expired", expired)
		has(t, found, rotate.SeverityWarning, "peer_trailing_slash", peer.Wwwroot+"/")
		has(t, found, rotate.SeverityWarning, "peer_duplicate", peer.Wwwroot)
		has(t, found, rotate.SeverityError, "peer_wwwroot", "ftp://peer.example")
		r := operate(t, own.ConfigFile, "doctor", []string{"--retries=0"}, own)
		r.expect(t, 3, "[peer_certificate_missing]\n        1 peer: "+nobody+"\n", "next: a push asks for the certificate that the peer uses, and stores it. Run: renew_mnetkeys push --config=", "[peers_tls_unverified]\n        1 peer: "+nobody+"\n", "(--verbose shows them)\n")
		own.DB.Exec(t, "DELETE FROM {mnet_host} WHERE name = 'planted'")
	})
	for _, c := range []struct {
		name, code  string
		spoil, mend func()
		exit        int
	}{
		{"with MNet", "own_mnet_off", func() { own.SetMNet(t, false) }, func() { own.SetMNet(t, true) }, 1},
		{"with its web side", "own_key_not_used", func() { own.Renew(t, testbed.Renewal{Stale: true}) }, func() { own.Purge(t) }, 4},
		{"with its row", "own_row_certificate", func() { own.BrokenPHPRenewal(t) }, func() { renewIt(t, own).expect(t, 0) }, 4},
		{"with the age of its key", "own_key_expired", func() { own.Expire(t) }, func() { renewIt(t, own).expect(t, 0) }, 1},
		{"with its row, which is another site's", "own_row_other_site", func() {
			own.DB.Exec(t, "UPDATE {mnet_host} SET wwwroot = 'https://original.example' WHERE wwwroot = ?", own.Wwwroot)
		}, func() {
			own.DB.Exec(t, "UPDATE {mnet_host} SET wwwroot = ? WHERE wwwroot = 'https://original.example'", own.Wwwroot)
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.spoil()
			found := examine(t, c.exit)
			has(t, found, rotate.SeverityError, c.code, own.Wwwroot)
			if c.code == "own_row_certificate" && len(found["own_row_expiry"]) > 0 {
				t.Error("that the row of another certificate has another expiry is no news")
			}
			c.mend()
		})
	}
	t.Run("and no fault that is mended", func(t *testing.T) {
		for code, findings := range examine(t, 0) {
			if findings[0].Severity != rotate.SeverityInfo {
				t.Errorf("%s is left: %+v", code, findings)
			}
		}
	})
}
