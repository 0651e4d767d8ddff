package moodledb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/moodledb/dialect"
	"renew_mnetkeys/rotate"
)

// TestAServerInTrouble stores a key on a server that is read-only, has no room left, or refuses a
// packet of that size. Nothing may be half stored, the error must say what to do and show no
// secret, and after the server is repaired the same change must succeed.
func TestAServerInTrouble(t *testing.T) {
	t.Parallel()
	for _, kind := range []struct {
		name   string
		server func(*testing.T) *testbed.Server
		cases  []trouble
	}{
		// For InnoDB's answers, a tablespace that may not grow is like a full disk, and it needs no
		// file system of its own. The undo data is elsewhere, or nothing could be deleted either.
		{"MariaDB", func(t *testing.T) *testbed.Server {
			return testbed.PrivateMariaDB(t, "--innodb-file-per-table=0", "--innodb-data-file-path=ibdata1:24M", "--innodb-undo-tablespaces=2")
		}, []trouble{
			// This case comes first: the free space must not grow while it is counted, as it would
			// after the other cases.
			{"no room left", fill, false, false, runs("DELETE FROM filler"), full, []string{"is full"}},
			{"read-only", runs("SET GLOBAL read_only = 1"), false, true, runs("SET GLOBAL read_only = 0"), replica, []string{"read-only"}},
			{"read-only just before COMMIT", runs("SET GLOBAL read_only = 1"), true, false, runs("SET GLOBAL read_only = 0"), replica, []string{"read-only"}},
			{"takes small packets only", runs("SET GLOBAL max_allowed_packet = 1024"), false, true, runs("SET GLOBAL max_allowed_packet = 16777216"), "",
				[]string{"max_allowed_packet", "the connection was lost"}},
		}},
		{"PostgreSQL", func(t *testing.T) *testbed.Server { return testbed.CrampedPostgreSQL(t) }, []trouble{
			// The standby comes first: it has no file system for the tablespace.
			{"read-only", useStandby, false, true, func(_ *testing.T, s *site) { s.config.DBPort = s.Port }, replica, []string{"read-only"}},
			{"no room left", fillTablespace, false, false, runs("DROP TABLE filler"), full, []string{"No space left on device"}},
		}},
	} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			server := kind.server(t)
			for _, c := range kind.cases {
				t.Run(c.name, func(t *testing.T) { c.befalls(t, siteIn(t, server, "mdl_")) })
			}
		})
	}
}

// How hints begin.
const full, replica = "make room on the database server", "the server is read-only"

// trouble is what a server may be in.
type trouble struct {
	name    string
	begin   func(*testing.T, *site)
	late    bool // it begins just before COMMIT
	checked bool // CheckRights finds it
	mend    func(*testing.T, *site)
	hint    string   // begins so
	says    []string // one of these texts
}

func (c trouble) befalls(t *testing.T, s *site) {
	change, before := largeRenewal(read(t, s.open(t))), s.stored(t)
	var tenant *Tenant
	if c.late {
		tenant = s.between(t, "COMMIT", func() { c.begin(t, s) })
	} else {
		c.begin(t, s)
		tenant = s.open(t) // a session keeps the packet size with which it began
		var access *AccessError
		if err := tenant.CheckRights(t.Context()); errors.As(err, &access) != c.checked || c.checked && access.Hint() == "" {
			t.Errorf("CheckRights: %v", err)
		}
	}
	err := storeKey(t.Context(), tenant, change)
	if c.hint != full {
		err = onceThereIsRoom(err, func() error { return storeKey(t.Context(), tenant, change) })
	}
	said := slices.ContainsFunc(c.says, func(text string) bool { return strings.Contains(fmt.Sprint(err), text) })
	var access *AccessError
	if !errors.As(err, &access) || !strings.HasPrefix(access.Hint(), c.hint) || !said || strings.Contains(fmt.Sprint(err), "PRIVATE") {
		t.Errorf("got %v", err)
	}
	c.mend(t, s)
	if got := s.stored(t); got != before {
		t.Error("something was stored")
	}
	again := s.open(t)
	store := func() error { return storeKey(t.Context(), again, change) }
	if err := onceThereIsRoom(store(), store); err != nil {
		t.Fatal(err)
	}
	if got := s.stored(t); got.pair != joinPair(change.Stored) || got.history != encodeHistory(change.History) || got.ownKey != change.Certificate {
		t.Error("it was not stored once the server was well")
	}
}

