package moodledb

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"renew_mnetkeys/rotate"
)

// TestAMeshOfTenants has two runs at once, each of which has renewed half of a mesh. They give
// every tenant the keys of all others, as the renewal of an array does: with a few connections, and
// with all new keys in the end.
func TestAMeshOfTenants(t *testing.T) {
	t.Parallel()
	const tenants, perServer = 8, 3
	sites := make([]*site, tenants)
	wwwroot := func(i int) string { return fmt.Sprintf("https://t%d.example", i) }
	for i := range sites {
		sites[i] = newSite(t, "mdl_")
		sites[i].config.Wwwroot = wwwroot(i)
		sites[i].Exec(t, "UPDATE {mnet_host} SET wwwroot = ? WHERE id = 1", wwwroot(i))
		for j := range sites {
			if i != j {
				sites[i].row(t, 10+j, wwwroot(j), 1)
			}
		}
	}
	var runs, counts sync.WaitGroup
	for run := range 2 {
		servers := newServers(t, perServer)
		var keys []rotate.HostKey
		for i := run; i < tenants; i += 2 { // the lock of a tenant keeps two runs from renewing it
			keys = append(keys, offer(wwwroot(i), 3))
		}
		for i, s := range sites {
			runs.Go(func() {
				if err := distribute(servers, s, keys); err != nil {
					t.Errorf("tenant %d: %v", i, err)
				}
			})
		}
	}
	over := make(chan struct{})
	counts.Go(func() {
		users := "'" + sites[0].User
		for _, s := range sites[1:] {
			users += "', '" + s.User
		}
		for {
			select {
			case <-over:
				return
			case <-time.After(10 * time.Millisecond):
			}
			// The server forgets a closed connection a moment later than the tool.
			n, _ := strconv.Atoi(sites[0].Value(t, "SELECT COUNT(*) FROM information_schema.processlist WHERE command <> 'Quit' AND user IN ("+users+"')"))
			if n > 2*perServer+2 {
				t.Errorf("%d connections", n)
			}
		}
	})
	runs.Wait()
	close(over)
	counts.Wait()
	for i, s := range sites {
		peers := read(t, s.open(t)).Peers
		if len(peers) != tenants { // one of them is the peer of newSite
			t.Fatalf("%d peers", len(peers))
		}
		if slices.ContainsFunc(peers, func(p rotate.Peer) bool { return p.ID >= 10 && p.Certificate != "v3" }) {
			t.Errorf("tenant %d holds %s", i, s.rows(t))
		}
	}
}

// distribute stores the keys at a tenant, all but its own.
func distribute(servers *Servers, s *site, keys []rotate.HostKey) error {
	ctx := context.Background()
	lock, err := servers.Acquire(ctx, s.config, time.Minute)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Release() }()
	tenant, err := servers.Open(ctx, s.config)
	if err != nil {
		return err
	}
	defer func() { _ = tenant.Close() }()
	kept, err := tenant.StorePeerKeys(ctx, keys)
	if err != nil {
		return err
	}
	for j, k := range kept {
		if (k == rotate.NoRow) != (keys[j].Wwwroot == s.config.Wwwroot) {
			return fmt.Errorf("key %d: %v", j, k)
		}
	}
	return lock.Held(ctx)
}
