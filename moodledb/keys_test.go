package moodledb

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/rotate"
)

// stored is the tenant's key according to the tables.
type stored struct{ pair, history, ownKey, ownExpires, ownWwwroot string }

func (s *site) stored(t *testing.T) stored {
	t.Helper()
	value := func(query string) string { return s.Value(t, query) }
	return stored{
		pair:       value("SELECT value FROM {config_plugins} WHERE plugin = 'mnet' AND name = 'openssl'"),
		history:    value("SELECT value FROM {config_plugins} WHERE plugin = 'mnet' AND name = 'openssl_history'"),
		ownKey:     value("SELECT public_key FROM {mnet_host} WHERE id = 1"),
		ownExpires: value("SELECT public_key_expires FROM {mnet_host} WHERE id = 1"),
		ownWwwroot: value("SELECT wwwroot FROM {mnet_host} WHERE id = 1"),
	}
}

// renewed is what the tables contain after the change that renewal makes to a new site.
func renewed() stored {
	return stored{newCert + pairSeparator + newKey, encodeHistory([]rotate.Retired{{Stored: rotate.Stored{Certificate: ownCert, PrivateKey: ownKey}, Expires: 1800000000}}), newCert, "1900000000", ownWwwroot}
}

func TestStoreKey(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		for name, before := range map[string]string{
			"a pair and an empty history":  "",
			"no history yet":               "DELETE FROM {config_plugins} WHERE name = 'openssl_history'",
			"a history of an empty string": "UPDATE {config_plugins} SET value = '' WHERE name = 'openssl_history'",
			"an own row without a wwwroot": "UPDATE {mnet_host} SET wwwroot = '' WHERE id = 1",
			"its host in another case":     "UPDATE {mnet_host} SET wwwroot = 'HTTPS://OWN.example/moodle' WHERE id = 1",
			"its wwwroot with a slash":     "UPDATE {mnet_host} SET wwwroot = CONCAT(wwwroot, '/') WHERE id = 1",
			"tables without transactions":  "ALTER TABLE {config_plugins} ENGINE=MyISAM; ALTER TABLE {mnet_host} ENGINE=MyISAM",
			"tables of three-byte utf8":    "ALTER TABLE {config_plugins} CONVERT TO CHARACTER SET utf8mb3; ALTER TABLE {mnet_host} CONVERT TO CHARACTER SET utf8mb3",
			"another plugin's openssl too": "INSERT INTO {config_plugins} (plugin, name, value) VALUES ('mnetx', 'openssl', 'x')",
			"settings of another case too": "INSERT INTO {config_plugins} (plugin, name, value) VALUES ('mnet2', 'OPENSSL', 'x')",
		} {
			t.Run(name, func(t *testing.T) {
				s := siteIn(t, server, "mdl_")
				s.change(t, before)
				tenant := s.open(t)
				others := "SELECT plugin, name, value FROM {config_plugins} WHERE plugin <> 'mnet' ORDER BY id"
				peers := "SELECT id, wwwroot, public_key, public_key_expires FROM {mnet_host} WHERE id <> 1 ORDER BY id"
				untouched := s.Rows(t, others) + s.Rows(t, peers)
				if err := storeKey(t.Context(), tenant, renewal(read(t, tenant))); err != nil {
					t.Fatal(err)
				}
				want := renewed()
				if strings.HasPrefix(name, "its host in another case") { // the spelling that peers know
					want.ownWwwroot = "HTTPS://OWN.example/moodle"
				}
				if got := s.stored(t); got != want {
					t.Errorf("stored %+v", got)
				}
				if s.Rows(t, others)+s.Rows(t, peers) != untouched {
					t.Error("other rows were changed")
				}
				again := read(t, tenant)
				if again.Pair.Certificate != newCert || again.Own.Certificate != newCert || len(again.History) != 1 || again.History[0].PrivateKey != ownKey {
					t.Errorf("read again: %+v", again)
				}
			})
		}
	})
}

func TestStoreKeyOfANewSite(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		s := emptySiteIn(t, server, "mdl_")
		tenant := s.open(t)
		if err := tenant.StartMNet(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		change := renewal(read(t, tenant))
		change.History = nil
		if err := storeKey(t.Context(), tenant, change); err != nil {
			t.Fatal(err)
		}
		want := renewed()
		want.history = "a:0:{}"
		if got := s.stored(t); got != want {
			t.Errorf("stored %+v", got)
		}
	})
}

