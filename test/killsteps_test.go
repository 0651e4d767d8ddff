package test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

// At whatever step a run is killed, nothing is lost, and the next run ends as if there had been no
// other. For runs that take long, a few steps are drawn, unless MNETKEYS_TEST_LONG is set.
func TestARunThatIsKilledAtAnyStepIsFinishedByTheNext(t *testing.T) {
	t.Parallel()
	// It can be killed at a step. Built as make release does, so that Go's own packages are
	// compiled once for both.
	binary := built(t, "-trimpath", "-tags", "killsteps")
	for _, c := range []struct {
		name   string
		drawn  int  // 0: all
		varies bool // not every run has the same steps
		begin  func(t *testing.T) *sweep
	}{
		{"one tenant", 10, false, func(t *testing.T) *sweep {
			return recordedSweep(t, newSweep(t, binary, fleetOptions{tenants: 1}))
		}},
		{"one tenant on PostgreSQL", 4, false, func(t *testing.T) *sweep {
			return recordedSweep(t, newSweep(t, binary, fleetOptions{tenants: 1, postgresql: []int{0}}))
		}},
		// Its keys are ten days old before the run that is killed. The next run keeps those of the
		// tenants that this run had reached.
		{"an array of six", 4, true, func(t *testing.T) *sweep {
			s := newSweep(t, binary, fleetOptions{tenants: 6, postgresql: []int{2, 4}}, "--all", "--withmaster")
			s.remember(t)
			s.prepare = func() { s.restore(t) }
			return s
		}},
		// Its local site does not use the new key, since its cache is in an unusual place, and the
		// old key is put back. That takes five idle seconds.
		{"a tenant that is undone", 2, false, func(t *testing.T) *sweep {
			s := newSweep(t, binary, fleetOptions{tenants: 1})
			s.remember(t)
			own := s.tenants[0]
			s.prepare = func() {
				s.restore(t)
				own.side.cacheIn(own.Site, t.TempDir())
				own.web.Certificate() // fills it
			}
			s.repair = func() { own.side.cacheIn(own.Site, own.Dataroot) }
			s.exit = rotate.ExitNotRenewed
			return s
		}},
	} {
		seed := testbed.Seed(t)
		for worker := range sweepers {
			t.Run(fmt.Sprintf("%s, part %d of %d", c.name, worker+1, sweepers), func(t *testing.T) {
				t.Parallel()
				s := c.begin(t)
				steps := s.steps(t)
				all := len(steps)
				wanted := all
				if c.drawn > 0 && !testbed.Long() {
					t.Logf("%s=%d", testbed.EnvSeed, seed)
					random := rand.New(rand.NewPCG(seed, 0)) // every part draws the same steps
					random.Shuffle(all, func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
					wanted = c.drawn
				}
				killed, missed := 0, 0
				for i := worker; i < all && killed*sweepers+worker < wanted; i += sweepers {
					if s.killedAt(t, steps[i], killed%2 == 0) {
						killed++
					} else {
						missed++
					}
				}
				t.Logf("killed at %d of %d steps", killed, all)
				if killed == 0 || missed > 0 && !c.varies || missed > 2+killed/50 {
					t.Errorf("%d steps of one run were not among those of the next", missed)
				}
			})
		}
	}
}

// sweepers is how many fleets share the steps.
const sweepers = 2

// sweep is a fleet whose runs are killed.
type sweep struct {
	*fleet
	binary  string
	args    []string
	prepare func()            // before each run that is killed; nil: nothing
	repair  func()            // after it; nil: nothing
	exit    int               // of a run that is not killed
	records map[string]string // files that a run writes, and how each ends
}

func newSweep(t *testing.T, binary string, o fleetOptions, args ...string) *sweep {
	o.outsiders = 1
	return &sweep{fleet: newFleet(t, o), binary: binary, args: args}
}

// recordedSweep is a sweep whose runs write records. The history is full, so that each run drops a
// key.
func recordedSweep(t *testing.T, s *sweep) *sweep {
	t.Helper()
	s.keepRecords(t)
	patched, err := peertest.Start(peertest.Options{Kind: peertest.Patched, Address: "127.9.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(patched.Close)
	addFake(t, s.tenants[0].Site, patched)
	s.outsiders = append(s.outsiders, patched)
	for range 3 {
		s.finish(t)
	}
	return s
}

// keepRecords makes every run write a page and metrics.
func (s *sweep) keepRecords(t *testing.T) {
	t.Helper()
	page, file := filepath.Join(t.TempDir(), "page.html"), filepath.Join(t.TempDir(), "mnet.prom")
	s.records = map[string]string{page: "</html>\n", file: "\n"}
	s.args = append(s.args, "--report="+page, "--prometheus-file="+file)
}

// recordsAreWhole checks that each record is complete or does not exist.
func (s *sweep) recordsAreWhole(t *testing.T, mayBeMissing bool) {
	t.Helper()
	for path, end := range s.records {
		text, err := os.ReadFile(path)
		if os.IsNotExist(err) && mayBeMissing {
			continue
		}
		if err != nil || !strings.HasSuffix(string(text), end) || !strings.Contains(string(text), s.tenants[0].Wwwroot) {
			t.Errorf("%s is not whole: %d bytes, error %v", filepath.Base(path), len(text), err)
		}
	}
}

func (s *sweep) run(t *testing.T, variable, value string) ran {
	t.Helper()
	cmd := command(t, append(slices.Clone(s.args), "--config="+s.config, "--concurrency=1", "--key-bits=1024")...)
	cmd.Path = s.binary
	cmd.Env = append(cmd.Env, variable+"="+value)
	return run1(t, cmd)
}

// finish is a run that is not killed, after which everything is proven.
func (s *sweep) finish(t *testing.T) {
	t.Helper()
	r := s.run(t, "MNETKEYS_TEST_KILL", "")
	r.expect(t, 0)
	if wrong := s.wrongLinks(t); len(wrong) > 0 {
		t.Errorf("wrong links: %q", wrong)
	}
	for _, tenant := range s.tenants {
		coherent(t, tenant.Site)
	}
	s.callAll(t)
	s.recordsAreWhole(t, false)
}

// callAll makes every tenant and the sites that know it call each other.
func (s *sweep) callAll(t *testing.T) {
	t.Helper()
	for i, tenant := range s.tenants {
		for _, other := range s.tenants[:i] {
			call(t, tenant.web, other.web)
		}
		for _, outsider := range s.outsiders {
			call(t, tenant.web, outsider)
		}
	}
}

// steps are the steps of one run, with names that are also valid in the fleet's next run, in the
// same order for any fleet.
func (s *sweep) steps(t *testing.T) []string {
	t.Helper()
	if s.prepare != nil {
		s.prepare()
	}
	list := filepath.Join(t.TempDir(), "steps")
	s.run(t, "MNETKEYS_TEST_STEPS", list).expect(t, s.exit)
	if s.repair != nil {
		s.repair()
	}
	text, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	names := strings.Split(strings.TrimSpace(string(text)), "\n")
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(s.readable(a), s.readable(b)) })
	if len(names) < 40 || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Fatalf("steps: %q", names)
	}
	return names
}

