package test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

// reading are the commands that write nothing, with their arguments.
var reading = [][]string{{"status"}, {"status", "--live"}, {"verify"}, {"check"}, {"doctor"}}

// tables is a checksum of every table of every tenant's database, and of the certificates that
// outsiders have.
func (f *fleet) tables(t testing.TB) string {
	t.Helper()
	var all []string
	for _, s := range f.tenants {
		names := s.DB.Value(t, "SELECT GROUP_CONCAT(table_name ORDER BY table_name) FROM information_schema.tables WHERE table_schema = ?", s.DB.Name)
		for _, table := range strings.Split(names, ",") {
			var name, sum string
			if err := s.DB.DB.QueryRowContext(t.Context(), "CHECKSUM TABLE "+table).Scan(&name, &sum); err != nil {
				t.Fatal(err)
			}
			all = append(all, name+" "+sum)
		}
		for _, outsider := range f.outsiders {
			all = append(all, outsider.Held(s.Wwwroot))
		}
	}
	if len(all) < 7*len(f.tenants) {
		t.Fatalf("%d checksums of %d databases", len(all), len(f.tenants))
	}
	return strings.Join(all, "\n")
}

// survey runs a command that only reads over the whole array, twice: for people
// and as JSON.
func (f *fleet) survey(t testing.TB, command []string) (text ran, reports map[string]rotate.TenantReport) {
	t.Helper()
	args := slices.Concat(command[1:], []string{"--all", "--withmaster", "--retries=0"})
	text = f.command(t, command[0], args...)
	r := f.command(t, command[0], append(args, "--json")...)
	if r.code != text.code {
		t.Errorf("exit code %d, as JSON %d", text.code, r.code)
	}
	return text, r.byTenant(t)
}

// links are what reports say about peers: "outcome reason holds" by "holder > of".
func links(reports map[string]rotate.TenantReport) map[string]string {
	all := map[string]string{}
	for of, r := range reports {
		for _, p := range r.Peers {
			all[p.Wwwroot+" > "+of] = strings.TrimSpace(fmt.Sprintf("%s %s %s", p.Outcome, p.Reason, p.Holds))
		}
	}
	return all
}

// surveyed is one way to look at an array that has one problem.
type surveyed struct {
	code int
	says []string
	link string // what is said about the link in question
	back string // and about its other direction, "" if the same as about any other
}

func TestAnArrayIsLookedAtAndNotWritten(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 4, outsiders: 1})
	holder, of := f.tenants[2], f.tenants[1]
	good := map[string]map[bool]string{
		"status":        {true: "skipped  current", false: "skipped"},
		"status --live": {true: "accepted database current", false: "accepted"},
		"verify":        {true: "accepted database", false: "accepted"},
		"check":         {true: "accepted database", false: "accepted"},
		"doctor":        {true: "accepted", false: "accepted"},
	}
	for _, c := range []struct {
		name  string
		upset func()
		want  map[string]surveyed
	}{
		{"in order", func() {}, map[string]surveyed{
			"status":        {0, []string{of.Wwwroot + ": ", "4 peers, 3 of 3 in the array have it", "4 tenants: 4 read; 16 links ("}, "skipped  current", ""},
			"status --live": {0, []string{"4 peers, 3 of 3 in the array have it", "16 of 16 links proven (12 by database)"}, "accepted database current", ""},
			"verify":        {0, []string{"4 tenants: 4 verified; 16 of 16 links proven (12 by database)"}, "accepted database", ""},
			"check":         {0, []string{"MNET OK - 4 tenants: the first key expires in 17 days, 16 of 16 links proven | days_left="}, "accepted database", ""},
			"doctor":        {0, []string{"4 tenants: Moodle release not known; ", "0 errors, 0 warnings, ", "4 tenants: 4 examined; 16 of 16 links proven"}, "accepted", ""},
		}},
		{"a member holds another certificate", func() {
			holder.DB.Exec(t, "UPDATE {mnet_host} SET public_key = (SELECT public_key FROM (SELECT public_key FROM {mnet_host} WHERE wwwroot = ?) other) WHERE wwwroot = ?",
				f.tenants[3].Wwwroot, of.Wwwroot)
		}, map[string]surveyed{
			"status":        {0, []string{of.Wwwroot + ": ", "4 peers, 2 of 3 in the array have it"}, "skipped  other", ""},
			"status --live": {3, []string{"2 of 3 in the array have it", "14 of 16 links proven", "refused 1 link: cannot_open", "next: "}, "refused cannot_open other", "refused fault_7025 current"},
			"verify":        {3, []string{"14 of 16 links proven", "refused 1 link: cannot_open", "  from " + of.Wwwroot + " to " + holder.Wwwroot, "next: "}, "refused cannot_open", "refused fault_7025"},
			"check":         {1, []string{"MNET WARNING - " + of.Wwwroot + ": peer " + holder.Wwwroot + " refused: cannot_open", "peers_refused=2;"}, "refused cannot_open", "refused fault_7025"},
			"doctor":        {3, []string{"[peer_cannot_open]\n        1 tenant: " + of.Wwwroot + "\n        1 peer: " + holder.Wwwroot + "\n", "next: "}, "refused cannot_open", "refused fault_7025"},
		}},
	} {
		c.upset()
		before := f.tables(t)
		t.Run(c.name, func(t *testing.T) {
			for _, command := range reading {
				name := strings.Join(command, " ")
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					text, reports := f.survey(t, command)
					want := c.want[name]
					text.expect(t, want.code, want.says...)
					found := links(reports)
					if len(reports) != 4 || len(found) != 16 {
						t.Errorf("%d tenants, %d links", len(reports), len(found))
					}
					for link, said := range found {
						expected := good[name][link[:strings.Index(link, " ")] != f.outsiders[0].Wwwroot()]
						if link == holder.Wwwroot+" > "+of.Wwwroot {
							expected = want.link
						}
						if link == of.Wwwroot+" > "+holder.Wwwroot && want.back != "" {
							expected = want.back
						}
						if said != expected {
							t.Errorf("%s: %q, want %q", link, said, expected)
						}
					}
				})
			}
		})
		if f.tables(t) != before {
			t.Errorf("%s: something was written", c.name)
		}
	}
}