func TestStoreKeyRefusesWhatWouldLoseAKey(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		for name, c := range map[string]struct {
			change func(*keyChange)
			want   error // nil: any
		}{
			"the old pair is not in the history": {func(c *keyChange) { c.History = nil }, nil},
			"the old private key is not in it":   {func(c *keyChange) { c.History[0].PrivateKey = newKey }, nil},
			"no certificate":                     {func(c *keyChange) { c.Certificate = "" }, nil},
			"no expiry":                          {func(c *keyChange) { c.Expires = 0 }, nil},
			"no wwwroot":                         {func(c *keyChange) { c.Read.Wwwroot = "" }, nil},
			"no own row":                         {func(c *keyChange) { c.Read.Own = nil }, rotate.ErrNoLocalRow},
		} {
			t.Run(name, func(t *testing.T) {
				s := siteIn(t, server, "mdl_")
				tenant := s.open(t)
				before := s.stored(t)
				change := renewal(read(t, tenant))
				c.change(&change)
				err := storeKey(t.Context(), tenant, change)
				if err == nil || c.want != nil && !errors.Is(err, c.want) {
					t.Errorf("got %v", err)
				}
				if got := s.stored(t); got != before {
					t.Errorf("stored %+v", got)
				}
			})
		}
	})
}

func TestStoreKeyNoticesWhoWasFaster(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		for name, change := range map[string]string{
			"Moodle has renewed": "UPDATE {config_plugins} SET value = 'moodle@@@@@@@@key' WHERE name = 'openssl'; " +
				"UPDATE {mnet_host} SET public_key = 'moodle' WHERE id = 1",
			"Moodle is between history and pair":           "UPDATE {config_plugins} SET value = 'a:1:{i:0;a:0:{}}' WHERE name = 'openssl_history'",
			"Moodle is between pair and row":               "UPDATE {config_plugins} SET value = 'moodle@@@@@@@@key' WHERE name = 'openssl'",
			"only the own row changed":                     "UPDATE {mnet_host} SET public_key = 'moodle' WHERE id = 1",
			"the pair differs in case only":                "UPDATE {config_plugins} SET value = LOWER(value) WHERE name = 'openssl'",
			"the pair differs in a trailing blank only":    "UPDATE {config_plugins} SET value = CONCAT(value, ' ') WHERE name = 'openssl'",
			"the own row differs in a trailing blank only": "UPDATE {mnet_host} SET public_key = CONCAT(public_key, ' ') WHERE id = 1",
			"the history is gone":                          "DELETE FROM {config_plugins} WHERE name = 'openssl_history'",
			"the pair is gone":                             "DELETE FROM {config_plugins} WHERE name = 'openssl'",
			"the own row is gone":                          "DELETE FROM {mnet_host} WHERE id = 1",
		} {
			t.Run(name, func(t *testing.T) {
				s := siteIn(t, server, "mdl_")
				tenant := s.open(t)
				seen := read(t, tenant)
				s.Exec(t, change)
				before := s.stored(t)
				if err := storeKey(t.Context(), tenant, renewal(seen)); !errors.Is(err, rotate.ErrConflict) {
					t.Errorf("got %v", err)
				}
				if got := s.stored(t); got != before {
					t.Errorf("stored %+v", got)
				}
			})
		}
		t.Run("a history appears where there was none", func(t *testing.T) {
			s := siteIn(t, server, "mdl_")
			s.Exec(t, "DELETE FROM {config_plugins} WHERE name = 'openssl_history'")
			tenant := s.open(t)
			seen := read(t, tenant)
			s.Exec(t, "INSERT INTO {config_plugins} (plugin, name, value) VALUES ('mnet', 'openssl_history', '')")
			if err := storeKey(t.Context(), tenant, renewal(seen)); !errors.Is(err, rotate.ErrConflict) {
				t.Errorf("got %v", err)
			}
		})
	})
}

