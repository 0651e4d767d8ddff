package rotate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// proven checks every link between these sites of the fleet: the row that a site has of another
// must have the certificate that the other uses.
func (f *fleet) proven(sites ...*fleetSite) {
	f.t.Helper()
	for _, a := range sites {
		for _, b := range sites {
			if row := b.rows[a.tenant.Wwwroot]; row != nil && !row.deleted && row.certificate != a.web().Certificate {
				f.t.Errorf("%s has another certificate of %s than it uses", b.tenant.Wwwroot, a.tenant.Wwwroot)
			}
		}
	}
}

func TestAnArrayIsRenewedInTwoPhases(t *testing.T) {
	f := newFleet(t, 8)
	code := f.array(ArrayOptions{Canary: 1}).Run(t.Context())
	if code != ExitOK || len(f.reports) != 8 {
		t.Fatalf("exit %d, %d reports", code, len(f.reports))
	}
	lastStore, firstHold := -1, len(f.events)
	for i, e := range f.events {
		if strings.HasPrefix(e, "store") {
			lastStore = i
		}
		if strings.HasPrefix(e, "hold") && i < firstHold {
			firstHold = i
		}
		if strings.HasPrefix(e, "push") {
			t.Errorf("a key was pushed to a member over HTTP: %s", e)
		}
	}
	if lastStore > firstHold {
		t.Error("a key was pushed while others still renewed")
	}
	for _, r := range f.reports {
		if r.Outcome != Renewed || r.SelfCheck != SelfProven || len(r.Peers) != 7 || r.Unproven() != 0 {
			t.Errorf("%+v", r)
		}
		for _, p := range r.Peers {
			if p.Outcome != Accepted || p.Reason != "database" {
				t.Errorf("%s: %+v", r.Wwwroot, p)
			}
		}
	}
	f.proven(f.sites...)
	if len(f.locked) != 0 || f.open != 0 || f.maxOpen > 3 {
		t.Errorf("%d locks and %d sessions left, %d sessions at once", len(f.locked), f.open, f.maxOpen)
	}
}

func TestWhatFailsInAnArrayFailsAlone(t *testing.T) {
	f := newFleet(t, 8)
	f.sites[1].down = true
	f.sites[2].sticky = true
	f.sites[3].lockErr = ErrLocked
	f.sites[5].rows[f.sites[4].tenant.Wwwroot].deleted = true
	delete(f.sites[6].rows, f.sites[4].tenant.Wwwroot)
	outsider := "https://outside.example"
	f.sites[4].rows[outsider] = &fleetRow{}
	f.sites[4].order = append(f.sites[4].order, outsider)
	old := f.sites[2].tenant.Pair

	if code := f.array(ArrayOptions{}).Run(t.Context()); code != ExitPeers {
		t.Errorf("exit %d", code)
	}
	report := func(i int) TenantReport { return f.reports[f.sites[i].tenant.Wwwroot] }
	if r := report(1); r.Outcome != Failed || !errors.Is(r.Err, errDown) {
		t.Errorf("database down: %+v", r)
	}
	if r := report(2); r.Outcome != Undone || f.sites[2].tenant.Pair != old {
		t.Errorf("local site keeps its key: %+v", r)
	}
	if r := report(3); r.Exit != ExitLocked {
		t.Errorf("locked: %+v", r)
	}
	want := map[int]string{0: "accepted database", 1: "pending database", 2: "accepted database", 3: "accepted database",
		5: "refused unknown_to_peer", 6: "refused unknown_to_peer", 7: "accepted database"}
	for i, w := range want {
		at := slices.IndexFunc(report(4).Peers, func(p PeerReport) bool { return p.Wwwroot == f.sites[i].tenant.Wwwroot })
		if p := report(4).Peers[at]; string(p.Outcome)+" "+string(p.Reason) != w {
			t.Errorf("site 4 at site %d: %+v, want %s", i, p, w)
		}
	}
	if p := report(4).Peers[len(report(4).Peers)-1]; p.Wwwroot == outsider && p.Outcome != Pending {
		t.Errorf("the outsider: %+v", p)
	}
	f.proven(f.sites[0], f.sites[2], f.sites[4], f.sites[7])
}