// onceThereIsRoom repeats a statement that found no room: deleted space is free only after the
// server has cleaned up.
func onceThereIsRoom(err error, again func() error) error {
	for range 100 {
		if !is(err, dialect.NoRoom) {
			break
		}
		time.Sleep(100 * time.Millisecond)
		err = again()
	}
	return err
}

func runs(query string) func(*testing.T, *site) {
	return func(t *testing.T, s *site) { s.Exec(t, query) }
}

// largeRenewal is a renewal whose values need pages of their own.
func largeRenewal(seen *rotate.Tenant) keyChange {
	c := renewal(seen)
	c.Certificate = newCert + strings.Repeat("x", 4<<20) + "\n"
	return c
}

// fill leaves the server without room for a large value. It stops before an error: InnoDB does not
// always survive having no page left.
func fill(t *testing.T, s *site) {
	t.Helper()
	s.Exec(t, "CREATE TABLE filler (id INT AUTO_INCREMENT PRIMARY KEY, v LONGTEXT)")
	for range 100 {
		free, err := strconv.Atoi(s.Value(t, "SELECT data_free FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'filler'"))
		if err != nil {
			t.Fatal(err)
		}
		if free < 3<<20 {
			return
		}
		s.Exec(t, "INSERT INTO filler (v) VALUES (REPEAT('x', 500000))")
	}
	t.Fatal("the server does not fill up")
}

// useStandby lets the site's config.php name a standby, as after two servers have changed places.
func useStandby(t *testing.T, s *site) { s.config.DBPort = s.Standby(t).Port }

// fillTablespace leaves no room for the settings.
func fillTablespace(t *testing.T, s *site) {
	t.Helper()
	s.Exec(t, "CREATE TABLESPACE cramped LOCATION '"+s.Cramped()+"'")
	s.Exec(t, "ALTER TABLE {config_plugins} SET TABLESPACE cramped; CREATE TABLE filler (v TEXT) TABLESPACE cramped")
	var err error
	for rows := 100_000; rows > 0 && err == nil; rows-- {
		_, err = s.DB.Exec("INSERT INTO filler SELECT md5(i::text) FROM generate_series(1, 10000) i")
	}
	if !is(err, dialect.NoRoom) {
		t.Fatalf("the server does not fill up: %v", err)
	}
}

// TestStoreKeyWaitsForARowOnlySoLong lets another connection lock the tenant's key for longer than
// the server lets the tool wait. The tool's limit, ten seconds, is shortened by the proxy.
func TestStoreKeyWaitsForARowOnlySoLong(t *testing.T) {
	t.Parallel()
	for name, forEver := range map[string]bool{"and stores it when it is let go": false, "and gives up in the end": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, "mdl_")
			var waits atomic.Int32
			holder, err := s.DB.Begin()
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = holder.Rollback() }()
			p := startProxy(t, &s.Server, func(query string) fate {
				if query == "ROLLBACK" && waits.Add(1) == 2 && !forEver {
					_ = holder.Rollback()
				}
				return passes
			})
			p.rewrite = func(packet []byte) {
				replaceInPlace(packet, "innodb_lock_wait_timeout = 10", "innodb_lock_wait_timeout =  1")
			}
			config := *s.config
			config.DBPort = p.port
			tenant := openConfig(t, &config)
			change, before := renewal(read(t, tenant)), s.stored(t)
			if _, err := holder.Exec(s.SQL("SELECT id FROM {mnet_host} WHERE id = 1 FOR UPDATE")); err != nil {
				t.Fatal(err)
			}
			err = storeKey(t.Context(), tenant, change)
			if !forEver {
				if got := s.stored(t); err != nil || got != renewed() || waits.Load() != 2 {
					t.Errorf("%v after %d waits, stored %+v", err, waits.Load(), got)
				}
				return
			}
			if got := s.stored(t); !isMySQL(err, 1205) || got != before || waits.Load() != maxAttempts {
				t.Errorf("%v after %d waits, stored %+v", err, waits.Load(), got)
			}
		})
	}
}

