package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
	"renew_mnetkeys/testbed"
)

// held is what this process holds, after a collection.
type held struct{ goroutines, descriptors, heap int }

func holding(t *testing.T) held {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return held{runtime.NumGoroutine(), len(open), int(m.HeapAlloc)}
}

// settled is the least that is held within some time: connections of fakes end a moment after their calls.
func settled(t *testing.T) held {
	t.Helper()
	least := holding(t)
	for range 20 {
		time.Sleep(20 * time.Millisecond)
		now := holding(t)
		least = held{min(least.goroutines, now.goroutines), min(least.descriptors, now.descriptors), min(least.heap, now.heap)}
	}
	return least
}

// renewHere runs the command in this process, where leaks can be seen.
func renewHere(t *testing.T, config string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := run([]string{"renew_mnetkeys", "--config=" + config, "--json"}, func(string) string { return "" }, &stdout, &stderr); code != rotate.ExitOK {
		t.Fatalf("exit code %d\n%s\n%s", code, &stdout, &stderr)
	}
}

func median(durations []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(durations))
	return sorted[len(sorted)/2]
}

// One tenant renews its key over and over, in one process, on a real database. After each time the history is exactly the
// three pairs before, every peer holds the current certificate, and nothing of a renewal stays behind: no goroutine, no
// descriptor, no memory, and the last ones take as long as the first.
func TestRenewalsInARowLeaveNothingBehind(t *testing.T) {
	times, some := 8, 3
	if testbed.Long() {
		times, some = 1000, 100
	}
	own := newFleet(t, fleetOptions{tenants: 1}).tenants[0]
	peers := fleetPeers(t, own, peertest.Patched, peertest.Stock, peertest.Mahara)
	var took []time.Duration
	var pairs []string // newest first
	var first held
	for i := range times {
		pairs = slices.Insert(pairs, 0, pairOf(t, own.Site))
		started := time.Now()
		renewHere(t, own.ConfigFile)
		took = append(took, time.Since(started))
		if got, want := historyOf(t, own.Site), pairs[:min(len(pairs), 3)]; !slices.Equal(got, want) {
			t.Fatalf("renewal %d: the history is not the %d pairs before", i+1, len(want))
		}
		pairs = pairs[:min(len(pairs), 3)]
		for _, peer := range peers {
			if current := pairOf(t, own.Site); peer.Held(own.Wwwroot) != own.web.Certificate() || !holds(current, peer.Held(own.Wwwroot)) {
				t.Fatalf("renewal %d: %s holds another certificate than the current one", i+1, peer.Wwwroot())
			}
			peer.Forget()
		}
		own.web.Forget()
		own.side.forget()
		if i+1 == some {
			first = settled(t)
		}
	}
	last := settled(t)
	t.Logf("after %d renewals %+v, after %d %+v", some, first, times, last)
	if last.goroutines > first.goroutines+2 || last.descriptors > first.descriptors+2 || last.heap > first.heap+first.heap/5+1<<20 {
		t.Errorf("something stays behind: %+v, then %+v", first, last)
	}
	early, late := median(took[:some]), median(took[len(took)-some:])
	t.Logf("the first %d took %s each, the last %d %s: %s", some, early, some, late, fmt.Sprintf("%.2f", float64(late)/float64(early)))
	if testbed.Long() && late > early*3/2 {
		t.Errorf("a renewal took %s in the beginning and %s in the end", early, late)
	}
}

// fleetPeers are sites that the tenant and they know each other.
func fleetPeers(t *testing.T, own *fleetTenant, kinds ...peertest.Kind) (sites []*peertest.Site) {
	t.Helper()
	own.DB.Exec(t, `INSERT INTO {mnet_application} (id, name, display_name, xmlrpc_server_url) VALUES (2, 'mahara', 'Mahara', '/api/xmlrpc/server.php')`)
	for _, kind := range kinds {
		site, err := peertest.Start(peertest.Options{Kind: kind})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(site.Close)
		addFake(t, own.Site, site)
		sites = append(sites, site)
	}
	return sites
}

// forget empties what the web side keeps of pairs it has read.
func (w *webSide) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.pairs)
}
