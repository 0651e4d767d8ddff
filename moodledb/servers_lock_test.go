package moodledb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/rotate"
)

// neighbours are sites whose locks one connection can have: on PostgreSQL those of one database.
func neighbours(t *testing.T, server *testbed.Server, n int) []*site {
	t.Helper()
	sites := []*site{siteIn(t, server, "mdl_")}
	for i := 1; i < n; i++ {
		if !sites[0].postgresql() {
			sites = append(sites, siteIn(t, server, "mdl_"))
			continue
		}
		other, config := *sites[0], *sites[0].config
		config.Prefix = fmt.Sprintf("m%d_", i)
		other.Database, other.config = sites[0].Beside(t, config.Prefix), &config
		sites = append(sites, &other)
	}
	return sites
}

func arrayLock(t *testing.T, servers *Servers, s *site) *ArrayLock {
	t.Helper()
	l, err := servers.Acquire(t.Context(), s.config, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Release() })
	return l
}

// holderOf is the connection that has the site's lock, "" if none has.
func (s *site) holderOf(t *testing.T) string {
	t.Helper()
	if s.postgresql() {
		return s.Value(t, "SELECT (SELECT l.pid::text FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE l.locktype = 'advisory' AND l.granted "+
			"AND d.datname = current_database() AND l.objid = ?::regclass::oid)", s.Prefix+"config_plugins")
	}
	return s.Value(t, "SELECT IS_USED_LOCK(?)", lockOf(s.config).Name)
}

// killHolder ends the connection that has the site's lock.
func (s *site) killHolder(t *testing.T) {
	t.Helper()
	s.Exec(t, s.by("KILL CONNECTION "+s.holderOf(t), "SELECT pg_terminate_backend("+s.holderOf(t)+", 5000)"))
}

func TestArrayLock(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		sites := neighbours(t, server, 3)
		one, two := sites[0], sites[1]
		servers, others := newServers(t, 8), newServers(t, 8)

		t.Run("one connection holds all locks of a server", func(t *testing.T) {
			holders := map[string]bool{}
			for _, s := range sites {
				l := arrayLock(t, servers, s)
				if err := l.Held(t.Context()); err != nil {
					t.Error(err)
				}
				defer func() { _ = l.Release() }()
				holders[s.holderOf(t)] = true
			}
			if len(holders) != 1 || holders[""] {
				t.Errorf("held by %v", holders)
			}
		})
		t.Run("released, it is free, on PostgreSQL with the last one, and the others are held", func(t *testing.T) {
			first, second := arrayLock(t, servers, one), arrayLock(t, servers, two)
			for range 2 {
				if err := first.Release(); err != nil {
					t.Error(err)
				}
			}
			if (one.holderOf(t) == "") == one.postgresql() || two.holderOf(t) == "" || first.Held(t.Context()) == nil {
				t.Errorf("held by %q and %q", one.holderOf(t), two.holderOf(t))
			}
			again := arrayLock(t, servers, one)
			if err := errors.Join(second.Release(), again.Held(t.Context()), again.Release()); err != nil {
				t.Error(err)
			}
			if one.holderOf(t) != "" || two.holderOf(t) != "" {
				t.Errorf("held by %q and %q", one.holderOf(t), two.holderOf(t))
			}
		})
		t.Run("what the server refuses for one costs no other its lock", func(t *testing.T) {
			l := arrayLock(t, servers, one)
			config := *two.config
			config.Prefix = "none_"
			if _, err := servers.Acquire(t.Context(), &config, 0); one.postgresql() && !errors.As(err, new(*MissingTableError)) {
				t.Errorf("got %v", err)
			}
			if err := errors.Join(l.Held(t.Context()), l.Release()); err != nil {
				t.Error(err)
			}
		})
		locked := func(t *testing.T, err error, holder string) {
			t.Helper()
			var locked *LockedError
			if !errors.As(err, &locked) || locked.Connection == 0 || !strings.HasPrefix(locked.Holder, holder+"@") {
				t.Errorf("got %v", err)
			}
		}
		t.Run("it keeps the renewal of one tenant out, and is kept out by it", func(t *testing.T) {
			single := one.open(t)
			l := arrayLock(t, servers, one)
			_, err := single.Acquire(t.Context(), 0)
			locked(t, err, one.User)
			_ = l.Release()
			held := lock(t, single)
			_, err = servers.Acquire(t.Context(), one.config, 0)
			locked(t, err, one.User)
			_ = held.Release()
		})
		t.Run("a run on one tenant is seen from the connection of another tenant, too", func(t *testing.T) {
			l, held := arrayLock(t, servers, one), lock(t, two.open(t))
			_, err := servers.Acquire(t.Context(), two.config, 0)
			locked(t, err, two.User)
			_, _ = held.Release(), l.Release()
		})
		t.Run("it keeps another run out", func(t *testing.T) {
			arrayLock(t, servers, one)
			_, err := others.Acquire(t.Context(), one.config, 0)
			locked(t, err, one.User)
		})
		t.Run("it keeps its own run out: a tenant may stand twice in the register", func(t *testing.T) {
			l := arrayLock(t, servers, one)
			_, err := servers.Acquire(t.Context(), one.config, 0)
			locked(t, err, one.User)
			_ = l.Release()
			if one.holderOf(t) != "" {
				t.Error("it is still held")
			}
		})
		t.Run("a wrong account is its tenant's error only", func(t *testing.T) {
			fresh := newServers(t, 2)
			config := *one.config
			config.DBPass = "wrong"
			if _, err := fresh.Lock(t.Context(), &config, 0); !errors.As(err, new(*AccessError)) {
				t.Errorf("got %v", err)
			}
			arrayLock(t, fresh, two)
		})
	})
}