// readable names sites and accounts by their place in the fleet.
func (s *sweep) readable(step string) string {
	var names []string
	for i, tenant := range s.tenants {
		names = append(names, tenant.web.Addr(), fmt.Sprintf("tenant %d", i), tenant.DB.User, fmt.Sprintf("tenant %d", i))
	}
	for i, outsider := range s.outsiders {
		names = append(names, outsider.Addr(), fmt.Sprintf("outsider %d", i))
	}
	return strings.NewReplacer(names...).Replace(step)
}

// killedAt kills a run, checks what it leaves, and finishes it. With callBetween, users sign on
// before that. Tenants that take turns do not use the same number of connections in every run: a
// step that is not reached in three runs is not killed.
func (s *sweep) killedAt(t *testing.T, step string, callBetween bool) (killed bool) {
	t.Helper()
	for range 3 {
		if s.tryToKill(t, step, callBetween) {
			return true
		}
	}
	t.Logf("did not come again: %s", s.readable(step))
	return false
}

func (s *sweep) tryToKill(t *testing.T, step string, callBetween bool) (killed bool) {
	t.Helper()
	if s.prepare != nil {
		s.prepare()
	}
	before := map[string]string{}
	for _, tenant := range s.tenants {
		before[tenant.Wwwroot] = pairOf(t, tenant.Site)
	}
	r := s.run(t, "MNETKEYS_TEST_KILL", step)
	if killed = r.code == -1; !killed {
		r.expect(t, s.exit)
	}
	s.recordsAreWhole(t, true)
	for _, tenant := range s.tenants {
		s.nothingIsLost(t, tenant, before[tenant.Wwwroot])
	}
	if s.repair != nil {
		s.repair()
	}
	if callBetween {
		s.callAll(t)
	}
	s.finish(t)
	for _, tenant := range s.tenants {
		s.nothingIsLost(t, tenant, before[tenant.Wwwroot])
	}
	if t.Failed() {
		t.Fatalf("killed %s", s.readable(step))
	}
	return killed
}

