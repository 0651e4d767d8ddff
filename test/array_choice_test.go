package test

import (
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

// glob matches the tenant of an index, whatever its port.
func (f *fleet) glob(i int) string {
	return f.tenants[i].Wwwroot[:strings.LastIndex(f.tenants[i].Wwwroot, ":")] + ":*"
}

// state is everything that a run could change: tables, cached settings, what outsiders received.
func (f *fleet) state(t testing.TB) string {
	t.Helper()
	var all []string
	for _, s := range f.tenants {
		cached, err := os.ReadFile(*s.side.entry.Load())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, contents(t, s.Site), string(cached))
	}
	for _, outsider := range f.outsiders {
		for _, request := range outsider.Requests() {
			all = append(all, request.Method)
		}
	}
	return strings.Join(all, "\n")
}

func TestWhichTenantsOfAnArrayAreSelected(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 8, outsiders: 1})
	f.says(t, f.tenants[6].Site, "enabled = 0")
	f.says(t, f.tenants[7].Site, "mnet = -1")
	before := f.state(t)
	for _, c := range []struct {
		name string
		args []string
		want []int
	}{
		{"enabled tenants with MNet", nil, []int{1, 2, 3, 4, 5}},
		{"the master too", []string{"--withmaster"}, []int{0, 1, 2, 3, 4, 5}},
		{"by its letter", []string{"-m"}, []int{0, 1, 2, 3, 4, 5}},
		{"those that match", []string{"--match=" + f.glob(2), "--match", f.glob(4), "--match=" + f.glob(7)}, []int{2, 4}},
		{"all but some", []string{"--exclude=" + f.glob(1), "--exclude=" + f.glob(3)}, []int{2, 4, 5}},
		{"those that match but some", []string{"--withmaster", "--match=http://127.7.*", "--exclude=" + f.glob(0)}, []int{1, 2, 3, 4, 5}},
		{"the only shard", []string{"--shard=0/1"}, []int{1, 2, 3, 4, 5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := f.renew(t, append([]string{"--all", "--dry-run", "--json"}, c.args...)...)
			r.expect(t, 0)
			var want []string
			for _, i := range c.want {
				want = append(want, f.tenants[i].Wwwroot)
			}
			if got := r.wwwroots(t); !slices.Equal(got, want) {
				t.Errorf("selected %q, want %q", got, want)
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		f.renew(t, "--all", "--match=https://nobody.example", "--exclude="+f.glob(1)).expect(t, 2, "error: no tenant of the array is selected: no site matches --match=https://nobody.example\n", "hint: write a glob")
		f.renew(t, "--all", "--match="+f.glob(1), "--exclude="+f.glob(1)).expect(t, 2, "error: no tenant of the array is selected\n", "hint: check --match and --exclude")
		f.renew(t, "--all", "--exclude=https://nobody.example").expect(t, 2, "error: --exclude=https://nobody.example matches no site of the array", "hint: write a glob")
		f.renew(t, "--all", "--exclude=nobody", "--json").expect(t, 2)
	})
	t.Run("none, since they were left out", func(t *testing.T) {
		master, off := f.tenants[0].Wwwroot, f.tenants[6].Wwwroot+", "+f.tenants[7].Wwwroot
		noMaster := "1 master left out: add --withmaster to include it: " + master
		noTenants := "2 tenants left out: disabled or without MNet in VMoodle's register: " + off
		for _, args := range [][]string{{"--all"}, {"--all", "--quiet"}, {"--all", "--if-due"}, {"--all", "--shard=0/1"}, {"--all", "--shard=0/2"}, {"--all", "--shard=1/2"}} {
			f.renew(t, append(args, "--match="+f.glob(0))...).expect(t, 2, "error: no tenant of the array is selected", "hint: "+noMaster+"\n")
		}
		for _, command := range []string{"doctor", "push", "status", "verify"} {
			f.command(t, command, "--all", "--match="+f.glob(0)).expect(t, 2, "error: no tenant of the array is selected", "hint: "+noMaster+"\n")
		}
		f.command(t, "check", "--all", "--match="+f.glob(0)).expect(t, 3, "no tenant of the array is selected", noMaster)
		f.renew(t, "--all", "--match="+f.glob(6), "--match="+f.glob(7)).expect(t, 2, "hint: "+noTenants+"\n")
		f.renew(t, "--all", "--match="+f.glob(0), "--match="+f.glob(6), "--match="+f.glob(7)).expect(t, 2, "hint: "+noMaster+"; "+noTenants+"\n")
	})
	t.Run("the master, with the wwwroot of a tenant", func(t *testing.T) {
		tenant := f.tenants[1].Wwwroot
		r := f.renew(t, "--all", "--withmaster", "--cfg=wwwroot="+tenant, "--dry-run")
		r.expect(t, 3, "6 tenants to renew", "two sites have the wwwroot "+tenant+", and different databases: ", tenant+" ("+f.config+")", "VMoodle's register in "+f.config, "hint: only one site can have this wwwroot")
		f.renew(t, "--host="+tenant, "--cfg=wwwroot="+tenant, "--dry-run").expect(t, 2, "two sites have the wwwroot "+tenant+", and different databases: "+f.config+" and VMoodle's register in "+f.config, "hint: only one site can have this wwwroot")
	})
	t.Run("what a dry run says", func(t *testing.T) {
		f.renew(t, "--all", "--dry-run").expect(t, 0, "1 master left out: add --withmaster to include it: "+f.tenants[0].Wwwroot+"\n",
			"2 tenants left out: disabled or without MNet in VMoodle's register: "+f.tenants[6].Wwwroot+", "+f.tenants[7].Wwwroot+"\n",
			"5 tenants to renew, in an array of 7 sites", "5 tenants: 5 can be renewed; dry run: nothing was changed")
		r := f.renew(t, "--all", "--dry-run", "--json")
		if d := r.document(t); !d.DryRun || d.Tenants[0].Outcome != rotate.Kept || d.Tenants[0].SelfCheck != rotate.SelfProven || len(d.Tenants[0].Peers) != 8 {
			t.Errorf("%+v", d)
		}
	})
	if f.state(t) != before {
		t.Error("a dry run has changed something")
	}
}

// wwwroots are the tenants of the JSON document, sorted.
func (r ran) wwwroots(t testing.TB) (all []string) {
	t.Helper()
	for wwwroot := range r.byTenant(t) {
		all = append(all, wwwroot)
	}
	slices.Sort(all)
	return all
}

// shape is what two ways to renew a whole array must have in common: how often each tenant was
// renewed, which rows are wrong, and everything that is not a key.
func (f *fleet) shape(t testing.TB) string {
	t.Helper()
	all := f.wrongLinks(t)
	for _, s := range f.tenants {
		coherent(t, s.Site)
		all = append(all, rows(t, s.Site, f.sites...))
	}
	return strings.Join(all, "\n")
}

func TestTwoShardsOneAfterAnotherAreOneWholeRun(t *testing.T) {
	t.Parallel()
	var f *fleet
	for split := 0; split == 0 || split == len(f.tenants); { // ports differ, and shards with them: in one of 32 fleets all tenants are in one shard
		f, split = newFleet(t, fleetOptions{tenants: 6, outsiders: 1}), 0
		for _, s := range f.tenants {
			if (rotate.Selection{Shard: 0, Shards: 2}).Includes(s.Wwwroot) {
				split++
			}
		}
	}
	args := []string{"--all", "--withmaster", "--json", "--fresh=0s"}
	before := f.shape(t)
	r := f.renew(t, args...)
	r.expect(t, 0)
	whole, tenants := f.shape(t), r.wwwroots(t)

	var parts []string
	for _, shard := range []string{"0/2", "1/2"} {
		r := f.renew(t, append(args, "--shard="+shard)...)
		r.expect(t, 0)
		parts = append(parts, r.wwwroots(t)...)
	}
	slices.Sort(parts)
	if !slices.Equal(parts, tenants) {
		t.Errorf("the shards are\n%q\nthe whole is\n%q", parts, tenants)
	}
	if after := f.shape(t); after != whole || whole != before {
		t.Errorf("after two shards:\n%s\n\nafter a whole run:\n%s", after, whole)
	}
	for _, s := range f.tenants {
		if n := len(historyOf(t, s.Site)); n != 2 {
			t.Errorf("%s was renewed %d times, want once by the whole run and once by its shard", s.Wwwroot, n)
		}
	}
}

func TestHowFarAnArrayGoesWhenOneFails(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 6})
	canary, down := f.tenants[0], f.tenants[3]
	canary.side.cacheIn(canary.Site, t.TempDir())
	pairs := func() (all []string) {
		for _, s := range f.tenants {
			all = append(all, pairOf(t, s.Site))
		}
		return append(all, f.wrongLinks(t)...)
	}
	before := pairs()
	unchanged := func(c string) {
		t.Helper()
		if !slices.Equal(pairs(), before) {
			t.Errorf("%s: a key has changed", c)
		}
	}
	f.renew(t, "--all", "--withmaster").expect(t, 1, "not renewed: the canary "+canary.Wwwroot+" failed", "5 not renewed, 1 undone")
	unchanged("a canary that fails")

	canary.side.cacheIn(canary.Site, canary.Dataroot)
	f.says(t, down.Site, "vdbhost = '127.0.0.1:1'")
	for _, c := range []string{"--fullstop", "-s"} {
		f.renew(t, "--all", "--withmaster", c).expect(t, 1, "not renewed: "+down.Wwwroot+" failed, and --fullstop stops then", "5 not renewed, 1 failed")
		unchanged(c)
	}
	f.command(t, "push", "--all", "--withmaster", "--fullstop").expect(t, 1, "not pushed: "+down.Wwwroot+" failed, and --fullstop stops then", "5 not pushed, 1 failed")
	f.renew(t, "--all", "--withmaster", "--fullstop", "--exclude="+f.glob(3), "--match="+f.glob(1)).expect(t, 3, "1 renewed")
	r := f.renew(t, "--all", "--withmaster", "--max-failures=2")
	r.expect(t, 3, "4 renewed, 1 failed, 1 not renewed again (its key is younger than --fresh)")
	sample, err := os.ReadFile("../docs/arrays.md")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := phases(r.stdout), phases(string(sample)); !slices.Equal(got, want) {
		t.Errorf("the phases of a run are %q, and in docs/arrays.md %q", got, want)
	}
}