func TestHowFarAnArrayGoesWhenTenantsFail(t *testing.T) {
	for _, c := range []struct {
		name    string
		o       ArrayOptions
		sticky  []int
		renewed func(n int) bool
		code    int
	}{
		{"every tenant is tried", ArrayOptions{}, []int{0, 1}, func(n int) bool { return n == 8 }, ExitPeers},
		{"a canary that fails stops all others", ArrayOptions{Canary: 1}, []int{0}, func(n int) bool { return n == 0 }, ExitNotRenewed},
		{"so do too many failures", ArrayOptions{MaxFailures: 1}, []int{0, 1, 2}, func(n int) bool { return n < 7 }, ExitPeers},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFleet(t, 10)
			for _, i := range c.sticky {
				f.sites[i].sticky = true
			}
			code := f.array(c.o).Run(t.Context())
			n := 0
			for _, r := range f.reports {
				if r.Outcome == Renewed {
					n++
				} else if r.Err == nil {
					t.Errorf("%s does not say why it was not renewed", r.Wwwroot)
				}
			}
			if !c.renewed(n) || len(f.reports) != 10 || code != c.code && n > 0 {
				t.Errorf("%d renewed, %d reports, exit %d", n, len(f.reports), code)
			}
			f.proven(f.sites...)
		})
	}
}

func TestAKilledArrayIsFinishedBySameCommand(t *testing.T) {
	f := newFleet(t, 6)
	ctx, cancel := context.WithCancel(t.Context())
	stores := 0
	f.on = func(e string) {
		if strings.HasPrefix(e, "store") {
			if stores++; stores == 3 {
				cancel()
			}
		}
	}
	f.array(ArrayOptions{Fresh: time.Hour}).Run(ctx)
	f.on = nil
	before := map[string]Stored{}
	for _, s := range f.sites {
		before[s.tenant.Wwwroot] = s.tenant.Pair
	}
	f.reports = map[string]TenantReport{}
	if code := f.array(ArrayOptions{Fresh: time.Hour}).Run(t.Context()); code != ExitOK {
		t.Errorf("exit %d", code)
	}
	kept := 0
	for _, s := range f.sites {
		r := f.reports[s.tenant.Wwwroot]
		if r.Outcome == Kept {
			kept++
			if s.tenant.Pair != before[s.tenant.Wwwroot] {
				t.Errorf("%s was renewed again", s.tenant.Wwwroot)
			}
		}
		if r.Unproven() > 0 {
			t.Errorf("%+v", r)
		}
	}
	if kept < 3 || kept == 6 {
		t.Errorf("%d tenants kept", kept)
	}
	f.proven(f.sites...)
}

// A signal arrives between the phases: the tenants that were renewed are checked once more, and
// their peers are reported although no peer has the new key.
func TestAnInterruptedArrayReportsAllItHasRenewed(t *testing.T) {
	f := newFleet(t, 4)
	outsider := "https://outside.example"
	f.sites[0].rows[outsider] = &fleetRow{}
	f.sites[0].order = append(f.sites[0].order, outsider)
	ctx, cancel := context.WithCancel(t.Context())
	f.on = func(e string) {
		if strings.HasPrefix(e, "hold") {
			cancel()
		}
	}
	code := f.array(ArrayOptions{}).Run(ctx)
	for i, s := range f.sites {
		r := f.reports[s.tenant.Wwwroot]
		if r.Err != nil || r.Outcome != Renewed || len(r.Peers) != len(s.order) {
			t.Errorf("%+v", r)
		}
		if last := r.Peers[len(r.Peers)-1]; i == 0 && (last.Wwwroot != outsider || last.Outcome != Pending) {
			t.Errorf("the peer outside: %+v", last)
		}
	}
	if code != ExitPeers {
		t.Errorf("exit %d", code)
	}
}

func TestATenantThatIsLostAfterItWasRenewedIsNoneThatWasNot(t *testing.T) {
	f := newFleet(t, 2)
	f.on = func(e string) {
		if strings.HasPrefix(e, "hold") {
			f.sites[0].down, f.sites[1].down = true, true
		}
	}
	if code := f.array(ArrayOptions{}).Run(t.Context()); code != ExitPeers {
		t.Errorf("exit %d", code)
	}
	for _, r := range f.reports {
		if r.Outcome != Renewed || r.Exit != ExitPeers || !errors.Is(r.Err, errDown) {
			t.Errorf("%+v", r)
		}
	}
}

// A tenant that was renewed by a killed run has shown that renewing works: the next canary need not
// be a tenant that the first run would have tried together with many others.
func TestAFreshTenantIsCanaryEnough(t *testing.T) {
	f := newFleet(t, 6)
	f.array(ArrayOptions{}, 0, 1).Run(t.Context())
	f.sites[2].sticky = true
	f.array(ArrayOptions{Canary: 1, Fresh: time.Hour}).Run(t.Context())
	for i, want := range []Outcome{Kept, Kept, Undone, Renewed, Renewed, Renewed} {
		if r := f.reports[f.sites[i].tenant.Wwwroot]; r.Outcome != want {
			t.Errorf("%s: %s, want %s: %s", r.Wwwroot, r.Outcome, want, r.Error)
		}
	}
}

