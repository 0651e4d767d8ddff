package moodledb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/rotate"
)

// between opens the site with a proxy that runs do, once, before the first statement that contains
// part reaches the server.
func (s *site) between(t *testing.T, part string, do func()) *Tenant {
	t.Helper()
	if there := atPostgreSQL[part]; s.postgresql() && there != "" {
		part = there
	}
	var once sync.Once
	return s.proxied(t, func(query string) fate {
		if strings.Contains(query, part) {
			once.Do(do)
		}
		return passes
	})
}

// proxied opens the site through a proxy that decides with the given function.
func (s *site) proxied(t *testing.T, decide func(query string) fate) *Tenant {
	t.Helper()
	config := *s.config
	config.DBPort = startProxy(t, &s.Server, decide).port
	return openConfig(t, &config)
}

// Statements of StorePeerKeys.
const (
	theSelect   = "FOR UPDATE"
	theUpdate   = "EXECUTE"
	theReadBack = "FROM `mdl_mnet_host` WHERE id IN (4"
)

// atPostgreSQL are those whose text differs there.
var atPostgreSQL = map[string]string{
	theUpdate:   `UPDATE "mdl_mnet_host"`,
	theReadBack: `FROM "mdl_mnet_host" WHERE id IN ($1`,
}

func TestStorePeerKeysBesideMoodle(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		const a = "https://a.example"
		for name, c := range map[string]struct {
			before, at, change string
			want               rotate.StoreResult
			rows               string
		}{
			"Moodle deletes the peer before it is read":      {"", theSelect, "UPDATE {mnet_host} SET deleted = 1 WHERE id = 4", rotate.RowDeleted, "4 v5 5"},
			"Moodle deletes the peer after the commit":       {"", theReadBack, "UPDATE {mnet_host} SET deleted = 1 WHERE id = 4", rotate.RowDeleted, "4 v6 6"},
			"its row is gone after the commit":               {"", theReadBack, "DELETE FROM {mnet_host} WHERE id = 4", rotate.NoRow, ""},
			"a newer key comes before it is read":            {"", theSelect, "UPDATE {mnet_host} SET public_key = 'v7', public_key_expires = 7 WHERE id = 4", rotate.KeyStored, "4 v6 6"},
			"a newer key comes after the commit":             {"", theReadBack, "UPDATE {mnet_host} SET public_key = 'v7', public_key_expires = 7 WHERE id = 4", rotate.KeyStored, "4 v6 6"},
			"an older key comes after the commit":            {"", theReadBack, "UPDATE {mnet_host} SET public_key = 'v3', public_key_expires = 3 WHERE id = 4", rotate.KeyStored, "4 v6 6"},
			"one that expires when ours does comes after it": {"", theReadBack, "UPDATE {mnet_host} SET public_key = 'v3' WHERE id = 4", rotate.KeyStored, "4 v6 6"},
			"the same key comes before it is read":           {"", theSelect, "UPDATE {mnet_host} SET public_key = 'v6', public_key_expires = 6 WHERE id = 4", rotate.KeyPresent, "4 v6 6"},
			"without transactions, it is deleted in between": {"ALTER TABLE {mnet_host} ENGINE=MyISAM", theUpdate, "UPDATE {mnet_host} SET deleted = 1 WHERE id = 4", rotate.RowDeleted, "4 v5 5"},
			"without transactions, its row goes in between":  {"ALTER TABLE {mnet_host} ENGINE=MyISAM", theUpdate, "DELETE FROM {mnet_host} WHERE id = 4", rotate.NoRow, ""},
			"another peer's row is written after the commit": {"", theReadBack, "UPDATE {mnet_host} SET public_key = 'x' WHERE id = 3", rotate.KeyStored, "4 v6 6"},
		} {
			t.Run(name, func(t *testing.T) {
				s := siteIn(t, server, "mdl_")
				s.row(t, 4, a, 5)
				s.change(t, c.before)
				reached := false
				tenant := s.between(t, c.at, func() { reached = true; s.Exec(t, c.change) })
				kept, err := tenant.StorePeerKeys(t.Context(), []rotate.HostKey{offer(a, 6)})
				if err != nil || kept[0] != c.want || s.rows(t) != c.rows || !reached {
					t.Errorf("%v, %v, rows are %q, changed meanwhile: %v", kept, err, s.rows(t), reached)
				}
			})
		}
	})
}

