package test

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"renew_mnetkeys/internal/testkey"
	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

// forgotten is a pair of the tenant that no site has any more.
func (s *fleetTenant) forgotten(t testing.TB) (certificate, pair string) {
	t.Helper()
	key := testkey.Key(1024)
	made, err := rotate.Certify(key, rotate.Subject{Wwwroot: s.Wwwroot, Site: "A fleet"}, time.Now().AddDate(0, 0, -5), 28, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return made.Certificate.PEM, made.Certificate.PEM + "@@@@@@@@" + made.PEM
}

// The default leaves the master out. Still, every command must show that a link to it is broken,
// even if it looks at one tenant alone.
func TestABrokenMasterIsSeenByEveryCommandOfAnArray(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		upset  func(t testing.TB, f *fleet, master, tenant *fleetTenant)
		link   string // of the tenant to the master
		mended bool   // by a renewal of all tenants
	}{
		{"a row with a forgotten certificate of the master", func(t testing.TB, _ *fleet, master, tenant *fleetTenant) {
			certificate, _ := master.forgotten(t)
			tenant.DB.Exec(t, "UPDATE {mnet_host} SET public_key = ? WHERE wwwroot = ?", certificate, master.Wwwroot)
		}, "refused fault_7025", true},
		{"the master's MNet is off", func(t testing.TB, _ *fleet, master, _ *fleetTenant) {
			master.DB.Exec(t, "UPDATE {config} SET value = 'off' WHERE name = 'mnet_dispatcher_mode'")
			master.web.Misbehave(peertest.Off)
		}, "refused mnet_off", false},
		{"the master's web server is down", func(t testing.TB, _ *fleet, master, _ *fleetTenant) {
			master.web.Misbehave(peertest.Drop)
		}, "pending connect", false},
		{"the master was half renewed by VMoodle's PHP script", func(t testing.TB, _ *fleet, master, _ *fleetTenant) {
			_, pair := master.forgotten(t)
			master.DB.Exec(t, "UPDATE {config_plugins} SET value = ? WHERE plugin = 'mnet' AND name = 'openssl'", pair)
		}, "refused bad_signature", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, fleetOptions{tenants: 3, kind: peertest.Stock})
			master, tenant := f.tenants[0], f.tenants[1]
			c.upset(t, f, master, tenant)
			before := f.tables(t)
			metrics := filepath.Join(t.TempDir(), "mnet.prom")
			linked := func(r ran, want string) {
				t.Helper()
				d := r.byTenant(t)
				for _, p := range d[tenant.Wwwroot].Peers {
					if got := string(p.Outcome) + " " + string(p.Reason); p.Wwwroot == master.Wwwroot && got != want {
						t.Errorf("%s, want %s: %s", got, want, p.Detail)
					}
				}
			}
			notGreen := func(r ran) {
				t.Helper()
				if r.code == 0 {
					t.Errorf("all is well: %s", r.stdout)
				}
			}
			seen := func() {
				t.Helper()
				text, err := os.ReadFile(metrics)
				if err != nil {
					t.Fatal(err)
				}
				outcome, _, _ := strings.Cut(c.link, " ")
				want := fmt.Sprintf("renew_mnetkeys_peers{wwwroot=%q,outcome=%q} 1", tenant.Wwwroot, outcome)
				if !strings.Contains(string(text), want) {
					t.Errorf("no metric %s:\n%s", want, text)
				}
			}

			r := f.command(t, "verify", "--all", "--retries=0", "--json", "--prometheus-file="+metrics)
			notGreen(r)
			linked(r, c.link)
			seen()
			notGreen(f.command(t, "check", "--all", "--retries=0"))
			r = f.command(t, "check", "--all", "--retries=0", "--json")
			notGreen(r)
			linked(r, c.link)
			r = f.command(t, "status", "--live", "--all", "--retries=0", "--json")
			notGreen(r)
			linked(r, c.link)
			if f.tables(t) != before {
				t.Error("something was written")
			}
			alone := f.command(t, "verify", "--host="+tenant.Wwwroot, "--retries=0", "--json")
			notGreen(alone)
			outcome, _, _ := strings.Cut(c.link, " ")
			if p := alone.document(t).peer(t, master.Wwwroot); string(p.Outcome) != outcome {
				t.Errorf("looked at alone: %+v, want %s", p, c.link)
			}

			want := map[bool]string{true: "accepted database", false: c.link}[c.mended]
			for _, command := range []string{"renew", "push"} {
				r := f.command(t, command, "--all", "--retries=0", "--json", "--prometheus-file="+metrics)
				linked(r, want)
				if (r.code == 0) != c.mended {
					t.Errorf("%s: exit code %d", command, r.code)
				}
				if !c.mended {
					seen()
				}
			}
			if c.mended && tenant.Held(t, master.Wwwroot) != master.web.Certificate() {
				t.Error("the tenant's row of the master was not mended")
			}
			if c.mended {
				call(t, tenant.web, master.web)
				f.command(t, "verify", "--host="+tenant.Wwwroot).expect(t, 0, "2 of 2 peers proven")
			}
		})
	}
}