func TestPushOnlyRenewsNothing(t *testing.T) {
	f := newFleet(t, 4)
	f.sites[1].rows[f.sites[0].tenant.Wwwroot].certificate = ""
	if code := f.array(ArrayOptions{PushOnly: true}).Run(t.Context()); code != ExitOK {
		t.Errorf("exit %d: %+v", code, f.reports)
	}
	for _, e := range f.events {
		if strings.HasPrefix(e, "store") {
			t.Error(e)
		}
	}
	f.proven(f.sites...)
}

func TestTwoShardsAreOneWhole(t *testing.T) {
	f := newFleet(t, 6)
	f.array(ArrayOptions{}, 0, 2, 4).Run(t.Context())
	f.array(ArrayOptions{}, 1, 3, 5).Run(t.Context())
	for _, s := range f.sites {
		if s.version != 1 {
			t.Errorf("%s was renewed %d times", s.tenant.Wwwroot, s.version)
		}
	}
	f.proven(f.sites...)
}

func TestMembersMayBeCalledBesides(t *testing.T) {
	for _, c := range []struct {
		name  string
		o     ArrayOptions
		calls int // of each tenant to members
	}{{"none", ArrayOptions{}, 0}, {"a sample", ArrayOptions{ProveCalls: 2}, 2}, {"all", ArrayOptions{ProveCalls: -1}, 4}} {
		t.Run(c.name, func(t *testing.T) {
			f := newFleet(t, 5)
			f.sites[3].proveFail = "bad_signature"
			code := f.array(c.o).Run(t.Context())
			calls := 0
			for _, e := range f.events {
				if strings.HasPrefix(e, "prove") {
					calls++
				}
			}
			if got := (calls - 3*5) / 5; got != c.calls { // three calls to each local site
				t.Errorf("%d calls a tenant", got)
			}
			if c.calls == 4 && code != ExitPeers {
				t.Errorf("exit %d although a member answers badly", code)
			}
		})
	}
}

func TestAnArrayMayBeToldByKeyswap(t *testing.T) {
	f := newFleet(t, 3)
	if code := f.array(ArrayOptions{ByKeyswap: true}).Run(t.Context()); code != ExitOK {
		t.Errorf("exit %d: %+v", code, f.reports)
	}
	pushes := 0
	for _, e := range f.events {
		if strings.HasPrefix(e, "push") {
			pushes++
		}
		if strings.HasPrefix(e, "hold") {
			t.Error(e)
		}
	}
	if pushes != 6 {
		t.Errorf("%d keyswaps", pushes)
	}
	f.proven(f.sites...)
}

func TestADryRunOfAnArrayTouchesNothing(t *testing.T) {
	f := newFleet(t, 3)
	f.sites[2].down = true
	code := f.array(ArrayOptions{}).Plan(t.Context())
	if code != ExitPeers && code != ExitNotRenewed {
		t.Errorf("exit %d", code)
	}
	for _, e := range f.events {
		if !strings.HasPrefix(e, "prove") && !strings.HasPrefix(e, "look") {
			t.Error(e)
		}
	}
	if r := f.reports[f.sites[0].tenant.Wwwroot]; r.Outcome != Kept || len(r.Peers) != 2 {
		t.Errorf("%+v", r)
	}
}

// hookedCache is one that a hook empties.
type hookedCache struct{ Cache }

func (hookedCache) Hooked() bool { return true }

// What the web servers of one site have shown says nothing of those of another, and nothing of
// another site's key in caches that a hook empties.
func TestOnlyTheSameWebServersAreProvenByFewerAnswers(t *testing.T) {
	asked := func(hooked bool, servers ...string) (counts []int) {
		f := newFleet(t, len(servers))
		a := f.array(ArrayOptions{Canary: 1})
		a.Template.Answers = 0
		for i, at := range servers {
			a.Members[i].WebServers = at
			if hooked {
				a.Members[i].wrap(func(s *Session) { s.Cache = hookedCache{s.Cache} })
			}
		}
		if code := a.Run(t.Context()); code != ExitOK {
			t.Fatalf("exit code %d", code)
		}
		for _, s := range f.sites {
			counts = append(counts, f.count("prove "+s.tenant.Wwwroot))
		}
		return counts
	}
	same, own, hooked := asked(false, "a", "a", "a"), asked(false, "a", "b", "c"), asked(true, "a", "a", "a")
	if same[1] >= same[0] || same[2] != same[1] {
		t.Errorf("with the same web servers they were asked %v times", same)
	}
	if own[0] != same[0] || own[1] != own[0] || own[2] != own[0] {
		t.Errorf("with their own web servers they were asked %v times", own)
	}
	if hooked[1] != hooked[0] || hooked[2] != hooked[0] {
		t.Errorf("with a hook they were asked %v times", hooked)
	}
}