func TestATenantWhoseDatabaseIsDownFailsAlone(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 4, outsiders: 1})
	down := f.tenants[3]
	f.says(t, down.Site, "vdbhost = '127.0.0.1:1'")
	down.web.Misbehave(peertest.Status(500)) // what Moodle answers without its database
	before := f.tables(t)
	for name, c := range map[string]struct {
		code int
		says []string
		link string // of every other tenant to it
	}{
		"status":        {3, []string{"4 tenants: 3 read, 1 failed; 12 links (", "4 peers, 2 of 3 in the array have it (1 could not be read)"}, "skipped"},
		"status --live": {3, []string{"9 of 12 links proven", "pending 3 links: database: its database: "}, "pending database"},
		"verify":        {3, []string{"9 of 12 links proven (6 by database)", "pending 3 links: database: its database: ", "next: "}, "pending database"},
		"check":         {3, []string{"MNET UNKNOWN - " + down.Wwwroot + ": ", "; 3 links pending (database) from ", " and 1 more to " + down.Wwwroot + " |", "[WARNING] ", "peers_pending=3;"}, "pending database"},
		"doctor":        {3, []string{"[peer_database]\n        3 tenants: ", "[own_unreadable]\n        1 tenant: " + down.Wwwroot + "\n"}, "pending database"},
	} {
		t.Run(name, func(t *testing.T) {
			text, reports := f.survey(t, strings.Fields(name))
			text.expect(t, c.code, append(c.says, "127.0.0.1:1")...)
			if r := reports[down.Wwwroot]; r.Outcome != rotate.Failed || !strings.Contains(r.Error, "127.0.0.1:1") || len(r.Peers) > 0 || len(reports) != 4 {
				t.Errorf("the one whose database is down: %+v", r)
			}
			for link, said := range links(reports) {
				if (said == c.link) != strings.HasPrefix(link, down.Wwwroot+" > ") && name != "status" {
					t.Errorf("%s: %s", link, said)
				}
			}
		})
	}
	if f.tables(t) != before {
		t.Error("something was written")
	}
	f.command(t, "push", "--all", "--withmaster").expect(t, 3, "4 tenants: 3 pushed, 1 failed", "9 of 12 links proven")
}