// Moodle itself may have stored a certificate without its last line end, or with other line ends.
func TestACertificateInAnotherSpellingIsTheSame(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 3, kind: peertest.Stock})
	for _, s := range f.tenants {
		s.DB.Exec(t, "UPDATE {mnet_host} SET public_key = REPLACE(TRIM(TRAILING '\n' FROM public_key), '\n', '\r\n') WHERE wwwroot <> ? AND wwwroot <> ''", s.Wwwroot)
	}
	before := f.tables(t)
	f.command(t, "verify", "--all").expect(t, 0, "4 of 4 links proven (4 by database)")
	f.command(t, "check", "--all").expect(t, 0)
	f.command(t, "verify", "--host="+f.tenants[1].Wwwroot).expect(t, 0)
	if f.tables(t) != before {
		t.Error("something was written")
	}
	f.renew(t, "--all").expect(t, 0, "4 of 4 links proven (4 by database)")
}

// Moodle looks for a host by its wwwroot to the letter, but for upper and lower case on MySQL: a row
// with a slash at the end is another host's (mnet/peer.php, set_wwwroot).
func TestAMembersRowWithASlashAtItsEndProvesNoLink(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 3, kind: peertest.Stock})
	member, tenant := f.tenants[1], f.tenants[2]
	member.DB.Exec(t, "UPDATE {mnet_host} SET wwwroot = CONCAT(wwwroot, '/') WHERE wwwroot = ?", tenant.Wwwroot)
	linked := func(want string, command string, args ...string) {
		t.Helper()
		r := f.command(t, command, append(args, "--retries=0", "--json")...)
		for _, p := range r.byTenant(t)[tenant.Wwwroot].Peers {
			if got := string(p.Outcome) + " " + string(p.Reason); p.Wwwroot == member.Wwwroot && (got != want || p.Outcome == rotate.Refused && !strings.Contains(p.Detail, "ends with a slash")) {
				t.Errorf("%s %s: %s: %s", command, args, got, p.Detail)
			}
		}
		if (r.code == 0) != strings.HasPrefix(want, "accepted") {
			t.Errorf("%s %s: exit code %d", command, args, r.code)
		}
	}
	const refused = "refused unknown_to_peer"
	for _, command := range []string{"verify", "push", "renew"} {
		linked(refused, command, "--host="+tenant.Wwwroot)
	}
	for _, args := range [][]string{{"--dry-run"}, {}} {
		r := f.renew(t, append(args, "--host="+tenant.Wwwroot, "--bindhost="+member.Wwwroot)...)
		r.expect(t, 3, "ends with a slash", "next: in the peer's database, correct the wwwroot in the row of this site (mnet_host)")
		if strings.Contains(r.stdout, member.Wwwroot+", which") {
			t.Errorf("%s: %s", args, r.stdout)
		}
	}
	for _, command := range []string{"verify", "check", "renew", "push"} {
		linked(refused, command, "--all")
	}
	// Nor does it harm the row that Moodle finds.
	member.DB.Exec(t, `INSERT INTO {mnet_host} (wwwroot, ip_address, name, public_key, public_key_expires, applicationid, sslverification)
		SELECT TRIM(TRAILING '/' FROM wwwroot), ip_address, name, public_key, public_key_expires, applicationid, sslverification FROM {mnet_host} WHERE wwwroot = ?`, tenant.Wwwroot+"/")
	certificate, _ := tenant.forgotten(t)
	member.DB.Exec(t, "UPDATE {mnet_host} SET public_key = ? WHERE wwwroot = ?", certificate, tenant.Wwwroot+"/")
	linked("accepted database", "verify", "--all", "--match="+tenant.Wwwroot)
	linked("accepted ", "verify", "--host="+tenant.Wwwroot)
}