// Moodle looks for a host and makes its row later, without a lock, and wwwroot has no unique index.
// So a member's Moodle that meets the site under its new wwwroot during a move can make a second
// row. Users refer to the old row, which has the new wwwroot too by then; Moodle may use either.
func TestARowThatMoodleMakesDuringAMoveIsReportedAndKept(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		const before, after = "http://a.example", "https://a.example"
		for name, c := range map[string]struct {
			prepare string
			renamed bool // Moodle's row comes after the old one is renamed and committed, else before that
		}{
			"before the old row is renamed":                       {"", false},
			"without transactions, before the old row is renamed": {"ALTER TABLE {mnet_host} ENGINE=MyISAM", false},
			"after the commit":                                    {"", true},
		} {
			t.Run(name, func(t *testing.T) {
				s := siteIn(t, server, "mdl_")
				s.change(t, c.prepare)
				if !c.renamed && c.prepare == "" && !s.postgresql() {
					t.Skip("InnoDB keeps the row out until the commit")
				}
				known := certificatesOf(t, before, "OLD", "NEW")
				s.Exec(t, "INSERT INTO {mnet_host} (id, wwwroot, public_key, public_key_expires) VALUES (4, ?, ?, 5)", before, known["OLD"].PEM)
				reads, made := 0, false
				tenant := s.proxied(t, func(query string) fate {
					if strings.Contains(query, "SELECT id, wwwroot") {
						reads++
					}
					if now := !c.renamed && strings.Contains(query, "SET wwwroot") || reads == 2; now && !made {
						made = true
						s.Exec(t, "INSERT INTO {mnet_host} (id, wwwroot, public_key, public_key_expires) VALUES (9, ?, 'v3', 3)", after)
					}
					return passes
				})
				keys := []rotate.HostKey{{Wwwroot: after, Certificate: known["NEW"], Was: before, Had: []*envelope.Certificate{known["OLD"]}}}
				for range 2 {
					kept, err := tenant.StorePeerKeys(t.Context(), keys)
					if got := s.named(t, known); err != nil || kept[0] != rotate.RowTwice || got != "4 https://a.example NEW, 9 https://a.example NEW" {
						t.Fatalf("%v, %v, rows are %q", kept, err, got)
					}
				}
				if seen, err := tenant.ComparePeerKeys(t.Context(), keys); err != nil || seen[0] != rotate.RowTwice {
					t.Errorf("compared: %v, %v", seen, err)
				}
				s.Exec(t, "UPDATE {mnet_host} SET wwwroot = 'https://a.example#unused' WHERE id = 9")
				if kept, err := tenant.StorePeerKeys(t.Context(), keys); err != nil || kept[0] != rotate.KeyPresent {
					t.Errorf("after its administrator chose a row: %v, %v", kept, err)
				}
			})
		}
	})
}

func TestStorePeerKeysGivesUpWhenSomebodyElseWritesAgainAndAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t, "mdl_")
	s.row(t, 4, "https://a.example", 5)
	times := 0
	tenant := s.proxied(t, func(query string) fate {
		if strings.HasPrefix(query, "SELECT id, wwwroot") && strings.Contains(query, theReadBack) {
			times++
			s.Exec(t, "UPDATE {mnet_host} SET public_key = 'v3' WHERE id = 4")
		}
		return passes
	})
	kept, err := tenant.StorePeerKeys(t.Context(), []rotate.HostKey{offer("https://a.example", 6)})
	if err == nil || !strings.Contains(err.Error(), "another program") || times != maxAttempts || s.rows(t) != "4 v3 6" {
		t.Errorf("%v, %v after %d times, rows are %q", kept, err, times, s.rows(t))
	}
}

