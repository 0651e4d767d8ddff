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

func lock(t *testing.T, tenant *Tenant) *Lock {
	t.Helper()
	l, err := tenant.Acquire(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Release() })
	return l
}

func TestLock(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		s := siteIn(t, server, "mdl_")
		one, two := s.open(t), s.open(t)

		t.Run("a second run is told who holds it", func(t *testing.T) {
			l := lock(t, one)
			_, err := two.Acquire(t.Context(), 0)
			var locked *LockedError
			if !errors.Is(err, rotate.ErrLocked) || !errors.As(err, &locked) || locked.Connection == 0 || !strings.HasPrefix(locked.Holder, s.User+"@") {
				t.Errorf("got %v", err)
			}
			if err := l.Release(); err != nil {
				t.Error(err)
			}
		})
		t.Run("so is a second one of the same process", func(t *testing.T) {
			lock(t, one)
			if _, err := one.Acquire(t.Context(), 0); !errors.Is(err, rotate.ErrLocked) {
				t.Errorf("got %v", err)
			}
		})
		t.Run("another prefix in the same database has another lock", func(t *testing.T) {
			lock(t, one)
			config := *s.config
			config.Prefix = "other_"
			s.Exec(t, "CREATE TABLE other_config_plugins AS SELECT * FROM {config_plugins}") // PostgreSQL locks the table's number
			lock(t, openConfig(t, &config))
		})
		t.Run("who waits gets it when it is released", func(t *testing.T) {
			l := lock(t, one)
			got, waits := make(chan error, 1), make(chan struct{})
			pause := sync.OnceFunc(func() { close(waits) })
			two.sleep = func(ctx context.Context, d time.Duration) error { pause(); return rotate.Sleep(ctx, d) }
			go func() {
				second, err := two.Acquire(context.Background(), 20*time.Second)
				if err == nil {
					err = second.Release()
				}
				got <- err
			}()
			<-waits
			if err := l.Release(); err != nil {
				t.Error(err)
			}
			if err := <-got; err != nil {
				t.Error(err)
			}
		})
		t.Run("a wait ends", func(t *testing.T) {
			lock(t, one)
			start := time.Now()
			if _, err := two.Acquire(t.Context(), time.Second); !errors.Is(err, rotate.ErrLocked) || time.Since(start) < 900*time.Millisecond {
				t.Errorf("got %v after %v", err, time.Since(start))
			}
		})
		t.Run("a cancelled wait ends at once", func(t *testing.T) {
			lock(t, one)
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			start := time.Now()
			if _, err := two.Acquire(ctx, time.Minute); err == nil || errors.Is(err, rotate.ErrLocked) || time.Since(start) > 4*time.Second {
				t.Errorf("got %v after %v", err, time.Since(start))
			}
		})
		t.Run("it is free again after all that", func(t *testing.T) {
			if err := lock(t, two).Release(); err != nil {
				t.Error(err)
			}
		})
	})
}

func TestLockIsReleasedOnce(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		s := siteIn(t, server, "mdl_")
		tenant := s.open(t)
		first := lock(t, tenant)
		for range 3 {
			if err := first.Release(); err != nil {
				t.Error(err)
			}
		}
		second := lock(t, tenant)
		_ = first.Release()
		if err := second.Held(t.Context()); err != nil {
			t.Errorf("the first lock's release took the second: %v", err)
		}
	})
}

func TestLockThatLostItsConnection(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		s := siteIn(t, server, "mdl_")
		tenant := s.open(t)
		l := lock(t, tenant)
		if err := l.Held(t.Context()); err != nil {
			t.Error(err)
		}
		s.killLock(t, l)
		if err := l.Held(t.Context()); !errors.Is(err, ErrLockLost) {
			t.Errorf("got %v", err)
		}
		_ = l.Release()
		again, err := tenant.Acquire(t.Context(), 10*time.Second) // the server may need a moment to notice
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = again.Release() }()
		if err := again.Held(t.Context()); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := again.Held(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestALockThatIsNotGot(t *testing.T) {
	t.Parallel()
	s := newSite(t, "mdl_")
	holder, err := s.DB.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = holder.Close() }()
	take := func() {
		if _, err := holder.ExecContext(t.Context(), "DO GET_LOCK(?, 10)", lockOf(s.config).Name); err != nil {
			t.Error(err)
		}
	}
	t.Run("since another account holds it, which may not be seen", func(t *testing.T) {
		take()
		_, err := s.open(t).Acquire(t.Context(), 0)
		var locked *LockedError
		if !errors.As(err, &locked) || locked.Connection == 0 || locked.Holder != "" || !strings.HasSuffix(err.Error(), fmt.Sprintf("connection %d, of an account that this one may not see", locked.Connection)) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("and whose holder lets go before it is asked for", func(t *testing.T) {
		tenant := s.between(t, "IS_USED_LOCK", func() { _, _ = holder.ExecContext(t.Context(), "DO RELEASE_ALL_LOCKS()") })
		_, err := tenant.Acquire(t.Context(), 0)
		var locked *LockedError
		if !errors.As(err, &locked) || locked.Connection != 0 || err.Error() != rotate.ErrLocked.Error() {
			t.Errorf("got %v", err)
		}
	})
	t.Run("since the server cannot make it", func(t *testing.T) {
		p := startProxy(t, &s.Server, func(string) fate { return passes })
		p.rewrite = func(packet []byte) { replaceInPlace(packet, "GET_LOCK(", "  NULLIF(") } // which gives NULL
		config := *s.config
		config.DBPort = p.port
		if _, err := openConfig(t, &config).Acquire(t.Context(), 0); err == nil || errors.Is(err, rotate.ErrLocked) {
			t.Errorf("got %v", err)
		}
		if _, err := newServers(t, 2).Acquire(t.Context(), &config, 0); err == nil || errors.Is(err, rotate.ErrLocked) {
			t.Errorf("of an array: %v", err)
		}
	})
	t.Run("since the run is over", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		tenant := s.open(t)
		cancel()
		if _, err := tenant.Acquire(ctx, 0); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}