// TestStoreKeyWaitsForMoodle lets Moodle renew in a transaction of its own while StoreKey is at
// work: StoreKey must wait until that ends, and then see its result.
func TestStoreKeyWaitsForMoodle(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		const pair = "UPDATE {config_plugins} SET value = 'moodle@@@@@@@@key' WHERE plugin = 'mnet' AND name = 'openssl'"
		for name, c := range map[string]struct {
			change, end string
			want        error
		}{
			"Moodle commits a pair":     {pair, "COMMIT", rotate.ErrConflict},
			"Moodle commits an own row": {"UPDATE {mnet_host} SET public_key = 'moodle' WHERE id = 1", "COMMIT", rotate.ErrConflict},
			"Moodle rolls a pair back":  {pair, "ROLLBACK", nil},
		} {
			t.Run(name, func(t *testing.T) {
				s := siteIn(t, server, "mdl_")
				tenant := s.open(t)
				change := renewal(read(t, tenant))
				moodle, err := s.DB.Conn(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = moodle.Close() }()
				run := func(query string) {
					t.Helper()
					if _, err := moodle.ExecContext(t.Context(), s.SQL(query)); err != nil {
						t.Fatal(err)
					}
				}
				run("START TRANSACTION")
				run(c.change)
				done := make(chan error, 1)
				go func() { done <- storeKey(t.Context(), tenant, change) }()
				s.awaitLockWait(t)
				select {
				case err := <-done:
					t.Fatalf("it did not wait: %v", err)
				default:
				}
				run(c.end)
				if err := <-done; !errors.Is(err, c.want) {
					t.Fatalf("got %v", err)
				}
				if got := s.stored(t); (got == renewed()) != (c.want == nil) || c.want != nil && !strings.Contains(got.pair+got.ownKey, "moodle") {
					t.Errorf("stored %+v", got)
				}
			})
		}
	})
}

// awaitLockWait returns when a statement of the site's account waits for a row.
func (s *site) awaitLockWait(t *testing.T) {
	t.Helper()
	if !s.waitsForRow(t, "user", s.User) {
		t.Fatal("nobody waits for a row")
	}
}

var reWaits = regexp.MustCompile(`(?s)\nLOCK WAIT .*?\n(?:MariaDB|MySQL) thread id (\d+)`)