// nothingIsLost checks that a tenant has one pair, with a matching local host row, a history that
// PHP reads, and a pair for each of its certificates that any site has and for its previous one.
func (s *sweep) nothingIsLost(t *testing.T, tenant *fleetTenant, before string) {
	t.Helper()
	if n := tenant.DB.Value(t, "SELECT COUNT(*) FROM {config_plugins} WHERE plugin = 'mnet' AND name LIKE 'openssl%'"); n != "2" {
		t.Errorf("%s: %s settings instead of a pair and a history", tenant.Wwwroot, n)
	}
	current := pairOf(t, tenant.Site)
	kept := append(historyOf(t, tenant.Site), current)
	if len(kept) > rotate.MaxHistory+1 || len(slices.Compact(slices.Sorted(slices.Values(kept)))) != len(kept) {
		t.Errorf("%s: %d pairs, or one of them twice", tenant.Wwwroot, len(kept))
	}
	if !slices.Contains(kept, before) {
		t.Errorf("%s has lost the pair it had before", tenant.Wwwroot)
	}
	// A run that undoes its key marks the pair, and an earlier run may have been killed before
	// that.
	undone := []string{}
	if s.exit == rotate.ExitNotRenewed {
		undone = slices.DeleteFunc(slices.Clone(kept), func(pair string) bool { return pair == before })
	}
	raw := tenant.DB.Value(t, "SELECT value FROM {config_plugins} WHERE plugin = 'mnet' AND name = 'openssl_history'")
	if history := kept[:len(kept)-1]; raw != serialized(t, history) && raw != serialized(t, history, undone...) {
		t.Errorf("%s: its history is not what PHP writes", tenant.Wwwroot)
	}
	if !holds(current, tenant.Certificate(t)) {
		t.Errorf("%s: own row and pair differ", tenant.Wwwroot)
	}
	for _, pair := range kept {
		parsed(t, pair, tenant.Wwwroot)
	}
	for _, holder := range s.sitesOnTheWeb() {
		if certificate := holder.Held(tenant.Wwwroot); !slices.ContainsFunc(kept, func(pair string) bool { return holds(pair, certificate) }) {
			t.Errorf("%s holds a certificate of %s that nobody has the key of", holder.Wwwroot(), tenant.Wwwroot)
		}
	}
}

// parsed is a pair whose halves belong together, made for the site.
func parsed(t *testing.T, pair, wwwroot string) *envelope.Certificate {
	t.Helper()
	certificate, key, _ := strings.Cut(pair, "@@@@@@@@")
	p, err := envelope.ParseKeyPair(certificate, key)
	if err == nil {
		err = p.Certificate.CheckWwwroot(wwwroot)
	}
	if err != nil {
		t.Fatalf("a pair of %s: %v", wwwroot, err)
	}
	return p.Certificate
}

// serialized is PHP's serialize of Moodle's openssl_history, with the mark that rotate gives to a
// pair that was undone.
func serialized(t *testing.T, pairs []string, undone ...string) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "a:%d:{", len(pairs))
	for i, pair := range pairs {
		certificate, key, _ := strings.Cut(pair, "@@@@@@@@")
		c, err := envelope.ParseCertificate(certificate)
		if err != nil {
			t.Fatal(err)
		}
		expires := strconv.FormatInt(c.NotAfter.Unix(), 10)
		if slices.Contains(undone, pair) {
			expires = "1"
		}
		fmt.Fprintf(&b, `i:%d;a:3:{s:11:"certificate";s:%d:"%s";s:11:"keypair_PEM";s:%d:"%s";s:7:"expires";s:%d:"%s";}`,
			i, len(certificate), certificate, len(key), key, len(expires), expires)
	}
	return b.String() + "}"
}

// remember keeps the content of the databases, for restore.
func (s *sweep) remember(t *testing.T) {
	t.Helper()
	for _, tenant := range s.tenants {
		tenant.DB.Exec(t, "CREATE TABLE kept_host AS SELECT * FROM {mnet_host}; CREATE TABLE kept_plugins AS SELECT * FROM {config_plugins}")
	}
}

// restoring is SQL that each database takes.
const restoring = `UPDATE {mnet_host} SET wwwroot = (SELECT k.wwwroot FROM kept_host k WHERE k.id = {mnet_host}.id),
		public_key = (SELECT k.public_key FROM kept_host k WHERE k.id = {mnet_host}.id),
		public_key_expires = (SELECT k.public_key_expires FROM kept_host k WHERE k.id = {mnet_host}.id);
	UPDATE {config_plugins} SET value = (SELECT k.value FROM kept_plugins k WHERE k.id = {config_plugins}.id)`

// restore gives the fleet its original state back.
func (s *sweep) restore(t *testing.T) {
	t.Helper()
	for _, tenant := range s.tenants {
		tenant.DB.Exec(t, restoring)
		if err := os.Remove(*tenant.side.entry.Load()); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		certificate := tenant.web.Certificate() // fills its cache
		for _, outsider := range s.outsiders {
			if err := outsider.Know(tenant.Wwwroot, certificate); err != nil {
				t.Fatal(err)
			}
		}
	}
}
