package test

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

// The property: wherever a run over the mesh is killed, and however often, no key is lost, no site
// has a certificate whose key is lost, and one more run leaves the mesh like a run that was not
// killed.
func TestAnArrayThatIsKilledAnywhereIsFinishedByTheSameCommand(t *testing.T) {
	t.Parallel()
	for _, seed := range testbed.Seeds(t, 2, 3) {
		t.Run(fmt.Sprintf("%s=%d", testbed.EnvSeed, seed), func(t *testing.T) {
			t.Parallel()
			m, random := newTroubledMesh(t), rand.New(rand.NewPCG(seed, 0))
			for range 1 + random.IntN(3) {
				m.kill(t, random)
				m.nothingIsLost(t)
			}
			m.ended(t, m.renew(t, "--all", "--withmaster", "--json"))
			m.nothingIsLost(t)
		})
	}
}

// kill kills a run somewhere. In phase one it counts the calls to the local sites, or strikes after
// the tenant that keeps its key has stored another one; in phase two it counts the rows that
// members have received. It kills the run a little later.
func (m *troubledMesh) kill(t *testing.T, random *rand.Rand) {
	t.Helper()
	const never = int64(1 << 62)
	asked, told, halfway := never, never, false
	switch random.IntN(3) {
	case 0:
		asked = random.Int64N(40)
	case 1:
		told = 1 + random.Int64N(80)
	default:
		halfway = true
	}
	later := time.Duration(random.IntN(40)) * time.Millisecond
	askedBefore, toldBefore := m.asked(), m.told(t)

	run := m.start(t, "--all", "--withmaster")
	waitFor(t, "the moment to kill", func() bool {
		return run.ended() || m.asked()-askedBefore >= asked || m.told(t)-toldBefore >= told ||
			halfway && pairOf(t, m.sticky.Site) != m.before[m.sticky.Wwwroot].pair
	})
	time.Sleep(later)
	_ = run.cmd.Process.Kill()
	r := <-run.done
	t.Logf("killed after %d calls and %d rows, halfway %v: %s", m.asked()-askedBefore, m.told(t)-toldBefore,
		pairOf(t, m.sticky.Site) != m.before[m.sticky.Wwwroot].pair, strings.ReplaceAll(r.stdout, "\n", "; "))
}

// asked counts the calls to all web servers.
func (f *fleet) asked() (n int64) {
	for _, s := range f.tenants {
		n += s.side.asked.Load()
	}
	return n
}

// told counts the rows of other tenants with an expiry of a new certificate.
func (f *fleet) told(t testing.TB) (n int64) {
	t.Helper()
	for i, s := range f.tenants {
		rows, err := strconv.ParseInt(s.DB.Value(t, `SELECT COUNT(*) FROM {mnet_host} WHERE id > 1 AND id <> ? AND id < ?
			AND public_key_expires > ?`, ownRow(i), ownRow(len(f.tenants)), time.Now().AddDate(0, 0, 20).Unix()), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		n += rows
	}
	return n
}

// nothingIsLost checks that every tenant still has its first pair, and a pair for each of its
// certificates that any site has.
func (m *troubledMesh) nothingIsLost(t *testing.T) {
	t.Helper()
	for _, s := range m.tenants {
		kept := append(historyOf(t, s.Site), pairOf(t, s.Site))
		if !slices.Contains(kept, m.before[s.Wwwroot].pair) {
			t.Errorf("%s has lost its first pair", s.Wwwroot)
		}
		held := map[string]string{}
		for _, other := range m.tenants {
			held[other.Wwwroot] = other.Held(t, s.Wwwroot)
		}
		for _, outsider := range m.outsiders {
			held[outsider.Wwwroot()] = outsider.Held(s.Wwwroot)
		}
		for holder, certificate := range held {
			if !slices.ContainsFunc(kept, func(pair string) bool { return holds(pair, certificate) }) {
				t.Errorf("%s holds a certificate of %s that nobody has the key of", holder, s.Wwwroot)
			}
		}
	}
}

// running is a command that was started on the array.
type running struct {
	cmd  *exec.Cmd
	done chan ran // receives one when the command has ended
}

func (f *fleet) start(t testing.TB, args ...string) *running {
	t.Helper()
	cmd := command(t, append([]string{"--config=" + f.config}, args...)...)
	end := begin(t, cmd)
	r := &running{cmd, make(chan ran, 1)}
	go func() { r.done <- end() }()
	return r
}

func (r *running) ended() bool { return len(r.done) > 0 }

// Two runs over one array, and one over a tenant of it, take the locks that they get.
//
// The promise: a run that renews a tenant pushes the key to all others before it gives the lock
// back, so that after all runs have ended every row is right. If a row is wrong, because two
// tenants changed their keys at the same moment and pushed to each other over HTTP, a run has said
// so, and a last push repairs the rest.
func TestRunsAtOnceLeaveNoLinkUnproven(t *testing.T) {
	t.Parallel()
	size := 5
	if testbed.Long() {
		size = 7
	}
	for _, c := range []struct {
		name    string
		renewed int // how many tenants the first run has renewed when the others start
		args    []string
	}{
		{"two that start together, and share the tenants", 0, []string{"--fresh=0s", "--lock-wait=2s"}},
		{"the second renews again behind the first", 3, []string{"--fresh=0s", "--lock-wait=60s", "--prove=calls"}},
		{"the second keeps what the first has renewed", 3, []string{"--lock-wait=60s"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, fleetOptions{tenants: size, outsiders: 1})
			array := append([]string{"--all", "--withmaster", "--json"}, c.args...)
			runs := []*running{f.start(t, array...)}
			waitFor(t, "the first to renew some", func() bool { return f.renewals(t) >= c.renewed })
			runs = append(runs, f.start(t, array...), f.start(t, "--host="+f.tenants[3].Wwwroot, "--json", "--lock-wait=60s"))
			left := map[string]bool{}
			for _, run := range runs {
				r := <-run.done
				if r.code != 0 && r.code != 3 && r.code != 5 {
					r.expect(t, 0)
				}
				for _, link := range r.unproven(t) {
					left[link] = true
				}
			}
			for _, wrong := range f.wrongLinks(t) {
				if !left[wrong] {
					t.Errorf("no run has said that it left %s", wrong)
				}
			}
			f.command(t, "push", "--all", "--withmaster").expect(t, 0)
			if wrong := f.wrongLinks(t); len(wrong) > 0 {
				t.Errorf("still wrong after the last run: %q", wrong)
			}
			for i, s := range f.tenants {
				coherent(t, s.Site)
				call(t, s.web, f.tenants[(i+1)%len(f.tenants)].web)
				call(t, s.web, f.outsiders[0])
			}
		})
	}
}

