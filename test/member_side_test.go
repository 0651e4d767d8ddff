package test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

// oneAndAll are the reports on a tenant's link to a peer: of the tenant alone, and with the array.
func (f *fleet) oneAndAll(t testing.TB, command string, tenant *fleetTenant, peer string) (one, all rotate.PeerReport, code [2]int) {
	t.Helper()
	link := func(r ran) rotate.PeerReport {
		for _, p := range r.byTenant(t)[tenant.Wwwroot].Peers {
			if p.Wwwroot == peer {
				return p
			}
		}
		t.Fatalf("no link to %s: %s", peer, r.stdout)
		return rotate.PeerReport{}
	}
	alone := f.command(t, command, "--host="+tenant.Wwwroot, "--retries=0", "--json")
	array := f.command(t, command, "--all", "--match="+tenant.Wwwroot, "--retries=0", "--json")
	return link(alone), link(array), [2]int{alone.code, array.code}
}

// otherKey gives the tenant's database a key that its web server, whose cache is warm, does not
// use.
func (s *fleetTenant) otherKey(t testing.TB) {
	t.Helper()
	certificate, pair := s.forgotten(t)
	s.DB.Exec(t, "UPDATE {config_plugins} SET value = ? WHERE plugin = 'mnet' AND name = 'openssl'", pair)
	s.DB.Exec(t, "UPDATE {mnet_host} SET public_key = ? WHERE wwwroot = ?", certificate, s.Wwwroot)
}

// One tenant alone and the array judge a link by one rule, in the same words.
func TestALinkToAMemberIsJudgedTheSameForOneTenantAndForAll(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		upset  func(t testing.TB, member *fleetTenant)
		link   string
		detail string
	}{
		"its own row says that its key has expired": {func(t testing.TB, m *fleetTenant) {
			m.DB.Exec(t, "UPDATE {mnet_host} SET public_key_expires = 1000000000 WHERE wwwroot = ?", m.Wwwroot)
		}, "pending bad_certificate", "the peer's key has expired"},
		"its web server does not use its stored key": {func(t testing.TB, m *fleetTenant) { m.otherKey(t) },
			"refused fault_7023", "the peer's web server does not use its stored key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, fleetOptions{tenants: 3, kind: peertest.Stock})
			tenant, member := f.tenants[1], f.tenants[2]
			c.upset(t, member)
			before := f.tables(t)
			for _, command := range []string{"verify", "check", "doctor", "push"} {
				one, all, code := f.oneAndAll(t, command, tenant, member.Wwwroot)
				if got := string(one.Outcome) + " " + string(one.Reason); got != c.link || !strings.Contains(one.Detail, c.detail) {
					t.Errorf("%s: %+v", command, one)
				}
				if one.Reason != all.Reason || one.Detail != all.Detail || one.Next != all.Next || code[0] != code[1] || code[0] == 0 {
					t.Errorf("%s: exit codes %d: alone %+v; with the array %+v", command, code, one, all)
				}
				if command != "push" && f.tables(t) != before {
					t.Errorf("%s: something was written", command)
				}
			}
		})
	}
}

// A Moodle as released takes no certificate that is pushed to it, but a push to the array writes
// into its database.
func TestAMemberWithoutACertificateOfThisSiteIsCuredByAPushToTheArray(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 3, kind: peertest.Stock})
	tenant, member := f.tenants[1], f.tenants[2]
	member.DB.Exec(t, "UPDATE {mnet_host} SET public_key = '' WHERE wwwroot = ?", tenant.Wwwroot)
	const next = "the peer is a site of this array: a push to the array writes this site's key into the peer's database. Run: "
	for _, command := range []string{"push", "verify", "doctor"} {
		var all rotate.PeerReport
		one := f.command(t, command, "--host="+tenant.Wwwroot, "--json").byTenant(t)[tenant.Wwwroot].Peers
		if command != "push" { // a push to the array is the cure
			_, all, _ = f.oneAndAll(t, command, tenant, member.Wwwroot)
			if all.Reason != rotate.ReasonCannotOpen || !strings.HasPrefix(all.Next, next) {
				t.Errorf("%s --all: %+v", command, all)
			}
		}
		for _, p := range one {
			if p.Wwwroot == member.Wwwroot && (p.Reason != rotate.ReasonCannotOpen || !strings.HasPrefix(p.Next, next) || !strings.Contains(p.Next, "push --all --withmaster")) {
				t.Errorf("%s: %+v", command, p)
			}
		}
	}
	f.command(t, "push", "--all", "--withmaster").expect(t, 0)
	if wrong := f.wrongLinks(t); len(wrong) > 0 {
		t.Errorf("wrong links: %q", wrong)
	}
}

