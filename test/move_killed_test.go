package test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

// At whatever step a move is killed, no key and no row is lost, every row that users refer to has
// the old wwwroot or the new one, and the same command finishes it.
func TestAMoveThatIsKilledAtAnyStepIsFinishedByTheSameCommand(t *testing.T) {
	t.Parallel()
	binary := built(t, "-trimpath", "-tags", "killsteps")
	seed := testbed.Seed(t)
	const at = 2
	for part := range 2 * sweepers {
		// The site that moves is on MariaDB or on PostgreSQL, and one of the others is on each.
		worker, on, postgresql := part/2, "MariaDB", []int{4}
		if part%2 == 1 {
			on, postgresql = "PostgreSQL", []int{at, 4}
		}
		t.Run(fmt.Sprintf("%s, part %d of %d", on, worker+1, sweepers), func(t *testing.T) {
			t.Parallel()
			s := newSweep(t, binary, fleetOptions{tenants: 6, postgresql: postgresql})
			moved, old := movedMesh(t, s.fleet, at)
			// Each try at the old wwwroot, where nothing is, would be followed by a pause.
			s.args = []string{"move", "--host=" + moved.Wwwroot, "--from=" + old, "--yes", "--retries=0"}
			s.remember(t)
			s.prepare = func() { s.restore(t) }
			steps, wanted := s.steps(t), 4 // half of them write
			all := len(steps)
			if testbed.Long() {
				wanted = all
			} else {
				t.Logf("%s=%d", testbed.EnvSeed, seed)
				random := rand.New(rand.NewPCG(seed, 0)) // every part draws the same steps
				random.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
				slices.SortStableFunc(steps, func(a, b string) int { return cmp.Compare(strings.Count(b, " UPDATE "), strings.Count(a, " UPDATE ")) })
				steps = slices.Concat(steps[:wanted/2], steps[len(steps)-wanted/2:])
			}
			killed := 0
			for i := worker; i < len(steps) && killed*sweepers+worker < wanted; i += sweepers {
				if s.killMoveAt(t, steps[i], moved, old, at) {
					killed++
				}
			}
			t.Logf("killed at %d of %d steps", killed, all)
			if killed == 0 {
				t.Error("no run was killed")
			}
		})
	}
}

// killMoveAt kills a move, checks what it leaves, and finishes it. Since members are told at the
// same time, a step may not come again.
func (s *sweep) killMoveAt(t *testing.T, step string, moved *fleetTenant, old string, at int) (killed bool) {
	t.Helper()
	s.prepare()
	before := pairOf(t, moved.Site)
	r := s.run(t, "MNETKEYS_TEST_KILL", step)
	if killed = r.code == -1; !killed {
		r.expect(t, 0)
	}
	kept := append(historyOf(t, moved.Site), pairOf(t, moved.Site))
	if !slices.Contains(kept, before) {
		t.Error("the key of the old wwwroot is lost")
	}
	own := named(t, moved.Site, fmt.Sprint(ownRow(at)))
	if !holds(pairOf(t, moved.Site), moved.Certificate(t)) || (own == old) != (pairOf(t, moved.Site) == before) {
		t.Errorf("its own row has the wwwroot %s and another certificate than its pair, or the pair of the other wwwroot", own)
	}
	for _, tenant := range s.tenants {
		if name := named(t, tenant.Site, fmt.Sprint(ownRow(at))); name != old && name != moved.Wwwroot {
			t.Errorf("%s has the row of %s", tenant.Wwwroot, name)
		} else if held := tenant.Held(t, name); !slices.ContainsFunc(kept, func(pair string) bool { return holds(pair, held) }) {
			t.Errorf("%s has a certificate that nobody has the key of", tenant.Wwwroot)
		}
	}
	s.run(t, "MNETKEYS_TEST_KILL", "").expect(t, 0)
	s.hasMoved(t, moved, at)
	if n := len(historyOf(t, moved.Site)); n > 2 {
		t.Errorf("%d retired keys", n)
	}
	s.callAll(t)
	if t.Failed() {
		t.Fatalf("killed %s", s.readable(step))
	}
	return killed
}