// waitsForRow returns true as soon as a connection whose column of the process list has that value
// waits for a row. It asks InnoDB's monitor: information_schema.innodb_trx repeats its last answer
// until 100 ms have passed without a query, and tests query it side by side.
func (s *site) waitsForRow(t *testing.T, column, value string) bool {
	t.Helper()
	for range 1000 {
		if s.postgresql() {
			if s.Value(t, "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND "+map[string]string{"user": "usename", "db": "datname"}[column]+" = ?", value) != "0" {
				return true
			}
			time.Sleep(10 * time.Millisecond)
			continue
		}
		var kind, name, status string
		if err := s.DB.QueryRow("SHOW ENGINE INNODB STATUS").Scan(&kind, &name, &status); err != nil {
			t.Fatal(err)
		}
		for transaction := range strings.SplitSeq(status, "\n---TRANSACTION ") {
			waits := reWaits.FindStringSubmatch(transaction)
			if waits != nil && s.Value(t, "SELECT COUNT(*) FROM information_schema.processlist WHERE id = ? AND "+column+" = ?", waits[1], value) == "1" {
				return true
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

// TestStoreKeyAsTheVictimOfADeadlock lets a heavier transaction lock the gap in which the first key
// of a site belongs, and then request the local host row that StoreKey has locked by then.
func TestStoreKeyAsTheVictimOfADeadlock(t *testing.T) {
	t.Parallel()
	s := emptySite(t, "mdl_") // rows that were deleted a moment ago would still be locked
	tenant := s.open(t)
	if err := tenant.StartMNet(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	change := renewal(read(t, tenant))
	change.History = nil
	moodle := s.heavy(t, "SELECT id FROM {config_plugins} WHERE plugin = 'mnet' AND name IN ('openssl', 'openssl_history') FOR UPDATE")
	done := make(chan error, 1)
	go func() { done <- storeKey(t.Context(), tenant, change) }()
	s.awaitLockWait(t)
	if _, err := moodle.Exec(s.SQL("UPDATE {mnet_host} SET last_connect_time = 1 WHERE id = 1")); err != nil {
		t.Fatalf("StoreKey was not the victim: %v", err)
	}
	s.awaitLockWait(t)
	if err := moodle.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := s.stored(t); got.pair != joinPair(change.Stored) || got.ownKey != newCert {
		t.Errorf("stored %+v", got)
	}
}

// TestTwoStoreKeysAtOnce lets two runs that read the same state store at the same time: one
// succeeds, the other gets an error, and no key is lost.
func TestTwoStoreKeysAtOnce(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		s := siteIn(t, server, "mdl_")
		tenants := []*Tenant{s.open(t), s.open(t)}
		for name, start := range map[string]string{
			"a renewal":               "UPDATE {config_plugins} SET value = 'a:0:{}' WHERE name = 'openssl_history'",
			"a renewal, no history":   "DELETE FROM {config_plugins} WHERE name = 'openssl_history'",
			"the first key of a site": "DELETE FROM {config_plugins}",
		} {
			t.Run(name, func(t *testing.T) {
				for round := range 10 {
					s.Exec(t, start)
					seen := read(t, tenants[0])
					errs := make(chan error, len(tenants))
					for i, tenant := range tenants {
						change := renewal(seen)
						change.Certificate = fmt.Sprintf("%s%d.%d\n", newCert, round, i)
						go func() { errs <- storeKey(context.Background(), tenant, change) }()
					}
					first, second := <-errs, <-errs
					if first != nil {
						first, second = second, first
					}
					if first != nil || !errors.Is(second, rotate.ErrConflict) {
						t.Fatalf("round %d: got %v and %v", round, first, second)
					}
					got := read(t, tenants[0])
					if got.Pair.Certificate != got.Own.Certificate || seen.Pair.PrivateKey != "" && got.History[0].PrivateKey != seen.Pair.PrivateKey {
						t.Fatalf("round %d: %+v", round, s.stored(t))
					}
				}
			})
		}
	})
}

func TestStoreKeyNeedsRights(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		for name, change := range map[string]func(t *testing.T, s *site){
			"to write":                   func(t *testing.T, s *site) { s.leaveRights(t, "SELECT") },
			"and a transaction that may": readOnlyAccount,
		} {
			t.Run(name, func(t *testing.T) {
				s := siteIn(t, server, "mdl_")
				change(t, s)
				tenant := s.open(t)
				before := s.stored(t)
				err := storeKey(t.Context(), tenant, renewal(read(t, tenant)))
				var access *AccessError
				if !errors.As(err, &access) || access.Hint() == "" || strings.Contains(err.Error(), "PRIVATE") {
					t.Errorf("got %v", err)
				}
				if got := s.stored(t); got != before {
					t.Errorf("stored %+v", got)
				}
			})
		}
	})
}

// readOnlyAccount is how PostgreSQL makes an account read-only, and what a standby server is too.
// TestAServerInTrouble has MariaDB's way.
func readOnlyAccount(t *testing.T, s *site) {
	t.Helper()
	if !s.postgresql() {
		t.Skip("only PostgreSQL has this")
	}
	s.Exec(t, "ALTER ROLE "+s.User+" SET default_transaction_read_only = on")
}

func TestStorePeerKey(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		for name, c := range map[string]struct {
			id     int64
			held   string
			before string
			want   bool
		}{
			"the row still holds what was held":    {3, peerCert, "", true},
			"no certificate was held":              {3, "", "UPDATE {mnet_host} SET public_key = '' WHERE id = 3", true},
			"the same certificate again":           {3, newCert, "UPDATE {mnet_host} SET public_key = '" + newCert + "', public_key_expires = 77 WHERE id = 3", true},
			"somebody else stored it":              {3, peerCert, "UPDATE {mnet_host} SET public_key = '" + newCert + "', public_key_expires = 77 WHERE id = 3", true},
			"somebody else stored another expiry":  {3, peerCert, "UPDATE {mnet_host} SET public_key = '" + newCert + "', public_key_expires = 5 WHERE id = 3", true},
			"without transactions too":             {3, peerCert, "ALTER TABLE {mnet_host} ENGINE=MyISAM; UPDATE {mnet_host} SET public_key = '" + newCert + "', public_key_expires = 5 WHERE id = 3", true},
			"it was stored and deleted":            {3, peerCert, "UPDATE {mnet_host} SET public_key = '" + newCert + "', deleted = 1 WHERE id = 3", false},
			"somebody else stored it with a blank": {3, peerCert, "UPDATE {mnet_host} SET public_key = '" + newCert + " ' WHERE id = 3", false},
			"another certificate stands there":     {3, peerCert, "UPDATE {mnet_host} SET public_key = 'other' WHERE id = 3", false},
			"it differs in case only":              {3, peerCert, "UPDATE {mnet_host} SET public_key = UPPER(public_key) WHERE id = 3", false},
			"it differs in a trailing blank only":  {3, peerCert, "UPDATE {mnet_host} SET public_key = CONCAT(public_key, ' ') WHERE id = 3", false},
			"nothing stands there":                 {3, peerCert, "UPDATE {mnet_host} SET public_key = '' WHERE id = 3", false},
			"the host was deleted":                 {3, peerCert, "UPDATE {mnet_host} SET deleted = 1 WHERE id = 3", false},
			"the row is gone":                      {99, peerCert, "", false},
			"a table without transactions":         {3, peerCert, "ALTER TABLE {mnet_host} ENGINE=MyISAM", true},
			"a table of three-byte utf8":           {3, peerCert, "ALTER TABLE {mnet_host} CONVERT TO CHARACTER SET utf8mb3", true},
		} {
			t.Run(name, func(t *testing.T) {
				s := siteIn(t, server, "mdl_")
				s.change(t, c.before)
				all := "SELECT id, wwwroot, public_key, public_key_expires FROM {mnet_host} ORDER BY id"
				before := s.Rows(t, all)
				got, err := s.open(t).storePeerKey(t.Context(), c.id, c.held, newCert, 77)
				if err != nil || got != c.want {
					t.Fatalf("stored %v, %v", got, err)
				}
				if !c.want {
					if s.Rows(t, all) != before {
						t.Error("rows were changed")
					}
					return
				}
				if s.Value(t, "SELECT CONCAT(public_key, public_key_expires) FROM {mnet_host} WHERE id = 3") != newCert+"77" {
					t.Errorf("rows are %s", s.Rows(t, all))
				}
				if s.Value(t, "SELECT public_key FROM {mnet_host} WHERE id = 1") != ownCert {
					t.Error("the own row was changed")
				}
			})
		}
	})
}