// A script reads the findings of one tenant as it reads those of all.
func TestATenantThatCannotBeReadIsTheSameFindingForOneAsForAll(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 3})
	down, damaged := f.tenants[1], f.tenants[2]
	f.says(t, down.Site, "vdbhost = '127.0.0.1:1'")
	damaged.DB.Exec(t, "DROP TABLE {mnet_host}")
	_, all := f.survey(t, []string{"doctor"})
	for _, of := range []*fleetTenant{down, damaged} {
		want := all[of.Wwwroot].Findings
		if len(want) != 1 || want[0].Code != "own_unreadable" {
			t.Fatalf("doctor --all: %+v", want)
		}
		text := f.command(t, "doctor", "--host="+of.Wwwroot)
		text.expect(t, 1, "[own_unreadable]\n", want[0].Detail, "next: ")
		if text.stderr != "" || strings.Count(text.stdout, want[0].Detail) != 1 {
			t.Errorf("it is said twice: %s\n%s", text.stdout, text.stderr)
		}
		one := f.command(t, "doctor", "--host="+of.Wwwroot, "--json")
		got := one.byTenant(t)[of.Wwwroot]
		if one.code != 1 || one.stderr != "" || got.Outcome != rotate.Failed || got.Error != all[of.Wwwroot].Error || got.Hint == "" || !slices.EqualFunc(got.Findings, want, func(a, b rotate.Finding) bool {
			return a.Code == b.Code && a.Text() == b.Text() && a.Subject == b.Subject && a.Next != ""
		}) {
			t.Errorf("one: %+v\n%s\nall: %+v", got, one.stderr, all[of.Wwwroot])
		}
	}
}

func TestAWwwrootOfTwoRowsOfTheRegisterIsTheSameForOneAsForAll(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 4})
	one, other := f.tenants[1], f.tenants[2]
	add := func(enabled int) {
		f.master.DB.Exec(t, fmt.Sprintf(`INSERT INTO {local_vmoodle} (name, shortname, vhostname, enabled, vdbtype, vdbhost, vdblogin, vdbpass, vdbname, vdbprefix, vdatapath)
			SELECT name, shortname, '%s', %d, vdbtype, vdbhost, vdblogin, vdbpass, vdbname, vdbprefix, vdatapath FROM {local_vmoodle} WHERE vhostname = '%s'`, one.Wwwroot, enabled, other.Wwwroot))
	}
	add(0)
	f.command(t, "verify", "--host="+one.Wwwroot).expect(t, 0)
	f.command(t, "verify", "--all", "--withmaster").expect(t, 0)
	add(1)
	before := f.tables(t)
	says := "2 rows of VMoodle's register have the wwwroot " + one.Wwwroot + ": "
	const hint = "correct the other row of VMoodle's register, or disable it"
	for command, c := range map[string]struct {
		one, all int
		says     string
	}{
		"renew": {2, 3, "error: " + says}, "push": {2, 3, "error: " + says}, "verify": {2, 3, "error: " + says}, "status": {2, 3, "error: " + says}, "doctor": {2, 3, "[own_unreadable]\n"},
		"check": {3, 3, "UNKNOWN - "},
	} {
		t.Run(command, func(t *testing.T) {
			r := f.command(t, command, "--host="+one.Wwwroot)
			r.expect(t, c.one, c.says, says, hint)
			if strings.Contains(r.stdout+r.stderr, "move") {
				t.Errorf("a move is advised: %s%s", r.stdout, r.stderr)
			}
			if command != "renew" && command != "push" {
				f.command(t, command, "--all", "--withmaster").expect(t, c.all, c.says, says, hint)
			}
		})
	}
	// Its other sites know it by its wwwroot, and call it.
	third := f.tenants[3].Wwwroot
	_, all := f.survey(t, []string{"verify"})
	single := links(f.command(t, "verify", "--host="+third, "--json").byTenant(t))
	for link, said := range links(map[string]rotate.TenantReport{third: all[third]}) {
		if strings.TrimSuffix(said, " database") != single[link] {
			t.Errorf("%s: %q, with --all %q", link, single[link], said)
		}
	}
	if f.tables(t) != before {
		t.Error("something was written")
	}
	r := f.renew(t, "--all", "--withmaster")
	r.expect(t, 3, "error: "+says, hint)
	if strings.Contains(r.stdout, "left out") {
		t.Errorf("it is left out, too: %s", r.stdout)
	}
}

