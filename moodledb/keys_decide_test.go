package moodledb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/rotate"
)

var (
	deadlock = &mysql.MySQLError{Number: 1213}
	lockWait = &mysql.MySQLError{Number: 1205}
)

// throughProxy opens the site with a proxy in between that decides on every COMMIT after a write.
func (s *site) throughProxy(t *testing.T, fates ...fate) (*Tenant, *proxy) {
	t.Helper()
	var wrote atomic.Bool
	var next atomic.Int32
	p := startProxy(t, &s.Server, func(query string) fate {
		if strings.HasPrefix(query, "UPDATE") || strings.HasPrefix(query, "INSERT") {
			wrote.Store(true)
		}
		if query != "COMMIT" || !wrote.Swap(false) {
			return passes
		}
		if i := int(next.Add(1)) - 1; i < len(fates) {
			return fates[i]
		}
		return passes
	})
	config := *s.config
	config.DBPort = p.port
	tenant := openConfig(t, &config)
	tenant.sleep = func(ctx context.Context, _ time.Duration) error { return rotate.Sleep(ctx, 10*time.Millisecond) }
	return tenant, p
}

func TestStoreKeyWhenTheAnswerToCommitIsLost(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		t.Run("the server had committed: stored", func(t *testing.T) {
			s := siteIn(t, server, "mdl_")
			tenant, p := s.throughProxy(t, goesUnsaid)
			if err := storeKey(t.Context(), tenant, renewal(read(t, tenant))); err != nil {
				t.Error(err)
			}
			if got := s.stored(t); got != renewed() {
				t.Errorf("stored %+v", got)
			}
			if n := len(p.seen("UPDATE")); n != 3 {
				t.Errorf("%d updates", n)
			}
		})
		t.Run("the server never got it: not stored, and said so", func(t *testing.T) {
			s := siteIn(t, server, "mdl_")
			tenant, _ := s.throughProxy(t, isLost)
			before := s.stored(t)
			err := storeKey(t.Context(), tenant, renewal(read(t, tenant)))
			if err == nil || errors.Is(err, rotate.ErrUncertain) || errors.Is(err, rotate.ErrConflict) {
				t.Errorf("got %v", err)
			}
			if got := s.stored(t); got != before {
				t.Errorf("stored %+v", got)
			}
		})
		t.Run("the server gets it late: the answer waits for it", func(t *testing.T) {
			s := siteIn(t, server, "mdl_")
			tenant, p := s.throughProxy(t, hangsUp)
			change := renewal(read(t, tenant))
			done := make(chan error, 1)
			go func() { done <- storeKey(t.Context(), tenant, change) }()
			s.awaitLockWait(t)
			close(p.late)
			if err := <-done; err != nil {
				t.Error(err)
			}
			if got := s.stored(t); got != renewed() {
				t.Errorf("stored %+v", got)
			}
		})
		t.Run("the server gets it late, with the site's first history: the answer waits for that too", func(t *testing.T) {
			s := siteIn(t, server, "mdl_")
			s.Exec(t, "DELETE FROM {config_plugins} WHERE plugin = 'mnet' AND name = 'openssl_history'")
			tenant, p := s.throughProxy(t, hangsUp)
			change := renewal(read(t, tenant))
			done := make(chan error, 1)
			go func() { done <- storeKey(t.Context(), tenant, change) }()
			s.awaitLockWait(t)
			close(p.late)
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
		t.Run("somebody else was faster afterwards: a conflict", func(t *testing.T) {
			s := siteIn(t, server, "mdl_")
			tenant, _ := s.throughProxy(t, isLost)
			change := renewal(read(t, tenant))
			lost := errors.New("lost")
			s.Exec(t, "UPDATE {config_plugins} SET value = 'moodle@@@@@@@@key' WHERE plugin = 'mnet' AND name = 'openssl'")
			if err := tenant.decide(t.Context(), change.Read, change.state(), lost); !errors.Is(err, rotate.ErrConflict) {
				t.Errorf("got %v", err)
			}
		})
		t.Run("the run is cancelled: decided all the same", func(t *testing.T) {
			s := siteIn(t, server, "mdl_")
			tenant := s.open(t)
			change := renewal(read(t, tenant))
			if err := storeKey(t.Context(), tenant, change); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := tenant.decide(ctx, change.Read, change.state(), errors.New("lost")); err != nil {
				t.Error(err)
			}
		})
		t.Run("the server is gone: uncertain, after a limit", func(t *testing.T) {
			s := siteIn(t, server, "mdl_")
			tenant, _ := s.throughProxy(t, isLostForGood)
			change, before := renewal(read(t, tenant)), s.stored(t)
			var pauses []time.Duration
			tenant.sleep = func(_ context.Context, d time.Duration) error {
				pauses = append(pauses, d)
				if len(pauses) == 3 {
					return context.DeadlineExceeded
				}
				return nil
			}
			if err := storeKey(t.Context(), tenant, change); !errors.Is(err, rotate.ErrUncertain) {
				t.Errorf("got %v", err)
			}
			if got := s.stored(t); got != before {
				t.Errorf("stored %+v", got)
			}
			if len(pauses) != 3 || pauses[0] != readBackPause {
				t.Errorf("pauses %v", pauses)
			}
		})
	})
}

