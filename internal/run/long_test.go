package run

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/elliotchance/phpserialize"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

// held counts what this process uses, after a garbage collection.
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

// settled is the smallest usage within some time: connections of fakes end a moment after their
// calls.
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
	if code := Main([]string{"renew_mnetkeys", "--config=" + config, "--json"}, func(string) string { return "" }, &stdout, &stderr); code != rotate.ExitOK {
		t.Fatalf("exit code %d\n%s\n%s", code, &stdout, &stderr)
	}
}

func median(durations []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(durations))
	return sorted[len(sorted)/2]
}

const thePair = "SELECT value FROM {config_plugins} WHERE plugin = 'mnet' AND name = 'openssl'"

// One tenant renews its key many times, in one process, on a real database. After each time the
// history is exactly the three pairs before, every peer has the current certificate, and nothing of
// a renewal is left: no goroutine, no descriptor, no memory. The last renewals take as long as the
// first.
func TestRenewalsInARowLeaveNothingBehind(t *testing.T) {
	times, some := 8, 3
	if testbed.Long() {
		times, some = 1000, 100
	}
	own := testbed.PHPSite(t, testbed.Options{})
	peers := peersOf(t, own, peertest.Patched, peertest.Stock, peertest.Mahara)
	own.Warm(t)
	var took []time.Duration
	var pairs []string // newest first
	var first held
	for i := range times {
		pairs = slices.Insert(pairs, 0, own.DB.Value(t, thePair))
		started := time.Now()
		renewHere(t, own.ConfigFile)
		took = append(took, time.Since(started))
		if got, want := history(t, own), pairs[:min(len(pairs), 3)]; !slices.Equal(got, want) {
			t.Fatalf("renewal %d: the history is not the %d pairs before", i+1, len(want))
		}
		pairs = pairs[:min(len(pairs), 3)]
		for _, peer := range peers {
			current, _, _ := strings.Cut(own.DB.Value(t, thePair), "@@@@@@@@")
			if peer.Held(own.Wwwroot) != current || own.Certificate(t) != current {
				t.Fatalf("renewal %d: %s has another certificate than the current one", i+1, peer.Wwwroot())
			}
			peer.Forget()
		}
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

// peersOf are fake sites; they and the tenant know each other.
func peersOf(t *testing.T, own *testbed.Site, kinds ...peertest.Kind) (sites []*peertest.Site) {
	t.Helper()
	for _, kind := range kinds {
		site, err := peertest.Start(peertest.Options{Kind: kind})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(site.Close)
		own.DB.Exec(t, `INSERT INTO {mnet_host} (wwwroot, name, public_key, public_key_expires, applicationid)
			VALUES (?, 'fake', ?, UNIX_TIMESTAMP() + 86400, (SELECT id FROM {mnet_application} WHERE name = ?))`,
			site.Wwwroot(), site.Certificate(), site.Application())
		if err := site.Know(own.Wwwroot, own.Certificate(t)); err != nil {
			t.Fatal(err)
		}
		sites = append(sites, site)
	}
	return sites
}

// history are the retired pairs of a site, newest first.
func history(t *testing.T, own *testbed.Site) (pairs []string) {
	t.Helper()
	value, err := phpserialize.UnmarshalIndexedArray([]byte(own.DB.Value(t, "SELECT value FROM {config_plugins} WHERE plugin = 'mnet' AND name = 'openssl_history'")))
	if err != nil {
		t.Fatalf("history: %v", err)
	}
	for _, entry := range value {
		fields := entry.(map[any]any)
		pairs = append(pairs, fields["certificate"].(string)+"@@@@@@@@"+fields["keypair_PEM"].(string))
	}
	return pairs
}