func TestStorePeerKeysWaitsForItsTurnNoLongerThanTheRun(t *testing.T) {
	t.Parallel()
	s := newSite(t, "mdl_")
	tenant := s.open(t)
	tenant.bulk = make(chan struct{}, 1)
	tenant.bulk <- struct{}{}
	if kept, err := tenant.StorePeerKeys(soon(t), []rotate.HostKey{offer("https://peer.example", 6)}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, %v", kept, err)
	}
	if got := s.Value(t, "SELECT public_key FROM {mnet_host} WHERE id = 3"); got != peerCert {
		t.Errorf("stored %q", got)
	}
}

// TestStorePeerKeysHoldsItsRows lets Moodle delete the peer while StorePeerKeys is between its
// SELECT and its UPDATE: Moodle waits.
func TestStorePeerKeysHoldsItsRows(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		s := siteIn(t, server, "mdl_")
		s.row(t, 4, "https://a.example", 5)
		deleted := make(chan error, 1)
		tenant := s.between(t, theUpdate, func() {
			go func() {
				_, err := s.DB.Exec(s.SQL("UPDATE {mnet_host} SET deleted = 1 WHERE id = 4"))
				deleted <- err
			}()
			if !s.waitsForRow(t, "db", s.Name) {
				t.Error("nobody waits for a row")
			}
		})
		kept, err := tenant.StorePeerKeys(t.Context(), []rotate.HostKey{offer("https://a.example", 6)})
		if err != nil || kept[0] != rotate.KeyStored && kept[0] != rotate.RowDeleted {
			t.Errorf("%v, %v", kept, err)
		}
		if err := <-deleted; err != nil {
			t.Error(err)
		}
		if got := s.rows(t); got != "4 v6 6" || s.Value(t, "SELECT deleted FROM {mnet_host} WHERE id = 4") != "1" {
			t.Errorf("rows are %q", got)
		}
	})
}

// TestStorePeerKeysAsTheVictimOfADeadlock lets a heavier transaction lock the last row, for which
// StorePeerKeys waits with all earlier rows locked, and then request one of those.
func TestStorePeerKeysAsTheVictimOfADeadlock(t *testing.T) {
	t.Parallel()
	s := newSite(t, "mdl_")
	s.row(t, 4, "https://a.example", 5)
	s.row(t, 5, "https://b.example", 5)
	tenant := s.open(t)
	moodle := s.heavy(t, "UPDATE {mnet_host} SET public_key = 'v9', public_key_expires = 9 WHERE id = 5")
	type result struct {
		kept []rotate.StoreResult
		err  error
	}
	done := make(chan result, 1)
	go func() {
		kept, err := tenant.StorePeerKeys(context.Background(), []rotate.HostKey{offer("https://a.example", 6), offer("https://b.example", 6)})
		done <- result{kept, err}
	}()
	s.awaitLockWait(t)
	if _, err := moodle.Exec(s.SQL("UPDATE {mnet_host} SET last_connect_time = 1 WHERE id = 4")); err != nil {
		t.Fatalf("StorePeerKeys was not the victim: %v", err)
	}
	s.awaitLockWait(t)
	if err := moodle.Commit(); err != nil {
		t.Fatal(err)
	}
	if r := <-done; r.err != nil || !slices.Equal(r.kept, []rotate.StoreResult{rotate.KeyStored, rotate.KeyStored}) || s.rows(t) != "4 v6 6, 5 v6 6" {
		t.Errorf("%v, %v, rows are %q", r.kept, r.err, s.rows(t))
	}
}

