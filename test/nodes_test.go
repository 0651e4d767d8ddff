package test

import (
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

// shown is what a run says of each web server of its only tenant.
func shown(t *testing.T, r ran) map[string]rotate.SelfCheck {
	t.Helper()
	checks := map[string]rotate.SelfCheck{}
	for _, n := range r.document(t).Tenants[0].Nodes {
		checks[n.Address] = n.SelfCheck
	}
	return checks
}

// Four web servers behind a balancer share no cache: each is proven, or the run says which is not.
func TestFourWebServersBehindABalancer(t *testing.T) {
	t.Parallel()
	own, peer := testbed.PHPSite(t, testbed.Options{Workers: 2}), testbed.PHPSite(t, testbed.Options{})
	own.Peer(t, peer)
	own.Warm(t)
	nodes := own.Balance(t, 4)
	var args, caches []string
	for _, n := range nodes {
		args, caches = append(args, "--node="+n.Addr), append(caches, n.Dataroot+"/cache")
	}
	args = append(args, "--json", "--retries=0")
	purging := func(dirs []string) string { return "--cache-hook=rm -rf " + strings.Join(dirs, " ") }
	want := func(r ran, at int, check rotate.SelfCheck) {
		t.Helper()
		got := shown(t, r)
		for i, n := range nodes {
			expected := rotate.SelfProven
			if i == at {
				expected = check
			}
			if got[n.Addr] != expected {
				t.Errorf("web server %d is said to be %q, want %q", i, got[n.Addr], expected)
			}
		}
	}

	old := pairOf(t, own)
	r := renewIt(t, own, append(args, purging(caches))...)
	r.expect(t, 0)
	want(r, -1, "")
	if pairOf(t, own) == old || peer.Held(t, own.Wwwroot) != own.Certificate(t) {
		t.Fatal("the key was not renewed, or the peer has another")
	}

	// Without a hook only the cache of the first is purged.
	r = renewIt(t, own, args...)
	r.expect(t, 1, "each has a cache of its own", "--cache-hook that purges the cache on each of them")
	want(r, -1, "") // after the old key was put back

	// The cache of the third is not purged.
	stored := pairOf(t, own)
	r = renewIt(t, own, append(args, purging(append(caches[:2:2], caches[3])))...)
	r.expect(t, 1)
	want(r, -1, "") // after the old key was put back
	if pairOf(t, own) != stored {
		t.Error("a key is stored that one web server does not use")
	}

	// It is left with a key that is not stored any more.
	newer(t, &fleetTenant{Site: own}, true)
	for i, n := range nodes {
		if i != 2 {
			purge(t, n)
		}
	}
	r = operate(t, own.ConfigFile, "verify", args, own)
	r.expect(t, 4)
	want(r, 2, rotate.SelfFailed)
	doctor := operate(t, own.ConfigFile, "doctor", append(args[:4:4], "--retries=0"), own)
	doctor.expect(t, 4, "3 web servers proven to use the stored key: ", nodes[1].Addr, "web server "+nodes[2].Addr+": failed: ")
	purge(t, nodes[2])

	// The last one is down: nothing is stored.
	stored = pairOf(t, own)
	nodes[3].Stop()
	r = renewIt(t, own, append(args, purging(caches))...)
	r.expect(t, 1)
	want(r, 3, rotate.SelfUnreachable)
	if pairOf(t, own) != stored {
		t.Error("a key was stored although a web server could not be asked")
	}
}

// Peers call the site by its name, behind which are web servers that no --node names.
func TestAWebServerThatNobodyHasNamedIsAskedByTheName(t *testing.T) {
	t.Parallel()
	own, peer := testbed.PHPSite(t, testbed.Options{Workers: 2}), testbed.PHPSite(t, testbed.Options{})
	own.Peer(t, peer)
	own.Warm(t)
	nodes := own.Balance(t, 2)
	args := []string{"--node=" + nodes[0].Addr, "--json", "--retries=0"}

	stored := pairOf(t, own)
	r := renewIt(t, own, args...)
	r.expect(t, 1, "at the wwwroot, perhaps by a web server that no --node names", "each has a cache of its own")
	if pairOf(t, own) != stored {
		t.Error("a key is stored that one web server does not use")
	}
	operate(t, own.ConfigFile, "verify", args, own).expect(t, 0)

	newer(t, &fleetTenant{Site: own}, true)
	purge(t, nodes[0])
	for _, command := range []string{"verify", "push"} {
		operate(t, own.ConfigFile, command, args, own).expect(t, 4, "at the wwwroot, perhaps by a web server that no --node names")
	}
	// Its key is in the database, so that no hint keeps anybody from purging its cache.
	for command, more := range map[string]string{"verify": "--quiet=false", "push": "--cache-hook=true"} {
		operate(t, own.ConfigFile, command, slices.Concat(args, []string{more}), own).expect(t, 4, "a web server that no --node names may use another key, which the database has: name it there", `renew_mnetkeys push`)
	}
	purge(t, nodes[1])
	operate(t, own.ConfigFile, "verify", args, own).expect(t, 0)
}

// purge empties the cache of one web server.
func purge(t *testing.T, n *testbed.Node) {
	t.Helper()
	response, err := http.Get("http://" + n.Addr + "/test/cache.php?do=purge")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
}

// The key was replaced in the database alone, and the cache of the first web server was purged: the
// others have the only copy of the key that the peer knows. Whoever does what the hints say saves
// it before anything is purged.
func TestAnOnlyCopyBehindABalancerOutlivesWhatTheHintsAdvise(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		replace func(*testing.T, *testbed.Site)
		runs    [][]string // with the hook that purges all caches, if it is hooked
		saves   []string   // what is advised on each web server
	}{
		"pair and row": {func(t *testing.T, own *testbed.Site) { newer(t, &fleetTenant{Site: own}, false) },
			[][]string{{"push"}, {"--if-due"}, {"push", hooked}, {hooked}, {}}, []string{"push"}},
		"the pair alone, as VMoodle's script does": {func(t *testing.T, own *testbed.Site) { own.BrokenPHPRenewal(t) }, [][]string{{hooked}, {}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			anOnlyCopy(t, c.replace, c.runs, c.saves)
		})
	}
}

