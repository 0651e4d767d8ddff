package peers_test

import (
	"context"
	"net/netip"
	"sync"
	"testing"

	"renew_mnetkeys/peers"
)

// A name server answers every query with another address, and two callers ask at the same moment:
// neither gets the second answer.
func TestWhoAsksForANameAtOnceGetsTheSameAddress(t *testing.T) {
	const wwwroot = "http://peer.example"
	bothAsk := make(chan struct{})
	var mu sync.Mutex
	asked := 0
	c := client(t, quick(func(o *peers.Options) {
		o.Resolve = func(ctx context.Context, _ string) ([]netip.Addr, error) {
			mu.Lock()
			asked++
			if asked == 2 {
				close(bothAsk)
			}
			answer := netip.AddrFrom4([4]byte{127, 0, 0, byte(asked)})
			mu.Unlock()
			select {
			case <-bothAsk:
				return []netip.Addr{answer}, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
	}))
	var got [3]netip.Addr
	address := func(i int) {
		addr, err := c.Address(t.Context(), wwwroot)
		if err != nil {
			t.Error(err)
		}
		got[i] = addr
	}
	var callers sync.WaitGroup
	for i := range 2 {
		callers.Go(func() { address(i) })
	}
	callers.Wait()
	address(2)
	if got[0] != got[1] || got[2] != got[0] || asked != 2 {
		t.Errorf("asked %d times, got %v", asked, got)
	}
}