// TestStorePeerKeyWhenTheAnswerIsLost cuts the connection at the one statement that writes.
func TestStorePeerKeyWhenTheAnswerIsLost(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		for name, c := range map[string]struct {
			end  fate
			want bool
		}{
			"the server had it":       {goesUnsaid, true},
			"the server never got it": {isLost, false},
		} {
			t.Run(name, func(t *testing.T) {
				s := siteIn(t, server, "mdl_")
				var cut atomic.Bool
				tenant := s.proxied(t, func(query string) fate {
					if strings.HasPrefix(query, s.by("UPDATE", "COMMIT")) && !cut.Swap(true) {
						return c.end
					}
					return passes
				})
				stored, err := tenant.storePeerKey(t.Context(), 3, peerCert, newCert, 77)
				if stored != c.want || (err == nil) != c.want {
					t.Errorf("%v, %v", stored, err)
				}
				if got := s.Value(t, "SELECT public_key FROM {mnet_host} WHERE id = 3") == newCert; got != c.want {
					t.Errorf("the row holds it: %v", got)
				}
			})
		}
	})
}

func TestDeadlocksAndLockWaitsAreTriedAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err   error
		tries int
	}{
		"a deadlock":                {deadlock, maxAttempts},
		"a lock wait timeout":       {lockWait, maxAttempts},
		"another error of the same": {fmt.Errorf("store: %w", deadlock), maxAttempts},
		"a missing right":           {&AccessError{}, 1},
		"none":                      {nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			tries := 0
			err := retry(t.Context(), func() error { tries++; return c.err })
			if tries != c.tries || err != c.err {
				t.Errorf("%d tries, error %v", tries, err)
			}
		})
	}
	t.Run("not when the run is over", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		tries := 0
		_ = retry(ctx, func() error { tries++; cancel(); return deadlock })
		if tries != 1 {
			t.Errorf("%d tries", tries)
		}
	})
}
