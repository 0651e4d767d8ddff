package moodledb

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/rotate"
)

// The certificates of these tests are "v1", "v2" and so on, sometimes with text after it.

// offer is version n for a peer, which expires at n.
func offer(wwwroot string, n int) rotate.HostKey {
	return rotate.HostKey{Wwwroot: wwwroot, Certificate: expiring(int64(n), "v%d", n)}
}

// expiring is a certificate with the given text.
func expiring(at int64, text string, args ...any) *envelope.Certificate {
	return &envelope.Certificate{PEM: fmt.Sprintf(text, args...), NotAfter: time.Unix(at, 0)}
}

// rows shows mnet_host without the first three: id, certificate, expiry.
func (s *site) rows(t *testing.T) string {
	t.Helper()
	return strings.NewReplacer("|", " ", "\n", ", ").Replace(s.Rows(t, "SELECT id, public_key, public_key_expires FROM {mnet_host} WHERE id > 3 ORDER BY id"))
}

// row inserts a row of mnet_host that has version n.
func (s *site) row(t *testing.T, id int, wwwroot string, n int) {
	t.Helper()
	s.Exec(t, "INSERT INTO {mnet_host} (id, wwwroot, public_key, public_key_expires) VALUES (?, ?, ?, ?)", id, wwwroot, fmt.Sprintf("v%d", n), n)
}