func TestStorePeerKeysWhenTheAnswerToCommitIsLost(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		const a = "https://a.example"
		for name, c := range map[string]struct {
			fates []fate
			wait  bool
		}{
			"the server had committed":                  {[]fate{goesUnsaid}, false},
			"the server never got it":                   {[]fate{isLost}, false},
			"the server never got it, twice":            {[]fate{isLost, isLost}, false},
			"the server gets it late: the answer waits": {[]fate{hangsUp}, true},
			"it is lost, and the one after is not told": {[]fate{isLost, goesUnsaid}, false},
		} {
			t.Run(name, func(t *testing.T) {
				s := siteIn(t, server, "mdl_")
				s.row(t, 4, a, 5)
				tenant, p := s.throughProxy(t, c.fates...)
				done := make(chan error, 1)
				go func() {
					kept, err := tenant.StorePeerKeys(context.Background(), []rotate.HostKey{offer(a, 6)})
					if err == nil && kept[0] != rotate.KeyStored {
						err = fmt.Errorf("kept: %v", kept)
					}
					done <- err
				}()
				if c.wait {
					s.awaitLockWait(t)
				}
				close(p.late)
				if err := <-done; err != nil || s.rows(t) != "4 v6 6" {
					t.Errorf("%v, rows are %q", err, s.rows(t))
				}
			})
		}
		t.Run("the server does not come back: that is said", func(t *testing.T) {
			s := siteIn(t, server, "mdl_")
			s.row(t, 4, a, 5)
			tenant, _ := s.throughProxy(t, isLost)
			enough := errors.New("enough")
			tenant.sleep = func(context.Context, time.Duration) error { return enough }
			if _, err := tenant.StorePeerKeys(t.Context(), []rotate.HostKey{offer(a, 6)}); !errors.Is(err, rotate.ErrUncertain) {
				t.Errorf("got %v", err)
			}
		})
	})
}

// TestManyStorePeerKeysAtOnce lets many runs offer all kinds of versions in every order, without
// the lock that otherwise keeps them apart: in the end each row has one of them complete,
// certificate and expiry.
func TestManyStorePeerKeysAtOnce(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		const peers, runs, rounds = 30, 6, 12
		s := siteIn(t, server, "mdl_")
		wwwroot := func(i int) string { return fmt.Sprintf("https://p%d.example", i) }
		for i := range peers {
			s.row(t, 10+i, wwwroot(i), 1)
		}
		var mu sync.Mutex
		offered := map[string][]string{}
		var group sync.WaitGroup
		for run := range runs {
			random := rand.New(rand.NewPCG(7, uint64(run)))
			tenant := s.open(t)
			group.Go(func() {
				for range rounds {
					var keys []rotate.HostKey
					for _, i := range random.Perm(peers)[:1+random.IntN(peers)] {
						keys = append(keys, offer(wwwroot(i), 2+random.IntN(1000)))
					}
					mu.Lock()
					for _, k := range keys {
						offered[k.Wwwroot] = append(offered[k.Wwwroot], fmt.Sprintf("%s %d", k.Certificate.PEM, k.Certificate.NotAfter.Unix()))
					}
					mu.Unlock()
					kept, err := tenant.StorePeerKeys(context.Background(), keys)
					if err != nil && !strings.Contains(err.Error(), "another program") {
						t.Error(err)
						return
					}
					for i, k := range kept {
						if k != rotate.KeyStored && k != rotate.KeyPresent {
							t.Errorf("%s: %v", keys[i].Wwwroot, k)
						}
					}
				}
			})
		}
		group.Wait()
		for i := range peers {
			got := s.Value(t, "SELECT CONCAT(public_key, ' ', public_key_expires) FROM {mnet_host} WHERE wwwroot = ?", wwwroot(i))
			if all := offered[wwwroot(i)]; len(all) > 0 && !slices.Contains(all, got) {
				t.Errorf("%s holds %q, which nobody offered", wwwroot(i), got)
			}
		}
	})
}

// heavy is a transaction that a server prefers to ours in a deadlock: it has written 100 rows, and
// done a statement.
func (s *site) heavy(t *testing.T, statement string) *sql.Tx {
	t.Helper()
	moodle, err := s.DB.Begin()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = moodle.Rollback() })
	for _, query := range []string{fmt.Sprintf("INSERT INTO {config} (name, value) SELECT seq, '' FROM "+numbers, 100), statement} {
		if _, err := moodle.Exec(s.SQL(query)); err != nil {
			t.Fatal(err)
		}
	}
	return moodle
}