// phases are the words of the lines that say how far a run is.
func phases(text string) (words []string) {
	for _, line := range regexp.MustCompile(`(?m)^([a-z ]+) \d+/\d+`).FindAllStringSubmatch(text, -1) {
		words = append(words, line[1])
	}
	return words
}

func TestHowAnArrayIsToldAndProven(t *testing.T) {
	t.Parallel()
	const n = 4
	f := newFleet(t, fleetOptions{tenants: n, outsiders: 1})
	// calls counts what members have received from each other.
	calls := func() (keyswaps, sealed int) {
		for _, s := range f.tenants {
			for _, r := range s.web.Requests() {
				switch {
				case r.From == s.Wwwroot || r.From == f.outsiders[0].Wwwroot():
				case r.Method == "system/keyswap":
					keyswaps++
				case r.Sealed && r.Verified:
					sealed++
				}
			}
		}
		return keyswaps, sealed
	}
	for _, c := range []struct {
		name, command    string
		args             []string
		keyswaps, sealed int
		reason           string // of a member that is proven
		renews           bool
	}{
		{"by database", "renew", nil, 0, 0, "database", true},
		{"by database, and calls", "renew", []string{"--prove=calls"}, 0, n * (n - 1), "database", true},
		{"by database, and some calls", "renew", []string{"--prove=sample=2"}, 0, n * 2, "database", true},
		{"by keyswap", "renew", []string{"--push=keyswap", "--abandon-pending"}, n * (n - 1), n * (n - 1), "", true},
		{"again, by database", "push", nil, 0, 0, "database", false},
		{"again, by keyswap", "push", []string{"--push=keyswap"}, n * (n - 1), n * (n - 1), "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			// Only another run can have left this: rows without a key.
			for i, s := range f.tenants {
				s.DB.Exec(t, "UPDATE {mnet_host} SET public_key = '', public_key_expires = 0 WHERE wwwroot = ?", f.tenants[(i+1)%n].Wwwroot)
			}
			pair := pairOf(t, f.tenants[2].Site)
			keyswaps, sealed := calls()
			args := append([]string{"--all", "--withmaster", "--json"}, c.args...)
			if c.renews {
				args = append(args, "--fresh=0s")
			}
			r := f.command(t, c.command, args...)
			r.expect(t, 0)
			for _, tenant := range r.document(t).Tenants {
				for _, p := range tenant.Peers {
					if want := rotate.Reason(c.reason); p.Outcome != rotate.Accepted || p.Reason != want && p.Wwwroot != f.outsiders[0].Wwwroot() {
						t.Errorf("%s: %+v", tenant.Wwwroot, p)
					}
				}
			}
			nowKeyswaps, nowSealed := calls()
			if nowKeyswaps-keyswaps != c.keyswaps || nowSealed-sealed != c.sealed {
				t.Errorf("%d keyswaps and %d calls among members, want %d and %d", nowKeyswaps-keyswaps, nowSealed-sealed, c.keyswaps, c.sealed)
			}
			if renewed := pairOf(t, f.tenants[2].Site) != pair; renewed != c.renews {
				t.Errorf("renewed: %v", renewed)
			}
			if wrong := f.wrongLinks(t); len(wrong) > 0 {
				t.Errorf("wrong rows: %q", wrong)
			}
		})
	}
}

// Only the first tenant has a peer outside, which hangs until all other tenants are on standard
// output. If these were kept until the end, it would hang forever.
func TestTheJSONOfAnArrayIsStreamed(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 4, outsiders: 1})
	for _, s := range f.tenants[1:] {
		s.DB.Exec(t, "DELETE FROM {mnet_host} WHERE wwwroot = ?", f.outsiders[0].Wwwroot())
	}
	f.outsiders[0].Misbehave(peertest.Hang)
	cmd := command(t, "--config="+f.config, "--all", "--withmaster", "--json", "--timeout=2s", "--retries=10")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var r ran
	for piece := make([]byte, 4096); err == nil; {
		var n int
		n, err = stdout.Read(piece)
		r.stdout += string(piece[:n])
		if strings.Count(r.stdout, "\n{\"wwwroot\":") == len(f.tenants)-1 {
			f.outsiders[0].Misbehave()
		}
	}
	if err != io.EOF {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	tenants := r.document(t).Tenants
	if last := tenants[len(tenants)-1]; last.Wwwroot != f.tenants[0].Wwwroot || last.Unproven() > 0 || len(last.Peers) != 4 {
		t.Errorf("the last one: %+v", last)
	}
}
