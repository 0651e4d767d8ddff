package moodledb

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"renew_mnetkeys/rotate"
)

// usedSite is a site with two peers: the first has users here, the second has none.
func usedSite(t *testing.T) (s *site, peers []rotate.Peer, now time.Time) {
	t.Helper()
	s, now = newSite(t, "mdl_"), time.Unix(1_800_000_000, 0)
	s.Exec(t, "INSERT INTO {mnet_host} (id, wwwroot, public_key, applicationid, last_connect_time) VALUES (4, 'https://quiet.example', '', 1, 1799999000)")
	s.Exec(t, `INSERT INTO {user} (mnethostid, username, deleted, lastaccess, currentlogin) VALUES
		(1, 'local', 0, 1799999999, 1799999999), (3, 'ann', 0, 1799990000, 1799980000), (3, 'bob', 0, 0, 1799991000), (3, 'gone', 1, 1799999998, 0)`)
	s.Exec(t, "INSERT INTO {mnet_session} (token, mnethostid, expires) VALUES ('a', 3, 1800000001), ('b', 3, 1800000000), ('c', 3, 1800009999)")
	s.Exec(t, "INSERT INTO {mnet_log} (hostid, time) VALUES (3, 1799992000), (3, 1799993000), (99, 1799999999)")
	s.Exec(t, "INSERT INTO {config} (name, value) VALUES ('release', '4.5.6 (Build: 20250811)'), ('version', '2024100706.00'), ('auth', 'manual,mnet')")
	s.Exec(t, "INSERT INTO {config_plugins} (plugin, name, value) VALUES ('auth_mnet', 'version', '2024100700')")
	return s, byID(3, 4), now
}

func TestTheUseOfLinksIsReadFromTheTables(t *testing.T) {
	s, peers, now := usedSite(t)
	number := func(n int64) *int64 { return &n }
	at := func(unix int64) *time.Time { u := time.Unix(unix, 0).UTC(); return &u }
	want := rotate.Site{Release: "4.5.6 (Build: 20250811)", Version: 2024100706, SingleSignOn: rotate.SignOnOn, Use: map[int64]rotate.LinkUse{
		3: {Users: number(2), Sessions: number(2), LastUsed: at(1799993000)},
		4: {Users: number(0), Sessions: number(0), LastCall: at(1799999000)},
	}}
	if diff := cmp.Diff(want, s.open(t).DescribeSite(t.Context(), peers, now)); diff != "" {
		t.Error(diff)
	}
}

// Users are counted by an index, and the log is not scanned: either table may have millions of
// rows.
func TestTheUseOfLinksIsReadByIndexes(t *testing.T) {
	s, _, _ := usedSite(t)
	const many = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT "
	s.Exec(t, "INSERT INTO {user} (mnethostid, username) "+many+"1, CONCAT('local', i) FROM n")
	s.Exec(t, "INSERT INTO {mnet_log} (hostid, time) "+many+"99, 1 FROM n")
	s.Exec(t, "ANALYZE TABLE {user}, {mnet_log}")
	for query, key := range map[string]string{usersOf + "(3, 4) GROUP BY mnethostid": "mdl_user_mneuse_uix", newestOf + "(3, 4) GROUP BY hostid": "mdl_mnetlog_hosusecou_ix"} {
		plan := s.Value(t, "EXPLAIN FORMAT=JSON SELECT "+query)
		byIndex := strings.Contains(plan, `"key": "`+key) || strings.Contains(plan, `"index_name": "`+key) // MariaDB's, MySQL's
		if !byIndex || strings.Contains(plan, `"access_type": "ALL"`) || strings.Contains(plan, `"access_type": "table"`) {
			t.Errorf("%s: %s", query, plan)
		}
	}
}

func TestWhatCannotBeReadOfASiteIsNotKnown(t *testing.T) {
	for name, c := range map[string]struct {
		spoil   string
		unknown string
		check   func(rotate.Site) bool
	}{
		"no table of sessions": {"DROP TABLE {mnet_session}", "sessions of the peers", func(s rotate.Site) bool {
			return s.Use[3].Sessions == nil && *s.Use[3].Users == 2 && s.Release != ""
		}},
		"no table of users": {"DROP TABLE {user}", "users of the peers", func(s rotate.Site) bool {
			return s.Use[3].Users == nil && *s.Use[3].Sessions == 2 && s.Use[3].LastUsed != nil
		}},
		"no log": {"DROP TABLE {mnet_log}", "entries of the peers", func(s rotate.Site) bool {
			return s.Use[3].LastUsed.Unix() == 1799991000
		}},
		"no column of calls": {"ALTER TABLE {mnet_host} DROP COLUMN last_connect_time", "calls of the peers", func(s rotate.Site) bool {
			return s.Use[4].LastCall == nil && *s.Use[4].Users == 0
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s, peers, now := usedSite(t)
			s.Exec(t, c.spoil)
			got := s.open(t).DescribeSite(t.Context(), peers, now)
			if len(got.Unknown) != 1 || !strings.HasPrefix(got.Unknown[0], c.unknown) || !c.check(got) {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestSingleSignOnIsOnOffOrAbsent(t *testing.T) {
	s, _, now := usedSite(t)
	tenant := s.open(t)
	for _, c := range []struct {
		change string
		want   rotate.SingleSignOn
	}{
		{"UPDATE {config} SET value = 'mnet,ldap' WHERE name = 'auth'", rotate.SignOnOn},
		{"UPDATE {config} SET value = 'ldap,mnetsync' WHERE name = 'auth'", rotate.SignOnOff},
		{"DELETE FROM {config} WHERE name = 'auth'", rotate.SignOnOff},
		{"DELETE FROM {config_plugins} WHERE plugin = 'auth_mnet'", rotate.SignOnAbsent},
	} {
		s.Exec(t, c.change)
		if got := tenant.DescribeSite(t.Context(), nil, now).SingleSignOn; got != c.want {
			t.Errorf("after %s: %q, want %q", c.change, got, c.want)
		}
	}
}

// The server ends a statement that takes too long, and then nothing is known. MySQL ends a single
// SLEEP without an error.
func TestASlowTableIsGivenUp(t *testing.T) {
	t.Parallel()
	s, _, _ := usedSite(t)
	err := s.open(t).limited(t.Context(), "SLEEP(60) FROM "+digits+" d", nil, func(scan func(...any) error) error { var n int; return scan(&n) })
	if !isMySQL(err, 1969, 3024) { // MariaDB's, MySQL's
		t.Errorf("it ended with %v", err)
	}
}
