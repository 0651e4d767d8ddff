package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// envSeed makes the property test try one seed, that of a failure, instead of new ones.
const envSeed = "MNETKEYS_TEST_SEED"

// The property: wherever a run over the mesh is killed, and however often, no
// key is lost, nobody holds a certificate whose key is lost, and one run more
// leaves the mesh as a run that nobody killed.
func TestAnArrayThatIsKilledAnywhereIsFinishedByTheSameCommand(t *testing.T) {
	seeds := make([]uint64, 6)
	for i := range seeds {
		seeds[i] = uint64(rand.Uint32())
	}
	if fixed := os.Getenv(envSeed); fixed != "" {
		seed, err := strconv.ParseUint(fixed, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seeds = []uint64{seed}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprintf("%s=%d", envSeed, seed), func(t *testing.T) {
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

// kill kills a run somewhere: in phase one by the calls that own sites have been
// asked, in phase two by the rows that members have been told, and a little later.
func (m *troubledMesh) kill(t *testing.T, random *rand.Rand) {
	t.Helper()
	asked, told := random.Int64N(40), int64(1<<62)
	if random.IntN(2) == 0 {
		asked, told = told, 1+random.Int64N(80)
	}
	later := time.Duration(random.IntN(40)) * time.Millisecond
	askedBefore, toldBefore := m.asked(), m.told(t)

	run := m.start(t, "--all", "--withmaster")
	waitFor(t, "the moment to kill", func() bool {
		return run.ended() || m.asked()-askedBefore >= asked || m.told(t)-toldBefore >= told
	})
	time.Sleep(later)
	_ = run.cmd.Process.Kill()
	r := <-run.done
	t.Logf("killed after %d calls and %d rows: %s", m.asked()-askedBefore, m.told(t)-toldBefore, strings.ReplaceAll(r.stdout, "\n", "; "))
}

// asked counts the calls to all web sides.
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
			AND public_key_expires > UNIX_TIMESTAMP() + 20 * 86400`, ownRow(i), ownRow(len(f.tenants))), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		n += rows
	}
	return n
}

// nothingIsLost holds for a mesh in which every tenant has its first pair still,
// and a pair for each of its certificates that anybody holds.
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
	done chan ran // gets one, when the command has ended
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

// Two runs over one array, and one over a tenant of it, take what locks they get.
// The promise: whoever renews a tenant tells all others of it, so that when all
// have ended every row is right, but where a run said that it left something: a
// tenant that it found locked, or a peer that just changed its own key. Then a
// last --only-distribute finds nothing left to do but that.
func TestRunsAtOnceLeaveNoLinkUnproven(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
	}{
		{"which renew whatever they get", []string{"--fresh=0s", "--lock-wait=2s"}},
		{"which keep what another has renewed", []string{"--lock-wait=2s"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, fleetOptions{tenants: 10, outsiders: 1})
			array := append([]string{"--all", "--withmaster", "--json"}, c.args...)
			runs := []*running{f.start(t, array...), f.start(t, array...), f.start(t, "--host="+f.tenants[3].Wwwroot, "--json", "--lock-wait=2s")}
			var codes []int
			for _, run := range runs {
				r := <-run.done
				codes = append(codes, r.code)
				d := r.document(t)
				for _, tenant := range d.Tenants {
					if tenant.Unproven() > 0 || tenant.Error != "" {
						t.Logf("%d: %s %s %s", r.code, tenant.Wwwroot, tenant.Outcome, tenant.Error)
						for _, p := range tenant.Peers {
							if !p.Outcome.Proven() {
								t.Logf("    %+v", p)
							}
						}
					}
				}
			}
			t.Log(codes, f.wrongLinks(t))
			f.renew(t, "--all", "--withmaster", "--only-distribute").expect(t, 0)
			if wrong := f.wrongLinks(t); len(wrong) > 0 {
				t.Error(wrong)
			}
		})
	}
}
