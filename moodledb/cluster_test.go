package moodledb

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/moodledb/dialect"
	"renew_mnetkeys/rotate"
)

// at is the site's configuration with another server.
func (s *site) at(server *testbed.Server) *config.Config {
	config := *s.config
	config.DBPort = server.Port
	return &config
}

// refusals are the answers of clusters that give no locks.
var refusals = map[string]string{"XtraDB Cluster": testbed.RefusedByXtraDB, "Galera Cluster": testbed.RefusedByGalera}

func TestAServerThatGivesNoLocks(t *testing.T) {
	t.Parallel()
	for name, refusal := range refusals {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, "mdl_")
			config := s.at(testbed.MariaDB(t).WithoutLocks(t, refusal))
			tenant := openConfig(t, config)
			servers := newServers(t, 2)
			_, single := tenant.Acquire(t.Context(), time.Hour)
			_, array := servers.Acquire(t.Context(), config, time.Hour)
			for _, err := range []error{single, array} {
				var none *NoLocksError
				if !errors.As(err, &none) || errors.Is(err, rotate.ErrLocked) || !strings.Contains(err.Error(), "GET_LOCK") || strings.Contains(err.Error(), s.Password) {
					t.Errorf("got %v", err)
				}
			}
			if site := tenant.DescribeSite(t.Context(), nil, time.Now()); !strings.Contains(site.NoLocks, "GET_LOCK") || len(site.Unknown) > 0 {
				t.Errorf("described as %+v", site)
			}
			read(t, openConfig(t, config)) // and all else works
		})
	}
}

func TestOtherAnswersToALockAreNoRefusal(t *testing.T) {
	t.Parallel()
	s := newSite(t, "mdl_")
	for name, answer := range map[string]string{
		"an unknown error":          "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1105, MESSAGE_TEXT = 'GET_LOCK: Unknown error'",
		"of another statement":      "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1105, MESSAGE_TEXT = 'Percona-XtraDB-Cluster prohibits use of LOCK TABLE with pxc_strict_mode = ENFORCING'",
		"something not implemented": "SIGNAL SQLSTATE '42000' SET MYSQL_ERRNO = 1235, MESSAGE_TEXT = 'This version of MySQL does not yet support GET_LOCK'",
	} {
		var none *NoLocksError
		config := s.at(testbed.MariaDB(t).WithoutLocks(t, answer))
		if _, err := openConfig(t, config).Acquire(t.Context(), 0); err == nil || errors.As(err, &none) || errors.Is(err, rotate.ErrLocked) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := newServers(t, 2).Acquire(t.Context(), config, 0); err == nil || errors.As(err, &none) {
			t.Errorf("%s, of an array: %v", name, err)
		}
	}
}

func TestWhoAsksForLocksFindsThem(t *testing.T) {
	t.Parallel()
	s := newSite(t, "mdl_")
	tenant := s.open(t)
	l := lock(t, tenant) // a run is not disturbed
	other, err := tenant.acquire(t.Context(), dialect.Lock{Name: "renew_mnetkeys/doctor"}, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Release() }()
	if site := s.open(t).DescribeSite(t.Context(), nil, time.Now()); site.NoLocks != "" || len(site.Unknown) > 0 {
		t.Errorf("described as %+v", site)
	}
	if err := l.Held(t.Context()); err != nil {
		t.Error(err)
	}
}

// Without a lock, many runs at once read the same key, and all want to store another.
func TestWithoutLocksTheComparisonLetsOneRunWin(t *testing.T) {
	t.Parallel()
	s := newSite(t, "mdl_")
	config := s.at(testbed.MariaDB(t).WithoutLocks(t, testbed.RefusedByXtraDB))
	tenant := openConfig(t, config)
	before := read(t, tenant)
	const runs = 4
	errs := make([]error, runs)
	var group sync.WaitGroup
	for i := range runs {
		change := renewal(before)
		change.Certificate = fmt.Sprintf("certificate %d", i)
		group.Go(func() { errs[i] = storeKey(t.Context(), tenant, change) })
	}
	group.Wait()
	won := -1
	for i, err := range errs {
		switch {
		case err == nil && won == -1:
			won = i
		case !errors.Is(err, rotate.ErrConflict):
			t.Errorf("run %d: %v", i, err)
		}
	}
	want := renewed()
	want.ownKey = fmt.Sprintf("certificate %d", won)
	want.pair = want.ownKey + pairSeparator + newKey
	if got := s.stored(t); won == -1 || got != want {
		t.Errorf("run %d won, stored %+v", won, got)
	}
}

// conflicts is the site behind a node of a cluster in which writers of other nodes were faster: the
// first times a transaction that has written is committed, or a single statement writes, it is
// rolled back with error 1213.
func (s *site) conflicts(t *testing.T, times int) (server *testbed.Server, met *atomic.Int32) {
	t.Helper()
	const answer = "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'Deadlock found when trying to get lock; try restarting transaction'"
	s.Exec(t, "CREATE PROCEDURE certification_fails() BEGIN ROLLBACK; "+answer+"; END")
	met = new(atomic.Int32)
	fails := func() bool { return int(met.Add(1)) <= times }
	return testbed.MariaDB(t).Through(t, func() func(string) string {
		inside, wrote := false, false
		return func(query string) string {
			verb, _, _ := strings.Cut(query, " ")
			switch verb {
			case "START":
				inside, wrote = true, false
			case "UPDATE", "INSERT", "DELETE":
				wrote = true
				if !inside && fails() {
					return answer
				}
			case "COMMIT", "ROLLBACK":
				if inside = false; verb == "COMMIT" && wrote && fails() {
					return "CALL certification_fails()"
				}
			}
			return query
		}
	}), met
}

func TestWhatAClusterRefusesToCertifyIsTriedAgain(t *testing.T) {
	t.Parallel()
	for name := range operations(&rotate.Tenant{Own: &rotate.Peer{}}) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, twin := newSite(t, "mdl_"), newSite(t, "mdl_")
			op := operations(read(t, s.open(t)))[name]
			for _, s := range []*site{s, twin} {
				s.Exec(t, cmp.Or(op.before, "DO 1"))
			}
			server, met := s.conflicts(t, 2)
			want, _ := op.do(t.Context(), twin.open(t))
			tenant := openConfig(t, s.at(server))
			got, err := op.do(t.Context(), tenant)
			if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%v, %v; without conflicts %v", got, err, want)
			}
			if got, want := s.tables(t), twin.tables(t); got != want {
				t.Errorf("after %d commits the tables have\n%s\nwithout conflicts\n%s", met.Load(), got, want)
			}
			t.Logf("%d commits", met.Load())
		})
	}
}

func TestAKeyThatIsNeverCertifiedIsNotStored(t *testing.T) {
	t.Parallel()
	s := newSite(t, "mdl_")
	server, met := s.conflicts(t, 1000)
	tenant := openConfig(t, s.at(server))
	before := s.stored(t)
	err := storeKey(t.Context(), tenant, renewal(read(t, tenant)))
	if !isMySQL(err, 1213) || errors.Is(err, rotate.ErrUncertain) || errors.Is(err, rotate.ErrConflict) {
		t.Errorf("got %v", err)
	}
	if got := s.stored(t); got != before || met.Load() != maxAttempts {
		t.Errorf("after %d commits stored %+v", met.Load(), got)
	}
}