func TestStorePeerKeys(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		const a, b = "https://a.example", "https://b.example"
		confused := rotate.RowTwice // of paths that differ in case: each row is of a site of its own, but Moodle finds both
		if server.DBType == testbed.PostgreSQLType {
			confused = rotate.KeyStored
		}
		for name, c := range map[string]struct {
			before string // after rows 4 and 5, of a and b, both with v5
			keys   []rotate.HostKey
			want   []rotate.StoreResult
			rows   string
		}{
			"older certificates are replaced":            {"", []rotate.HostKey{offer(b, 7), offer(a, 6)}, []rotate.StoreResult{rotate.KeyStored, rotate.KeyStored}, "4 v6 6, 5 v7 7"},
			"what is there already is left":              {"", []rotate.HostKey{offer(a, 5), offer(b, 6)}, []rotate.StoreResult{rotate.KeyPresent, rotate.KeyStored}, "4 v5 5, 5 v6 6"},
			"its expiry is corrected":                    {"UPDATE {mnet_host} SET public_key_expires = 1 WHERE id = 4", []rotate.HostKey{offer(a, 5)}, []rotate.StoreResult{rotate.KeyPresent}, "4 v5 5, 5 v5 5"},
			"and newer ones":                             {"", []rotate.HostKey{offer(a, 4), offer(b, 6)}, []rotate.StoreResult{rotate.KeyStored, rotate.KeyStored}, "4 v4 4, 5 v6 6"},
			"whatever their expiry says":                 {"UPDATE {mnet_host} SET public_key_expires = 99 WHERE id = 4", []rotate.HostKey{offer(a, 4)}, []rotate.StoreResult{rotate.KeyStored}, "4 v4 4, 5 v5 5"},
			"and none, whatever its expiry":              {"UPDATE {mnet_host} SET public_key = '', public_key_expires = 99 WHERE id = 4", []rotate.HostKey{offer(a, 6)}, []rotate.StoreResult{rotate.KeyStored}, "4 v6 6, 5 v5 5"},
			"no row is made":                             {"", []rotate.HostKey{offer("https://c.example", 6)}, []rotate.StoreResult{rotate.NoRow}, "4 v5 5, 5 v5 5"},
			"a deleted row stays as it is":               {"UPDATE {mnet_host} SET deleted = 1 WHERE id = 4", []rotate.HostKey{offer(a, 6)}, []rotate.StoreResult{rotate.RowDeleted}, "4 v5 5, 5 v5 5"},
			"all active rows of a wwwroot are written":   {"UPDATE {mnet_host} SET wwwroot = 'https://a.example' WHERE id = 5", []rotate.HostKey{offer(a, 6)}, []rotate.StoreResult{rotate.RowTwice}, "4 v6 6, 5 v6 6"},
			"one of them has it already":                 {"UPDATE {mnet_host} SET wwwroot = 'https://a.example', public_key = 'v6', public_key_expires = 6 WHERE id = 5", []rotate.HostKey{offer(a, 6)}, []rotate.StoreResult{rotate.RowTwice}, "4 v6 6, 5 v6 6"},
			"one beside it hides it":                     {"UPDATE {mnet_host} SET wwwroot = 'https://a.example', deleted = 1 WHERE id = 5", []rotate.HostKey{offer(a, 6)}, []rotate.StoreResult{rotate.RowTwice}, "4 v6 6, 5 v5 5"},
			"the tenant's own row stays as it is":        {"", []rotate.HostKey{offer(ownWwwroot, 6)}, []rotate.StoreResult{rotate.NoRow}, "4 v5 5, 5 v5 5"},
			"also when it still has another's wwwroot":   {"UPDATE {config} SET value = '4' WHERE name = 'mnet_localhost_id'", []rotate.HostKey{offer(a, 6)}, []rotate.StoreResult{rotate.NoRow}, "4 v5 5, 5 v5 5"},
			"a slash makes no other":                     {"", []rotate.HostKey{offer(a, 6), offer("https://b.example/", 6)}, []rotate.StoreResult{rotate.KeyStored, rotate.KeyStored}, "4 v6 6, 5 v6 6"},
			"a row with a slash is none for Moodle":      {"UPDATE {mnet_host} SET wwwroot = 'https://a.example/' WHERE id = 5; UPDATE {mnet_host} SET deleted = 1 WHERE id = 4", []rotate.HostKey{offer(a, 6)}, []rotate.StoreResult{rotate.RowDeleted}, "4 v5 5, 5 v6 6"},
			"a path of another case is another site":     {"UPDATE {mnet_host} SET wwwroot = 'https://a.example/T1' WHERE id = 4; UPDATE {mnet_host} SET wwwroot = 'https://a.example/t1' WHERE id = 5", []rotate.HostKey{offer("https://a.example/t1", 6)}, []rotate.StoreResult{confused}, "4 v5 5, 5 v6 6"},
			"also beside a deleted row":                  {"UPDATE {mnet_host} SET wwwroot = 'https://a.example/T1', deleted = 1 WHERE id = 4; UPDATE {mnet_host} SET wwwroot = 'https://a.example/t1' WHERE id = 5", []rotate.HostKey{offer("https://a.example/t1", 6)}, []rotate.StoreResult{confused}, "4 v5 5, 5 v6 6"},
			"though it is the only one":                  {"UPDATE {mnet_host} SET wwwroot = 'https://a.example/T1' WHERE id = 4", []rotate.HostKey{offer("https://a.example/t1", 6)}, []rotate.StoreResult{rotate.NoRow}, "4 v5 5, 5 v5 5"},
			"both get their own":                         {"UPDATE {mnet_host} SET wwwroot = 'https://a.example/T1' WHERE id = 4; UPDATE {mnet_host} SET wwwroot = 'https://a.example/t1' WHERE id = 5", []rotate.HostKey{offer("https://a.example/t1", 6), offer("https://a.example/T1", 7)}, []rotate.StoreResult{rotate.KeyStored, rotate.KeyStored}, "4 v7 7, 5 v6 6"},
			"the tenant's own row in another case":       {"UPDATE {mnet_host} SET wwwroot = 'HTTPS://Own.example/moodle' WHERE id = 4", []rotate.HostKey{offer(ownWwwroot, 6)}, []rotate.StoreResult{rotate.NoRow}, "4 v5 5, 5 v5 5"},
			"an accent too, and a blank at the end":      {"", []rotate.HostKey{offer("https://ä.example", 6), offer(b+" ", 6)}, []rotate.StoreResult{rotate.NoRow, rotate.NoRow}, "4 v5 5, 5 v5 5"},
			"a held one that differs in case is older":   {"UPDATE {mnet_host} SET public_key = 'V5' WHERE id = 4", []rotate.HostKey{offer(a, 5)}, []rotate.StoreResult{rotate.KeyStored}, "4 v5 5, 5 v5 5"},
			"one that differs in a blank at the end too": {"UPDATE {mnet_host} SET public_key = 'v5 ', public_key_expires = 4 WHERE id = 4", []rotate.HostKey{offer(a, 5)}, []rotate.StoreResult{rotate.KeyStored}, "4 v5 5, 5 v5 5"},
			"tables without transactions":                {"ALTER TABLE {mnet_host} ENGINE=MyISAM", []rotate.HostKey{offer(a, 6), offer(b, 4)}, []rotate.StoreResult{rotate.KeyStored, rotate.KeyStored}, "4 v6 6, 5 v4 4"},
			"tables of three-byte utf8":                  {"ALTER TABLE {mnet_host} CONVERT TO CHARACTER SET utf8mb3", []rotate.HostKey{offer(a, 6), offer(b, 4)}, []rotate.StoreResult{rotate.KeyStored, rotate.KeyStored}, "4 v6 6, 5 v4 4"},
			"tables of a binary collation":               {"ALTER TABLE {mnet_host} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", []rotate.HostKey{offer(a, 6), offer(b, 4)}, []rotate.StoreResult{rotate.KeyStored, rotate.KeyStored}, "4 v6 6, 5 v4 4"},
			"nothing to do":                              {"", nil, nil, "4 v5 5, 5 v5 5"},
		} {
			t.Run(name, func(t *testing.T) {
				s := siteIn(t, server, "mdl_")
				s.row(t, 4, a, 5)
				s.row(t, 5, b, 5)
				s.change(t, c.before)
				special := "SELECT id, wwwroot, public_key, public_key_expires FROM {mnet_host} WHERE id <= 3 ORDER BY id"
				untouched := s.Rows(t, special)
				tenant := s.open(t)
				got, err := tenant.StorePeerKeys(t.Context(), c.keys)
				if err != nil {
					t.Fatal(err)
				}
				if compared, err := tenant.ComparePeerKeys(t.Context(), c.keys); err != nil || slices.Contains(compared, rotate.RowTwice) != slices.Contains(c.want, rotate.RowTwice) {
					t.Errorf("compared: %v, %v", compared, err)
				}
				if diff := cmp.Diff(c.want, got); diff != "" || s.rows(t) != c.rows {
					t.Errorf("rows are %q; %s", s.rows(t), diff)
				}
				if s.Rows(t, special) != untouched {
					t.Error("other rows were changed")
				}
				for i, k := range c.want { // again
					if k == rotate.KeyStored {
						c.want[i] = rotate.KeyPresent
					}
				}
				again, err := tenant.StorePeerKeys(t.Context(), c.keys)
				if err != nil || !slices.Equal(again, c.want) || s.rows(t) != c.rows {
					t.Errorf("a second time: %v, %v, rows are %q", again, err, s.rows(t))
				}
			})
		}
	})
}