func TestAnArrayIsRolledBack(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 4, outsiders: 1, kind: peertest.Stock})
	pairs := func() (all []string) {
		for _, s := range f.tenants {
			all = append(all, pairOf(t, s.Site))
		}
		return all
	}
	first := pairs()
	f.renew(t, "--all", "--withmaster").expect(t, 0)
	second := pairs()
	before := f.tables(t)
	f.command(t, "rollback", "--all", "--withmaster").expect(t, rotate.ExitNotRenewed, "error: rollback needs confirmation", "add --yes")
	f.command(t, "rollback", "--all", "--withmaster", "--dry-run").expect(t, 0, "4 tenants: 4 can be rolled back; dry run: nothing was changed")
	if f.tables(t) != before {
		t.Error("something was written before it was said")
	}

	r := f.command(t, "rollback", "--all", "--withmaster", "--yes", "--json")
	r.expect(t, 0)
	if !slices.Equal(pairs(), first) {
		t.Error("not every tenant has its former pair")
	}
	for i, s := range f.tenants {
		coherent(t, s.Site)
		if history := historyOf(t, s.Site); !slices.Equal(history, second[i:i+1]) {
			t.Errorf("%s does not keep the pair that was replaced: %d", s.Wwwroot, len(history))
		}
		call(t, s.web, f.tenants[(i+1)%4].web)
		call(t, s.web, f.outsiders[0])
	}
	if wrong := f.wrongLinks(t); len(wrong) > 0 {
		t.Errorf("wrong links: %q", wrong)
	}
	for wwwroot, tenant := range r.byTenant(t) {
		if tenant.Outcome != rotate.Renewed || tenant.SelfCheck != rotate.SelfProven || tenant.Unproven() > 0 || len(tenant.Peers) != 4 {
			t.Errorf("%s: %+v", wwwroot, tenant)
		}
	}
	// The key from which it went back can be used to go forward again.
	f.command(t, "rollback", "--host="+f.tenants[1].Wwwroot, "--yes").expect(t, 0, "4 of 4 peers proven")
	if wrong := f.wrongLinks(t); len(wrong) > 0 || pairOf(t, f.tenants[1].Site) != second[1] {
		t.Errorf("wrong links: %q", wrong)
	}
}

func TestAnArrayOfWhichNothingIsDueIsSilent(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 4, outsiders: 1})
	before, tables := f.secrets(t), f.tables(t)
	for range 2 {
		r := f.renew(t, "--all", "--withmaster", "--if-due")
		if r.code != 0 || r.stdout+r.stderr != "" {
			t.Errorf("exit code %d:\n%s%s", r.code, r.stdout, r.stderr)
		}
	}
	if f.tables(t) != tables {
		t.Error("something was written")
	}
	due, other := f.tenants[1], f.tenants[2]
	due.DB.Exec(t, "UPDATE {mnet_host} SET public_key_expires = UNIX_TIMESTAMP() + 86400 WHERE wwwroot = ?", due.Wwwroot)
	f.tenants[3].DB.Exec(t, "UPDATE {mnet_host} SET public_key = '', public_key_expires = 0 WHERE wwwroot = ?", other.Wwwroot)
	pairs := map[string]string{}
	for _, s := range f.tenants {
		pairs[s.Wwwroot] = pairOf(t, s.Site)
	}
	f.renew(t, "--all", "--withmaster", "--if-due", "--dry-run").expect(t, 0, "4 tenants: 1 can be renewed, 3 not due (the next one is due after ", "dry run: nothing was changed")
	r := f.renew(t, "--all", "--withmaster", "--if-due")
	r.expect(t, 0, "4 tenants to look at (keys that are due are renewed), in an array of 4 sites\n", "4 tenants: 1 renewed, 3 not due (the next one is due after ", "16 of 16 links proven (12 by database)")
	r.revealsNothing(t, before)
	for _, s := range f.tenants {
		coherent(t, s.Site)
		if renewed := pairOf(t, s.Site) != pairs[s.Wwwroot]; renewed != (s == due) {
			t.Errorf("%s: renewed: %v", s.Wwwroot, renewed)
		}
	}
	if wrong := f.wrongLinks(t); len(wrong) > 0 {
		t.Errorf("wrong links: %q", wrong)
	}
	if r := f.renew(t, "--all", "--withmaster", "--if-due"); r.code != 0 || r.stdout+r.stderr != "" {
		t.Errorf("afterwards, exit code %d:\n%s%s", r.code, r.stdout, r.stderr)
	}
}