// After the member has renewed its key, its certificate does not fit to the row's wwwroot.
func TestATenantsRowWithASlashAtItsEndIsNamedBeforeAndAfterTheMemberRenews(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]peertest.Kind{"stock": peertest.Stock, "patched": peertest.Patched} {
		f := newFleet(t, fleetOptions{tenants: 3, kind: kind})
		member, tenant := f.tenants[1], f.tenants[2]
		tenant.DB.Exec(t, "UPDATE {mnet_host} SET wwwroot = CONCAT(wwwroot, '/') WHERE wwwroot = ?", member.Wwwroot)
		for _, renewed := range []bool{false, true} {
			if renewed {
				f.renew(t, "--host="+member.Wwwroot).expect(t, 3)
			}
			for _, command := range []string{"verify", "check", "doctor", "push", "renew"} {
				for _, whose := range []string{"--host=" + tenant.Wwwroot, "--all"} {
					r := f.command(t, command, whose, "--retries=0", "--json").byTenant(t)[tenant.Wwwroot]
					named := 0
					for _, p := range r.Peers {
						if p.Wwwroot == member.Wwwroot+"/" {
							named++
						}
						if p.Wwwroot == member.Wwwroot+"/" && (p.Reason != rotate.ReasonUnknownToPeer || !strings.Contains(p.Detail, "this site's row of the peer ends with a slash")) {
							t.Errorf("%s, renewed: %v: %s %s: %s: %s", name, renewed, command, whose, p.Reason, p.Detail)
						}
					}
					for _, found := range r.Findings {
						if found.Subject == member.Wwwroot+"/" && found.Code != "peer_trailing_slash" {
							t.Errorf("%s, renewed: %v: %s %s: %s", name, renewed, command, whose, found.Code)
						}
						if found.Code == "peer_trailing_slash" {
							named++
						}
					}
					if named == 0 {
						t.Errorf("%s, renewed: %v: %s %s: the row is not named", name, renewed, command, whose)
					}
				}
			}
		}
	}
}

// Which of two rows of one site Moodle finds is for its database to say. They are one link, whether
// they are in this site's table or in the peer's, and whatever certificates they have.
func TestTwoRowsOfOneSiteAreOneLinkThatNoCommandCallsProven(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 3, outsiders: 1, kind: peertest.Stock})
	tenant, member := f.tenants[1], f.tenants[2]
	outside, old := f.outsiders[0].Wwwroot(), func(of *fleetTenant) string { c, _ := of.forgotten(t); return c }
	twice := func(at *fleetTenant, wwwroot, certificate string) {
		at.DB.Exec(t, `INSERT INTO {mnet_host} (wwwroot, ip_address, name, public_key, public_key_expires, applicationid, sslverification)
			SELECT wwwroot, ip_address, name, public_key, public_key_expires, applicationid, sslverification FROM {mnet_host} WHERE wwwroot = ?`, wwwroot)
		at.DB.Exec(t, "UPDATE {mnet_host} SET public_key = ? WHERE wwwroot = ? ORDER BY id LIMIT 1", certificate, wwwroot)
	}
	twice(tenant, outside, old(f.tenants[0]))
	twice(member, tenant.Wwwroot, old(tenant))
	for _, command := range []string{"verify", "status --live", "doctor", "push --dry-run", "--dry-run", "check", "push", "renew"} {
		for _, whose := range []string{"--host=" + tenant.Wwwroot, "--all"} {
			words := strings.Fields(command)
			if command == "check" {
				if r := f.command(t, "check", whose); !strings.Contains(r.stdout, outside+" refused: two_rows") || !strings.Contains(r.stdout, member.Wwwroot+" refused: two_rows") {
					t.Errorf("%s %s: %s", command, whose, r.stdout)
				}
				continue
			}
			r := f.command(t, words[0], append(words[1:], whose, "--retries=0", "--json")...)
			if r.code != 3 {
				t.Errorf("%s %s: exit code %d", command, whose, r.code)
			}
			got := map[string][]string{}
			for _, p := range r.byTenant(t)[tenant.Wwwroot].Peers {
				got[p.Wwwroot] = append(got[p.Wwwroot], string(p.Outcome)+" "+string(p.Reason))
			}
			for _, peer := range []string{outside, member.Wwwroot} {
				if diff := cmp.Diff([]string{"refused two_rows"}, got[peer]); diff != "" {
					t.Errorf("%s %s: %s: %s", command, whose, peer, diff)
				}
			}
		}
	}
	if n := member.DB.Value(t, "SELECT COUNT(*) FROM {mnet_host} WHERE wwwroot = ? AND public_key = ?", tenant.Wwwroot, tenant.Certificate(t)); n != "2" {
		t.Errorf("%s rows of the member have the certificate", n)
	}
	// Rows of a site that is not selected are brought up to date, too.
	master := f.tenants[0]
	twice(tenant, master.Wwwroot, old(master))
	f.command(t, "push", "--all").expect(t, 3, "two_rows")
	if n := tenant.DB.Value(t, "SELECT COUNT(*) FROM {mnet_host} WHERE wwwroot = ? AND public_key = ?", master.Wwwroot, master.Certificate(t)); n != "2" {
		t.Errorf("%s rows of the master have its certificate", n)
	}
	r := f.command(t, "status", "--host="+tenant.Wwwroot)
	if r.expect(t, 0, "this site has two rows of the peer"); strings.Count(r.stdout, outside) != 1 {
		t.Errorf("%s", r.stdout)
	}
}