// A row of the site that its Moodle does not find is kept up to date, for the day on which somebody
// corrects its wwwroot.
func TestARowThatMoodleDoesNotFindIsSaidToBe(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		for name, c := range map[string]struct {
			wwwroot, binary   string
			mysql, postgresql rotate.StoreResult
		}{
			"in capitals":         {"HTTPS://A.Example", "", rotate.KeyStored, rotate.RowNotFound},
			"that count":          {"HTTPS://A.Example", "ALTER TABLE {mnet_host} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", rotate.RowNotFound, rotate.RowNotFound},
			"with a slash":        {"https://a.example/", "", rotate.RowNotFound, rotate.RowNotFound},
			"spelled as it calls": {"https://a.example", "", rotate.KeyStored, rotate.KeyStored},
		} {
			t.Run(name, func(t *testing.T) {
				s := siteIn(t, server, "mdl_")
				s.change(t, c.binary)
				s.row(t, 4, c.wwwroot, 5)
				want, compared := c.mysql, rotate.KeyPresent
				if s.postgresql() {
					want = c.postgresql
				}
				if want == rotate.RowNotFound {
					compared = rotate.RowNotFound
				}
				tenant, keys := s.open(t), []rotate.HostKey{offer("https://a.example", 6)}
				got, err := tenant.StorePeerKeys(t.Context(), keys)
				if err != nil || got[0] != want || s.rows(t) != "4 v6 6" {
					t.Errorf("%v, %v, rows are %q", got, err, s.rows(t))
				}
				if got, err = tenant.ComparePeerKeys(t.Context(), keys); err != nil || got[0] != compared {
					t.Errorf("compared: %v, %v", got, err)
				}
			})
		}
	})
}

