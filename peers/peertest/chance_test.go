package peertest_test

import (
	"net/http"
	"slices"
	"testing"

	"renew_mnetkeys/peers/peertest"
)

// drawn are the faults that the given number of connections met.
func drawn(t *testing.T, o peertest.Options, connections int) []peertest.Fault {
	t.Helper()
	site := peertest.Run(t, o)
	var met []peertest.Fault
	for range connections {
		if response, err := http.Get("http://" + site.Addr()); err == nil {
			_ = response.Body.Close()
		}
		state := site.State()
		all := site.Exchanges()
		if len(all) != len(met)+1 || state.Exchanges != len(all) {
			t.Fatalf("%d exchanges after %d connections, and a state of %d", len(all), len(met)+1, state.Exchanges)
		}
		met = append(met, append(all[len(met)].Faults, "")[0])
	}
	return met
}

func TestChanceDrawsTheSameForASeedAndAsOftenAsItIsTold(t *testing.T) {
	faults := []peertest.Fault{peertest.HTML, peertest.Status(404), peertest.Notices}
	o := peertest.Options{Kind: peertest.Stock, Chance: 0.5, Seed: 7, Faults: faults}
	const connections = 60
	first, again := drawn(t, o, connections), drawn(t, o, connections)
	if !slices.Equal(first, again) {
		t.Errorf("one seed drew\n%v and then\n%v", first, again)
	}
	o.Seed = 8
	if slices.Equal(first, drawn(t, o, connections)) {
		t.Error("another seed drew the same")
	}
	count := map[peertest.Fault]int{}
	for _, fault := range first {
		count[fault]++
	}
	if none := count[""]; none < connections/4 || none > connections*3/4 {
		t.Errorf("%d of %d connections met no fault with a chance of a half", none, connections)
	}
	for _, fault := range faults {
		if count[fault] == 0 {
			t.Errorf("%q was never drawn", fault)
		}
	}
	o.Chance = 0
	if met := drawn(t, o, 5); slices.ContainsFunc(met, func(f peertest.Fault) bool { return f != "" }) {
		t.Errorf("without a chance it drew %v", met)
	}
}

// The fault that the site announces is the next one that comes.
func TestTheNextFaultCanBeAskedFor(t *testing.T) {
	site := peertest.Run(t, peertest.Options{Chance: 1, Seed: 3, Faults: []peertest.Fault{peertest.HTML, peertest.Empty, peertest.Status(500)}})
	for range 10 {
		next := site.State().Next
		response, err := http.Get("http://" + site.Addr())
		must(t, err)
		_ = response.Body.Close()
		if last := site.State().Last; !slices.Equal(last.Faults, []peertest.Fault{next}) {
			t.Errorf("met %v, and %q was told", last.Faults, next)
		}
	}
	did := site.State().Did
	if did[peertest.HTML]+did[peertest.Empty]+did[peertest.Status(500)] != 10 {
		t.Errorf("10 exchanges, counted as %v", did)
	}
}