// hooked stands for a hook that purges the caches of all web servers.
const hooked = "--cache-hook=rm -rf"

// anOnlyCopy does the runs, follows their hints, and asks whether the peer can still call the site.
func anOnlyCopy(t *testing.T, replace func(*testing.T, *testbed.Site), runs [][]string, saves []string) {
	t.Helper()
	own, peer := testbed.PHPSite(t, testbed.Options{Workers: 2}), testbed.PHPSite(t, testbed.Options{Kind: testbed.Stock})
	own.Peer(t, peer)
	own.Warm(t)
	nodes := own.Balance(t, 3)
	used := pairOf(t, own)
	replace(t, own)
	purge(t, nodes[0])
	hook := hooked
	for _, n := range nodes {
		hook += " " + n.Dataroot + "/cache"
	}
	for _, args := range runs {
		all := append(slices.Clone(args), "--config="+own.ConfigFile, "--retries=0")
		if slices.Contains(args, hooked) {
			all[slices.Index(args, hooked)] = hook
		}
		r := run1(t, command(t, all...))
		r.expect(t, 4, "do not purge", "on each")
		if text := r.stdout + r.stderr; strings.Contains(text, "purge_caches.php") || !strings.Contains(text, "--node=HOST[:PORT]") {
			t.Errorf("%v advises: %s", args, text)
		}
	}
	doctor := operate(t, own.ConfigFile, "doctor", []string{"--retries=0"}, own)
	if doctor.expect(t, 4); saves != nil {
		doctor.expect(t, 4, "this site's web servers use different keys", "do not purge any cache yet", "renew_mnetkeys push")
	}

	named := []string{"--retries=0"}
	for _, n := range nodes {
		named = append(named, "--node="+n.Addr)
	}
	var last ran
	for _, n := range nodes {
		last = run1(t, command(t, append(append(slices.Clone(saves), "--config="+n.ConfigFile), named...)...))
	}
	if !slices.Contains(append(historyOf(t, own), pairOf(t, own)), used) {
		t.Fatal("the key that the peer knows was not saved")
	}
	if last.code == 4 { // now the hint may advise to purge
		last.expect(t, 4, "purge_caches.php")
		for _, n := range nodes {
			purge(t, n)
		}
	}
	operate(t, own.ConfigFile, "push", named, own).expect(t, 0)
	linked(t, own, peer)
	linked(t, peer, own)
}