// TestStoreKeyWithoutTransactionsIsNotBlind lets Moodle renew between any two statements of the
// tool on tables that lock nothing: Moodle's pair stays, and no key is lost.
func TestStoreKeyWithoutTransactionsIsNotBlind(t *testing.T) {
	t.Parallel()
	const (
		moodleHistory = "UPDATE {config_plugins} SET value = 'moodle history' WHERE name = 'openssl_history';"
		moodlePair    = "UPDATE {config_plugins} SET value = 'moodle@@@@@@@@key' WHERE name = 'openssl';"
		moodleRow     = "UPDATE {mnet_host} SET public_key = 'moodle' WHERE id = 1"
	)
	engines := []string{"MyISAM"}
	if newSite(t, "mdl_").Value(t, "SELECT engine FROM information_schema.engines WHERE engine = 'Aria'") != "" {
		engines = append(engines, "Aria")
	}
	for _, engine := range engines {
		for name, c := range map[string]struct {
			before string // the statement before which Moodle writes
			moodle string
		}{
			"before our history":               {"SET value = 'a:", moodleHistory + moodlePair + moodleRow},
			"before our history, its own half": {"SET value = 'a:", moodleHistory},
			"before our pair":                  {"SET value = '-----BEGIN", moodleHistory + moodlePair + moodleRow},
			"before our pair, the pair alone":  {"SET value = '-----BEGIN", moodlePair},
			"before our row":                   {"UPDATE `mdl_mnet_host`", moodleHistory + moodlePair + moodleRow},
		} {
			t.Run(engine+" "+name, func(t *testing.T) {
				s := newSite(t, "mdl_")
				s.Exec(t, "ALTER TABLE {config_plugins} ENGINE="+engine+"; ALTER TABLE {mnet_host} ENGINE="+engine)
				tenant := s.between(t, c.before, func() { s.Exec(t, c.moodle) })
				err := storeKey(t.Context(), tenant, renewal(read(t, tenant)))
				got := s.stored(t)
				if !errors.Is(err, rotate.ErrConflict) {
					t.Errorf("got %v", err)
				}
				if strings.Contains(c.moodle, moodlePair) && !strings.HasPrefix(got.pair, "moodle@") || strings.Contains(c.moodle, moodleRow) && got.ownKey != "moodle" {
					t.Errorf("Moodle's key is overwritten: %+v", got)
				}
			})
		}
	}
}

// TestStoreKeyOfWhatIsNoASCII has an unreadable pair, in tables of another character set: it is
// compared as it was read.
func TestStoreKeyOfWhatIsNoASCII(t *testing.T) {
	t.Parallel()
	for _, charset := range []string{"latin1", "utf8mb3", "utf8mb4"} {
		t.Run(charset, func(t *testing.T) {
			s := newSite(t, "mdl_")
			s.Exec(t, "ALTER TABLE {config_plugins} CONVERT TO CHARACTER SET "+charset+"; ALTER TABLE {mnet_host} CONVERT TO CHARACTER SET "+charset+
				"; UPDATE {config_plugins} SET value = CONCAT(value, 'é') WHERE name = 'openssl'; UPDATE {mnet_host} SET public_key = 'é' WHERE id = 1")
			tenant := s.open(t)
			change := renewal(read(t, tenant))
			if err := storeKey(t.Context(), tenant, change); err != nil {
				t.Fatal(err)
			}
			if got := read(t, tenant); got.Pair.Certificate != newCert || got.History[0].PrivateKey != change.Read.Pair.PrivateKey || got.Own.Certificate != newCert {
				t.Errorf("stored %+v", s.stored(t))
			}
		})
	}
}

// TestStoreKeyIsDecidedWithoutTheLock lets the connection that has the lock end while a run is at
// work, and another run take the lock and renew. The first run gets an error, wherever it was: the
// lock is for order, and the comparison is what protects keys.
func TestStoreKeyIsDecidedWithoutTheLock(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		s := siteIn(t, server, "mdl_")
		first, second := s.open(t), s.open(t)
		held := lock(t, first)
		seen := read(t, first)
		s.killLock(t, held)
		next, err := second.Acquire(t.Context(), 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = next.Release() }()
		change := renewal(read(t, second))
		if err := storeKey(context.Background(), second, change); err != nil {
			t.Fatal(err)
		}
		other := renewal(seen)
		other.Certificate = peerCert
		if err := storeKey(t.Context(), first, other); !errors.Is(err, rotate.ErrConflict) {
			t.Errorf("the first run: %v", err)
		}
		if got := s.stored(t); got != renewed() {
			t.Errorf("stored %+v", got)
		}
		if err := held.Held(t.Context()); !errors.Is(err, ErrLockLost) {
			t.Errorf("the first lock: %v", err)
		}
	})
}