func TestArrayLockWaits(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		sites := neighbours(t, server, 2)
		one, two := sites[0], sites[1]
		servers, others := newServers(t, 4), newServers(t, 4)
		t.Run("as long as it shall, and holds up nobody meanwhile", func(t *testing.T) {
			arrayLock(t, others, one)
			_ = arrayLock(t, servers, two).Release()
			pauses := 0
			servers.sleep = func(_ context.Context, d time.Duration) error {
				pauses++
				if d > lockPause {
					t.Errorf("a pause of %v", d)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // a caller that waits here waits forever
				defer cancel()
				l, err := servers.Acquire(ctx, two.config, 0)
				if err != nil {
					t.Errorf("another tenant had to wait: %v", err)
					return nil
				}
				return l.Release()
			}
			if _, err := servers.Acquire(t.Context(), one.config, 1100*time.Millisecond); !errors.Is(err, rotate.ErrLocked) || pauses != 5 {
				t.Errorf("%v after %d pauses", err, pauses)
			}
		})
		t.Run("until it is released", func(t *testing.T) {
			l := arrayLock(t, others, one)
			servers.sleep = func(context.Context, time.Duration) error { return l.Release() } // once: a second call does nothing
			got, err := servers.Acquire(t.Context(), one.config, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			_ = got.Release()
		})
		t.Run("until its context ends, which costs no other its lock", func(t *testing.T) {
			arrayLock(t, others, one)
			mine := arrayLock(t, servers, two)
			servers.sleep = rotate.Sleep
			if _, err := servers.Acquire(soon(t), one.config, time.Minute); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := servers.Acquire(ended, one.config, 0); err == nil {
				t.Error("got it")
			}
			if err := mine.Held(t.Context()); err != nil {
				t.Error(err)
			}
		})
	})
}

func TestArrayLocksThatLostTheirConnection(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		sites := neighbours(t, server, 2)
		one, two := sites[0], sites[1]
		servers := newServers(t, 4)
		first, second := arrayLock(t, servers, one), arrayLock(t, servers, two)
		one.killHolder(t)
		for _, l := range []*ArrayLock{first, second} {
			if err := l.Held(t.Context()); !errors.Is(err, ErrLockLost) {
				t.Errorf("got %v", err)
			}
		}
		again, err := servers.Acquire(t.Context(), one.config, 10*time.Second) // the server may need a moment to notice
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = again.Release() }()
		if err := first.Release(); !errors.Is(err, ErrLockLost) {
			t.Errorf("got %v", err)
		}
		if err := again.Held(t.Context()); err != nil {
			t.Errorf("the lost lock's release took the new one: %v", err)
		}
		if err := first.Held(t.Context()); !errors.Is(err, ErrLockLost) {
			t.Errorf("a lost lock is taken for the new one: %v", err)
		}
	})
}

func TestAnArrayLockIsLostWithoutAnybodyNoticing(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		s := siteIn(t, server, "mdl_")
		l := arrayLock(t, newServers(t, 4), s)
		s.killHolder(t)
		if err := l.Release(); !errors.Is(err, ErrLockLost) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAnArrayLockWhoseServerIsBusy(t *testing.T) {
	t.Parallel()
	busy := &ArrayLock{server: &dbServer{turn: make(chan struct{}, 1)}}
	if err := busy.holder(t.Context(), nil); !errors.Is(err, rotate.ErrLocked) || err.Connection != 0 {
		t.Errorf("its connection is gone: %v", err)
	}
	busy.server.turn <- struct{}{}
	if err := busy.holder(soon(t), nil); !errors.Is(err, rotate.ErrLocked) || err.Connection != 0 {
		t.Errorf("nobody can be asked: %v", err)
	}
	if err := busy.Held(soon(t)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("whether it is held: %v", err)
	}
}

// TestManyArrayLocksAtOnce lets two runs lock the same tenants, each many at once: never do both
// have the same lock.
func TestManyArrayLocksAtOnce(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		sites := neighbours(t, server, 4)
		var mu sync.Mutex
		held := map[int]bool{}
		var group sync.WaitGroup
		for range 2 {
			servers := newServers(t, 4)
			servers.sleep = func(ctx context.Context, _ time.Duration) error { return rotate.Sleep(ctx, time.Millisecond) }
			for i, s := range sites {
				for range 3 {
					group.Go(func() {
						for range 5 {
							l, err := servers.Acquire(context.Background(), s.config, time.Hour)
							if err != nil {
								t.Error(err)
								return
							}
							mu.Lock()
							if held[i] {
								t.Errorf("that of site %d is held twice", i)
							}
							held[i] = true
							mu.Unlock()
							time.Sleep(time.Millisecond)
							mu.Lock()
							held[i] = false
							mu.Unlock()
							if err := l.Release(); err != nil {
								t.Error(err)
							}
						}
					})
				}
			}
		}
		group.Wait()
	})
}