// The tenants of an array are asked at each web server, and each is reported.
func TestAnArrayIsAskedAtEachOfItsWebServers(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 3, nodes: []string{"127.7.9.1", "127.7.9.2"}})
	args := []string{"--config=" + f.config, "--all", "--withmaster", "--node=127.7.9.1", "--node=127.7.9.2", "--json", "--retries=0"}
	r := run1(t, command(t, args...))
	r.expect(t, 0)
	for _, tenant := range r.document(t).Tenants {
		if len(tenant.Nodes) != 2 || tenant.Nodes[0].SelfCheck != rotate.SelfProven || tenant.Nodes[1].SelfCheck != rotate.SelfProven {
			t.Errorf("%s: %+v", tenant.Wwwroot, tenant.Nodes)
		}
	}
	current, _, err := f.tenants[1].web.Pairs()
	if err != nil {
		t.Fatal(err)
	}
	newer(t, f.tenants[1], true)
	f.tenants[1].purge(t)
	f.tenants[1].web.NodeCaches(2, current) // keeps the key that was stored before
	r = run1(t, command(t, append([]string{"verify"}, args...)...))
	r.expect(t, 4)
	for _, tenant := range r.document(t).Tenants {
		stale := tenant.Wwwroot == f.tenants[1].Wwwroot
		if len(tenant.Nodes) != 2 || tenant.Nodes[0].SelfCheck != rotate.SelfProven || (tenant.Nodes[1].SelfCheck == rotate.SelfProven) == stale {
			t.Errorf("%s: %+v", tenant.Wwwroot, tenant.Nodes)
		}
	}
}

// The web server reads its settings from a replica: after the cache is dropped it finds the old key
// there once more, until the replica has caught up.
func TestALaggingReplicaIsWaitedFor(t *testing.T) {
	t.Parallel()
	own, peer := testbed.PHPSite(t, testbed.Options{}), testbed.PHPSite(t, testbed.Options{})
	own.Peer(t, peer)
	replica := own.Delay(t)
	own.Purge(t)
	own.Warm(t)
	old := pairOf(t, own)
	var run sync.WaitGroup
	run.Go(func() {
		for end := time.Now().Add(time.Minute); pairOf(t, own) == old && time.Now().Before(end); {
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(700 * time.Millisecond) // the lag
		replica.CatchUp(t)
	})
	renewIt(t, own, "--retries=0").expect(t, 0, "1 of 1 peer proven")
	run.Wait()
	if pairOf(t, own) == old || peer.Held(t, own.Wwwroot) != own.Certificate(t) {
		t.Error("the key was not renewed, or the peer has another")
	}
}

// After the local site was proven, while the peers are told, a request fills the cache with what it
// had read from the replica before: the second look finds it, and mends it.
func TestACacheThatALaggingReplicaRefillsIsMendedByTheSecondLook(t *testing.T) {
	t.Parallel()
	own := testbed.PHPSite(t, testbed.Options{})
	own.Warm(t)
	own.DB.Exec(t, "CREATE TABLE {older_config_plugins} AS SELECT * FROM {config_plugins}")
	old := pairOf(t, own)
	var once sync.Once
	var refilled atomic.Bool
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	peer, err := peertest.Start(peertest.Options{Wwwroot: "http://" + listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(peer.Close)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				once.Do(func() { // a request that lasts as long as the keyswap
					response, err := http.Get(own.Wwwroot + "/test/lag.php")
					if err == nil {
						refilled.Store(response.StatusCode == http.StatusOK)
						_ = response.Body.Close()
					}
				})
				testbed.Pipe(conn, peer.Addr())
			}()
		}
	}()
	addFake(t, own, peer)
	renewIt(t, own, "--retries=0").expect(t, 0, "the local site does not use what is stored any more", "1 of 1 peer proven")
	if !refilled.Load() || pairOf(t, own) == old {
		t.Fatal("the cache was not refilled, or the key was not renewed")
	}
	if peer.Held(own.Wwwroot) != own.Certificate(t) {
		t.Error("the peer has another certificate")
	}
	if called := own.Call(t, peer.Wwwroot()); !called.OK {
		t.Errorf("the web server's own call to the peer: %+v", called)
	}
}
