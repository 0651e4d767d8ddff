package test

import (
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/peers/peertest"
)

// A run is killed at random times. Whatever it leaves, every link works or heals, nothing is lost,
// and the next run ends coherent.
func TestARunThatIsKilledAnywhereIsFinishedByTheNext(t *testing.T) {
	t.Parallel()
	own := testbed.PHPSite(t, testbed.Options{})
	patched, stock := testbed.PHPSite(t, testbed.Options{Kind: testbed.Patched}), testbed.PHPSite(t, testbed.Options{Kind: testbed.Stock})
	own.Peer(t, patched)
	own.Peer(t, stock)
	own.Warm(t)
	started := time.Now()
	renewIt(t, own).expect(t, 0)
	whole := time.Since(started)

	seed := testbed.Seed(t)
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("a whole run takes %s", whole)
	const kills = 4
	for i := range kills {
		pair := pairOf(t, own)
		// The times are spread over the run, each a little different every time.
		after := time.Duration(float64(whole) * (float64(i) + random.Float64()) / kills)
		cmd := command(t, "--config="+own.ConfigFile)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(after)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		now := pairOf(t, own)
		if now != pair && !slices.Contains(historyOf(t, own), pair) {
			t.Fatalf("killed after %s: the old pair is gone", after)
		}
		for _, peer := range []*testbed.Site{patched, stock} {
			held := peer.Held(t, own.Wwwroot)
			if !holds(now, held) && !slices.ContainsFunc(historyOf(t, own), func(p string) bool { return holds(p, held) }) {
				t.Fatalf("killed after %s: %s holds a certificate that nobody has the key of", after, peer.Wwwroot)
			}
		}
		renewIt(t, own).expect(t, 0)
		coherent(t, own)
		linked(t, own, patched)
		linked(t, own, stock)
		if t.Failed() {
			t.Fatalf("after a kill at %s of %s", after, whole)
		}
	}
}

func holds(pair, certificate string) bool {
	return len(pair) > len(certificate) && pair[:len(certificate)] == certificate
}

func TestASignalEndsTheRunAtASafePoint(t *testing.T) {
	t.Parallel()
	for name, signal := range map[string]syscall.Signal{"SIGINT": syscall.SIGINT, "SIGTERM": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own := testbed.PHPSite(t, testbed.Options{})
			slow, err := peertest.Start(peertest.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(slow.Close)
			addFake(t, own, slow)
			own.Warm(t)
			slow.Misbehave(peertest.Hang)
			old := pairOf(t, own)

			cmd := command(t, "--config="+own.ConfigFile, "--timeout=60s")
			end := begin(t, cmd)
			waitFor(t, "the run to store its key", func() bool { return pairOf(t, own) != old })
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			r := end()
			r.expect(t, 128+int(signal), "renewed", "pending", "interrupted by")
			if pairOf(t, own) == old {
				t.Error("the key is not renewed")
			}
			coherent(t, own)
			slow.Misbehave()
			renewIt(t, own).expect(t, 0)
			if slow.Held(own.Wwwroot) != coherent(t, own) {
				t.Error("the second run did not tell the peer")
			}
		})
	}
}

func TestTwoRunsAtOnceTakeTurns(t *testing.T) {
	t.Parallel()
	own, peer := testbed.PHPSite(t, testbed.Options{}), testbed.PHPSite(t, testbed.Options{Kind: testbed.Patched})
	own.Peer(t, peer)
	own.Warm(t)
	var ends []func() ran
	for range 3 {
		ends = append(ends, begin(t, command(t, "--config="+own.ConfigFile, "--json")))
	}
	for _, end := range ends {
		end().expect(t, 0)
	}
	if n := len(historyOf(t, own)); n != 3 {
		t.Errorf("%d retired pairs after 3 renewals", n)
	}
	if peer.Held(t, own.Wwwroot) != coherent(t, own) {
		t.Error("the peer does not hold the last certificate")
	}
	linked(t, own, peer)
}