// Its peers may be members, whose side of the link has then not been judged.
func TestNoLinkIsProvenWhileTheRegisterCannotBeRead(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 3, kind: peertest.Stock})
	master, member := f.tenants[0], f.tenants[2]
	member.otherKey(t)
	master.DB.Exec(t, "RENAME TABLE {local_vmoodle} TO {local_elsewhere}")
	page := filepath.Join(t.TempDir(), "page.html")
	for command, code := range map[string]int{"verify": 3, "check": 1, "push": 3, "renew": 3, "doctor": 3} {
		f.command(t, command, "--retries=0", "--report="+page).expect(t, code, "the register of the array cannot be read", "vmasterdbname")
		text, err := os.ReadFile(page)
		if err != nil || !strings.Contains(string(text), "the register of the array cannot be read") {
			t.Errorf("%s: the page does not say it: %v", command, err)
		}
		r := f.command(t, command, "--retries=0", "--json")
		for _, p := range r.document(t).Tenants[0].Peers {
			if p.Outcome != rotate.Pending || p.Reason != rotate.ReasonDatabase || !strings.Contains(p.Next, "vmasterdbname") {
				t.Errorf("%s: %+v", command, p)
			}
		}
		if r.code != code {
			t.Errorf("%s: exit code %d as JSON", command, r.code)
		}
	}
}

// The tenant's database was restored from a backup, and the renewed key is lost.
func TestAMemberWithANewerCertificateOfTheTenantLeadsToTheRecovery(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 3, kind: peertest.Stock})
	tenant, member := f.tenants[1], f.tenants[2]
	newer, _ := tenant.forgotten(t)
	member.DB.Exec(t, "UPDATE {mnet_host} SET public_key = ? WHERE wwwroot = ?", newer, tenant.Wwwroot)
	before := f.tables(t)
	for _, command := range []string{"verify", "check", "doctor"} {
		one, all, code := f.oneAndAll(t, command, tenant, member.Wwwroot)
		said := []rotate.PeerReport{one, all}
		if command == "doctor" { // of the array, it reads no member's rows
			said = said[:1]
		}
		for _, p := range said {
			if p.Outcome != rotate.Refused || !strings.Contains(p.Detail, "the peer has a newer certificate of this site, whose key this site does not have") || !strings.Contains(p.Next, `"After the worst" in docs/recovery.md`) {
				t.Errorf("%s: %+v", command, p)
			}
		}
		if code[0] == 0 || code[1] == 0 || f.tables(t) != before {
			t.Errorf("%s: exit codes %d, or something was written", command, code)
		}
	}
}

// Moodle does not find its own row either then, so the local site answers no call of itself, and a
// renewal stops before it could correct the row.
func TestDoctorsAdviceOnALocalRowWithASlashHelps(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 2, kind: peertest.Stock})
	tenant := f.tenants[1]
	tenant.DB.Exec(t, "UPDATE {mnet_host} SET wwwroot = CONCAT(wwwroot, '/') WHERE wwwroot = ?", tenant.Wwwroot)
	tenant.side.moved.Store(true)
	before := f.tables(t)
	f.renew(t, "--host="+tenant.Wwwroot).expect(t, 2, "does not know this wwwroot", "the local host row (mnet_host)")
	if f.tables(t) != before {
		t.Error("something was written")
	}
	findings := f.command(t, "doctor", "--host="+tenant.Wwwroot, "--json").document(t).Tenants[0].Findings
	at := slices.IndexFunc(findings, func(f rotate.Finding) bool { return f.Code == "own_row_spelling" })
	if at < 0 {
		t.Fatalf("%+v", findings)
	}
	_, statement, _ := strings.Cut(findings[at].Next, "UPDATE ")
	statement, _, found := strings.Cut(statement, ")")
	if !found {
		t.Fatal(findings[at].Next)
	}
	tenant.DB.Exec(t, "UPDATE "+strings.Replace(statement, "mdl_mnet_host", "{mnet_host}", 1))
	f.command(t, "verify", "--host="+tenant.Wwwroot).expect(t, 0, "1 of 1 peer proven")
	call(t, tenant.web, f.tenants[0].web)
}