// TestStoreKeyWhenTheConnectionIsLost cuts the connection at every statement before COMMIT.
func TestStoreKeyWhenTheConnectionIsLost(t *testing.T) {
	t.Parallel()
	s := newSite(t, "mdl_")
	before := s.stored(t)
	for _, word := range []string{"START TRANSACTION", "SELECT name, value FROM `mdl_config_plugins`", "SELECT public_key",
		"UPDATE `mdl_config_plugins`", "UPDATE `mdl_mnet_host`"} {
		for name, end := range map[string]fate{"before": isLost, "after": goesUnsaid} {
			t.Run(name+" "+word, func(t *testing.T) {
				var armed atomic.Bool
				p := startProxy(t, &s.Server, func(query string) fate {
					if strings.HasPrefix(query, word) && armed.Swap(false) {
						return end
					}
					return passes
				})
				config := *s.config
				config.DBPort = p.port
				tenant := openConfig(t, &config)
				change := renewal(read(t, tenant))
				armed.Store(true)
				if err := storeKey(t.Context(), tenant, change); err == nil {
					t.Error("no error")
				}
				if got := s.stored(t); got != before {
					t.Errorf("stored %+v", got)
				}
			})
		}
	}
}

// TestStatements counts the round trips of a renewal's database work: they decide its speed on a
// remote server.
func TestStatements(t *testing.T) {
	t.Parallel()
	s := newSite(t, "mdl_")
	tenant, p := s.throughProxy(t)
	count := func(do func()) int {
		before := len(p.seen(""))
		do()
		return len(p.seen("")) - before
	}
	if n := count(func() { read(t, tenant) }); n > 8 {
		t.Errorf("Read: %d statements", n)
	}
	change := renewal(read(t, tenant))
	if n := count(func() {
		if err := storeKey(t.Context(), tenant, change); err != nil {
			t.Fatal(err)
		}
	}); n > 8 {
		t.Errorf("StoreKey: %d statements", n)
	}
	if n := count(func() {
		if _, err := tenant.storePeerKey(t.Context(), 3, peerCert, newCert, 5); err != nil {
			t.Fatal(err)
		}
	}); n != 1 {
		t.Errorf("StorePeerKey: %d statements", n)
	}
}

// TestStoreKeyCutShortWithoutTransactions stops the writing of MyISAM tables after every statement.
// No key may be lost, and a second run must repair the state.
func TestStoreKeyCutShortWithoutTransactions(t *testing.T) {
	t.Parallel()
	for statements := range 4 {
		t.Run(fmt.Sprintf("after %d of 3 statements", statements), func(t *testing.T) {
			s := newSite(t, "mdl_")
			s.Exec(t, "ALTER TABLE {config_plugins} ENGINE=MyISAM; ALTER TABLE {mnet_host} ENGINE=MyISAM")
			var ran atomic.Int32
			p := startProxy(t, &s.Server, func(query string) fate {
				if strings.HasPrefix(query, "UPDATE") && int(ran.Add(1)) > statements {
					return isLost
				}
				return passes
			})
			config := *s.config
			config.DBPort = p.port
			tenant := openConfig(t, &config)
			if err := storeKey(t.Context(), tenant, renewal(read(t, tenant))); (err == nil) != (statements == 3) {
				t.Errorf("got %v", err)
			}
			tenant = s.open(t)
			seen := read(t, tenant)
			if seen.Pair.PrivateKey != ownKey && (len(seen.History) == 0 || seen.History[0].PrivateKey != ownKey) {
				t.Fatalf("the old key is lost: %+v", s.stored(t))
			}
			change := renewal(seen)
			if err := storeKey(t.Context(), tenant, change); err != nil {
				t.Fatal(err)
			}
			if got := read(t, tenant); got.Pair.Certificate != newCert || got.Own.Certificate != newCert {
				t.Errorf("after a second run: %+v", got)
			}
		})
	}
}