// renewals counts the tenants that have retired a pair.
func (f *fleet) renewals(t testing.TB) (n int) {
	t.Helper()
	for _, s := range f.tenants {
		if len(historyOf(t, s.Site)) > 0 {
			n++
		}
	}
	return n
}

// unproven are the links that a run reports as not proven, both ways.
func (r ran) unproven(t testing.TB) (links []string) {
	t.Helper()
	for _, tenant := range r.document(t).Tenants {
		for _, p := range tenant.Peers {
			if !p.Outcome.Proven() {
				links = append(links, p.Wwwroot+" > "+tenant.Wwwroot, tenant.Wwwroot+" > "+p.Wwwroot)
			}
		}
	}
	return links
}

func TestASignalInPhaseOneLeavesEveryTenantOneWholeKey(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 6, outsiders: 1})
	canary, others := f.tenants[0], f.tenants[1:]
	release := canary.side.holdRefill()
	defer release()
	run := f.start(t, "--all", "--withmaster", "--json")
	waitFor(t, "the canary to have its key", func() bool { return f.renewals(t) == 1 })
	if err := run.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond) // for the signal to arrive: nothing shows that it has
	release()
	r := <-run.done
	r.expect(t, 143)
	reports := r.byTenant(t)
	if r := reports[canary.Wwwroot]; r.Outcome != rotate.Renewed || r.SelfCheck != rotate.SelfProven || r.Unproven() != 6 {
		t.Errorf("the canary was not brought to a safe point: %+v", r)
	}
	for _, s := range others {
		if r := reports[s.Wwwroot]; r.Outcome != rotate.Kept || !strings.Contains(r.Error, "interrupted by SIGTERM") || len(historyOf(t, s.Site)) > 0 {
			t.Errorf("a tenant that was still to be renewed: %+v", r)
		}
	}
	for _, s := range f.tenants {
		coherent(t, s.Site)
	}
	f.finishes(t, map[*fleetTenant]rotate.Outcome{canary: rotate.Kept})
}

func TestASignalInPhaseTwoLeavesWhoWasNotReachedPending(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 6, outsiders: 1})
	kept := map[*fleetTenant]rotate.Outcome{}
	f.outsiders[0].Misbehave(peertest.Hang)
	run := f.start(t, "--all", "--withmaster", "--json", "--timeout=60s")
	waitFor(t, "all members to be told", func() bool { return f.told(t) == 6*5 })
	if err := run.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	r := <-run.done
	r.expect(t, 143)
	for _, report := range r.byTenant(t) {
		for _, p := range report.Peers {
			if told := p.Outcome == rotate.Accepted && p.Reason == "database"; told == (p.Wwwroot == f.outsiders[0].Wwwroot()) {
				t.Errorf("%s: %+v", report.Wwwroot, p)
			}
		}
	}
	for _, s := range f.tenants {
		kept[s] = rotate.Kept
	}
	f.outsiders[0].Misbehave()
	f.finishes(t, kept)
}

// finishes checks that the next run leaves the fleet proven, with these outcomes for tenants that
// it does not renew.
func (f *fleet) finishes(t testing.TB, outcomes map[*fleetTenant]rotate.Outcome) {
	t.Helper()
	r := f.renew(t, "--all", "--withmaster", "--json")
	r.expect(t, 0)
	reports := r.byTenant(t)
	for _, s := range f.tenants {
		want := rotate.Renewed
		if outcome, other := outcomes[s]; other {
			want = outcome
		}
		if r := reports[s.Wwwroot]; r.Outcome != want {
			t.Errorf("the next run: %+v, want %s", r, want)
		}
		if n := len(historyOf(t, s.Site)); n != 1 {
			t.Errorf("%s was renewed %d times", s.Wwwroot, n)
		}
	}
	if wrong := f.wrongLinks(t); len(wrong) > 0 {
		t.Errorf("after the next run: %q", wrong)
	}
}