func TestAShardMayBeEmpty(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 2})
	empty := "--shard=0/2"
	if (rotate.Selection{Shard: 0, Shards: 2}).Includes(f.tenants[1].Wwwroot) {
		empty = "--shard=1/2"
	}
	before := f.tables(t)
	for _, cmd := range allCommands(t) {
		t.Run(cmd, func(t *testing.T) {
			args := []string{"--all", empty}
			if cmd == "rollback" {
				args = append(args, "--yes")
			}
			text := f.command(t, cmd, args...)
			text.expect(t, 0)
			if says := map[bool]string{false: "\n0 tenants: nothing to do (", true: "MNET OK - 0 tenants |"}; !strings.Contains(text.stdout, says[cmd == "check"]) || text.stderr != "" {
				t.Errorf("it says %q and %q", text.stdout, text.stderr)
			}
			r := f.command(t, cmd, append(args, "--json")...)
			if d := r.document(t); r.code != 0 || len(d.Tenants) != 0 || d.Tenants == nil {
				t.Errorf("%+v", d)
			}
		})
	}
	if r := f.renew(t, "--all", empty, "--if-due"); r.code != 0 || r.stdout+r.stderr != "" {
		t.Errorf("when due, exit code %d:\n%s%s", r.code, r.stdout, r.stderr)
	}
	if f.tables(t) != before {
		t.Error("something was written")
	}
}

func TestACheckThatComesToNoTenantIsUnknown(t *testing.T) {
	for _, args := range [][]string{{}, {"--all"}} {
		r := run1(t, command(t, append([]string{"check", "--config=missing/config.php"}, args...)...))
		if r.code != 3 || !strings.HasPrefix(r.stdout, "MNET UNKNOWN - /") || !strings.Contains(r.stdout, "missing/config.php: there is no such file") || !strings.HasSuffix(r.stdout, "\nnext: name Moodle's config.php with --config=PATH\n") || strings.Count(r.stdout, "\n") != 2 {
			t.Errorf("%q: exit code %d: %s%s", args, r.code, r.stdout, r.stderr)
		}
	}
}

// As after a tenant was renamed by a new row of the register: a run that holds the lock of the tables
// for one of both must not keep the other from being renewed.
func TestTwoRowsOfTheRegisterWithOneDatabaseDoNotStopItsSite(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 3})
	one := f.tenants[1]
	const renamed = "http://renamed.example"
	f.master.DB.Exec(t, `INSERT INTO {local_vmoodle} (name, shortname, vhostname, enabled, vdbtype, vdbhost, vdblogin, vdbpass, vdbname, vdbprefix, vdatapath)
		SELECT name, shortname, '`+renamed+`', 1, vdbtype, vdbhost, vdblogin, vdbpass, vdbname, vdbprefix, vdatapath FROM {local_vmoodle} WHERE vhostname = ?`, one.Wwwroot)
	for range 3 { // which of both would get the lock is chance
		r := f.command(t, "--all", "--withmaster", "--fresh=0s", "--lock-wait=2s", "--json")
		if got := r.byTenant(t)[one.Wwwroot]; got.Outcome != rotate.Renewed || got.Exit != 0 {
			t.Errorf("%s %s", got.Outcome, got.Error)
		}
		if got := r.byTenant(t)[renamed]; got.Outcome != rotate.Failed || !strings.Contains(got.Error, "are not those of "+renamed+": "+one.Wwwroot+" names them too") {
			t.Errorf("%+v", got)
		}
	}
	f.command(t, "check", "--all", "--withmaster").expect(t, 3, "UNKNOWN - "+renamed, "in VMoodle's register")
}

// One word of a row is wrong: the account of the tenant has no rights on the database of the other,
// whose lock this run has.
func TestARowWithTheDatabaseOfAnotherTenantSaysThat(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 3})
	one, wrong := f.tenants[1], f.tenants[2]
	f.says(t, wrong.Site, "vdbname = '"+one.DB.Name+"'")
	r := f.command(t, "--all", "--withmaster", "--fresh=0s", "--lock-wait=1h", "--json")
	if got := r.byTenant(t)[one.Wwwroot]; got.Outcome != rotate.Renewed {
		t.Errorf("%s %s", got.Outcome, got.Error)
	}
	if got := r.byTenant(t)[wrong.Wwwroot]; got.Outcome != rotate.Failed || !strings.Contains(got.Error, "Access denied") || !strings.Contains(got.Hint, "check vdbname") {
		t.Errorf("%+v", got)
	}
}