func TestStorePeerKeysRefusesWhatIsIncomplete(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		s := siteIn(t, server, "mdl_")
		tenant := s.open(t)
		good := offer("https://peer.example", 9)
		for name, keys := range map[string][]rotate.HostKey{
			"no wwwroot":       {good, {Certificate: expiring(9, "v9")}},
			"no certificate":   {{Wwwroot: good.Wwwroot}, {Wwwroot: good.Wwwroot, Certificate: expiring(9, "")}},
			"no expiry":        {{Wwwroot: good.Wwwroot, Certificate: expiring(0, "v9")}},
			"a wwwroot twice":  {good, good},
			"in two spellings": {good, offer("HTTPS://Peer.example/", 9)},
		} {
			t.Run(name, func(t *testing.T) {
				if kept, err := tenant.StorePeerKeys(t.Context(), keys); err == nil {
					t.Errorf("got %v", kept)
				}
				if kept, err := tenant.ComparePeerKeys(t.Context(), keys); err == nil {
					t.Errorf("held %v", kept)
				}
				if got := s.Value(t, "SELECT public_key FROM {mnet_host} WHERE id = 3"); got != peerCert {
					t.Errorf("stored %q", got)
				}
			})
		}
	})
}

func TestStorePeerKeysNeedsRights(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		s := siteIn(t, server, "mdl_")
		s.leaveRights(t, "SELECT")
		_, err := s.open(t).StorePeerKeys(t.Context(), []rotate.HostKey{offer("https://peer.example", 9)})
		var access *AccessError
		if !errors.As(err, &access) || access.Hint() == "" {
			t.Errorf("got %v", err)
		}
	})
}

// keys are expiry and certificate of each wwwroot.
func (s *site) keys(t *testing.T) map[string]string {
	t.Helper()
	rows, err := s.DB.Query(s.SQL("SELECT wwwroot, CONCAT(public_key_expires, public_key) FROM {mnet_host}"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	keys := map[string]string{}
	for rows.Next() {
		var wwwroot, key string
		if err := rows.Scan(&wwwroot, &key); err != nil {
			t.Fatal(err)
		}
		keys[wwwroot] = key
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return keys
}

// TestStorePeerKeysOfManyRows counts statements, and measures them: none may be nearly as large as
// an old server's max_allowed_packet.
func TestStorePeerKeysOfManyRows(t *testing.T) {
	t.Parallel()
	statements := func(peers, size int) int {
		t.Helper()
		s := newSite(t, "mdl_")
		s.manyPeers(t, peers)
		tenant, p := s.throughProxy(t)
		keys := keysOfAll(peers, 1)
		for i := range keys {
			keys[i].Certificate.PEM += strings.Repeat("\n", size)
		}
		before := len(p.seen(""))
		kept, err := tenant.StorePeerKeys(t.Context(), keys)
		if err != nil || slices.ContainsFunc(kept, func(k rotate.StoreResult) bool { return k != rotate.KeyStored }) {
			t.Fatalf("%v, %v", kept, err)
		}
		held := s.keys(t)
		for _, k := range keys {
			if held[k.Wwwroot] != fmt.Sprint(k.Certificate.NotAfter.Unix(), k.Certificate.PEM) {
				t.Fatalf("the row of %s holds another certificate", k.Wwwroot)
			}
		}
		if p.largest() > 700<<10 {
			t.Errorf("a statement of %d bytes", p.largest())
		}
		// Closing a prepared statement does not count: there is no answer to wait for.
		return len(slices.DeleteFunc(p.seen("")[before:], func(q string) bool { return q == "" }))
	}
	few, many := statements(3, 0), statements(400, 0)
	if few > 11 || many-few > 3 {
		t.Errorf("%d statements for 3 rows, %d for 400", few, many)
	}
	statements(40, 60<<10)
}

func TestStoredPeerKeysAreCompared(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		s := siteIn(t, server, "mdl_")
		for i := range 3 {
			s.row(t, 4+i, fmt.Sprintf("https://p%d.example", i), 5)
		}
		s.Exec(t, "UPDATE {mnet_host} SET deleted = 1 WHERE id = 6")
		tenant, before := s.open(t), s.rows(t)
		got, err := tenant.ComparePeerKeys(t.Context(), []rotate.HostKey{offer("https://p0.example", 5), offer("https://p1.example", 4), offer("https://p2.example", 5), offer("https://p3.example", 5)})
		if err != nil || !slices.Equal(got, []rotate.StoreResult{rotate.KeyPresent, rotate.KeyNone, rotate.RowDeleted, rotate.NoRow}) || s.rows(t) != before {
			t.Errorf("%v, %v", got, err)
		}
		if got, err := tenant.ComparePeerKeys(t.Context(), nil); got != nil || err != nil {
			t.Errorf("of nobody: %v, %v", got, err)
		}
	})
}
