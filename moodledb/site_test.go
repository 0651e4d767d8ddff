package moodledb

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/moodledb/dialect"
	"renew_mnetkeys/rotate"
)

func TestReadOfAWholeSite(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		const title = "Ünï 学校 🎓"
		for _, prefix := range []string{"mdl_", "", "a_long_prefix_of_a_tenant_1234_"} {
			t.Run("prefix "+prefix, func(t *testing.T) {
				s := siteIn(t, server, prefix)
				old := rotate.Retired{Stored: rotate.Stored{Certificate: "c\n", PrivateKey: "k\n"}, Expires: 1700000000}
				s.Exec(t, "UPDATE {course} SET fullname = ?", title)
				s.Exec(t, "UPDATE {config_plugins} SET value = ? WHERE name = 'openssl_history'", encodeHistory([]rotate.Retired{old}))
				s.Exec(t, "INSERT INTO {config_plugins} (plugin, name, value) VALUES ('mnet', 'openssl_generations', '5'), "+
					"('mnet', 'drift_threshold', '60'), ('other', 'drift_threshold', '7')")
				s.Exec(t, "INSERT INTO {config} (name, value) VALUES ('noreplyaddress', 'no@own.example'), ('mnetkeylifetime', '90')")
				s.Exec(t, "INSERT INTO {mnet_host} (id, wwwroot, name, public_key, deleted, applicationid) VALUES "+
					"(4, 'https://gone.example', 'Gone', 'x', 1, 1), (5, 'https://Mahara.example', ?, '', 0, 2), (6, ?, 'a clone', 'x', 0, 1), "+
					"(7, '', 'a second all-hosts row', '', 0, 1), (8, 'https://a.example', 'A', 'a', 0, 99)", title, ownWwwroot+"/")
				want := &rotate.Tenant{
					Wwwroot: ownWwwroot, SiteIdentifier: "sEcReTown.example", Site: title, DispatcherMode: "strict",
					NoReplyAddress: "no@own.example", LifetimeDays: 90, Drift: time.Minute, Generations: 5,
					Own: &rotate.Peer{ID: 1, Wwwroot: ownWwwroot, IPAddress: "192.0.2.1", Certificate: ownCert, Expires: 1800000000,
						Application: "moodle", ServerURL: "/mnet/xmlrpc/server.php"},
					Peers: []rotate.Peer{
						{ID: 5, Wwwroot: "https://Mahara.example", Name: title, Application: "mahara", ServerURL: "/api/xmlrpc/server.php"},
						{ID: 8, Wwwroot: "https://a.example", Name: "A", Certificate: "a", Application: "moodle", ServerURL: "/mnet/xmlrpc/server.php"},
						{ID: 3, Wwwroot: "https://peer.example", Name: "Peer", IPAddress: "192.0.2.3", Certificate: peerCert, Expires: 1800000003,
							Application: "moodle", ServerURL: "/mnet/xmlrpc/server.php", SSLVerification: 2},
					},
					Deleted: []string{"https://gone.example"}, Namesakes: []int64{6},
					Pair: rotate.Stored{Certificate: ownCert, PrivateKey: ownKey}, History: []rotate.Retired{old},
					Read: rotate.Snapshot{Pair: ownCert + pairSeparator + ownKey, HasPair: true, History: encodeHistory([]rotate.Retired{old}), HasHistory: true,
						OwnID: 1, AllHostsID: 2},
				}
				if diff := cmp.Diff(want, read(t, s.open(t))); diff != "" {
					t.Error(diff)
				}
			})
		}
	})
}

func TestReadOfOddSites(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		for name, c := range map[string]struct {
			change string
			check  func(t *testing.T, s *rotate.Tenant)
		}{
			"no sslverification, as before Moodle 3": {"ALTER TABLE {mnet_host} DROP COLUMN sslverification", func(t *testing.T, s *rotate.Tenant) {
				if len(s.Peers) != 1 || s.Peers[0].SSLVerification != 0 || s.Peers[0].Certificate != peerCert {
					t.Errorf("%+v", s.Peers)
				}
			}},
			"no applications, as before Moodle 1.9": {"DROP TABLE {mnet_application}; ALTER TABLE {mnet_host} DROP COLUMN applicationid", func(t *testing.T, s *rotate.Tenant) {
				if len(s.Peers) != 1 || s.Peers[0].Application != "moodle" || s.Peers[0].ServerURL != "/mnet/xmlrpc/server.php" {
					t.Errorf("%+v", s.Peers)
				}
			}},
			"columns that a plugin added": {"ALTER TABLE {mnet_host} ADD COLUMN extra TEXT, ADD COLUMN more TIMESTAMP DEFAULT CURRENT_TIMESTAMP", func(t *testing.T, s *rotate.Tenant) {
				if len(s.Peers) != 1 || s.Peers[0].Certificate != peerCert {
					t.Errorf("%+v", s.Peers)
				}
			}},
			"NULL where Moodle has none": {"ALTER TABLE {mnet_host} MODIFY public_key LONGTEXT, MODIFY name VARCHAR(80); UPDATE {mnet_host} SET public_key = NULL, name = NULL", func(t *testing.T, s *rotate.Tenant) {
				if s.Own == nil || s.Own.Certificate != "" || len(s.Peers) != 1 || s.Peers[0].Name != "" {
					t.Errorf("%+v %+v", s.Own, s.Peers)
				}
			}},
			"MNet never started": {"DELETE FROM {config}; DELETE FROM {config_plugins}; DELETE FROM {mnet_host}", func(t *testing.T, s *rotate.Tenant) {
				if s.Own != nil || s.Read.OwnID != 0 || s.Read.AllHostsID != 0 || s.Read.HasPair || s.Read.HasHistory || s.DispatcherMode != "" || len(s.Peers) != 0 {
					t.Errorf("%+v", s)
				}
			}},
			"mnet_localhost_id missing: the row with the own wwwroot is no peer": {"DELETE FROM {config} WHERE name = 'mnet_localhost_id'", func(t *testing.T, s *rotate.Tenant) {
				if s.Own != nil || len(s.Peers) != 1 || s.Peers[0].ID != 3 {
					t.Errorf("%+v %+v", s.Own, s.Peers)
				}
			}},
			"the own row deleted from the table": {"DELETE FROM {mnet_host} WHERE id = 1", func(t *testing.T, s *rotate.Tenant) {
				if s.Own != nil || s.Read.OwnID != 1 {
					t.Errorf("%+v", s.Own)
				}
			}},
			"no front page course": {"DELETE FROM {course}", func(t *testing.T, s *rotate.Tenant) {
				if s.Site != "" || s.Own == nil {
					t.Errorf("%q", s.Site)
				}
			}},
			"an empty pair and an empty history": {"UPDATE {config_plugins} SET value = ''", func(t *testing.T, s *rotate.Tenant) {
				if !s.Read.HasPair || !s.Read.HasHistory || s.Pair.Present() || s.History != nil {
					t.Errorf("%+v", s)
				}
			}},
			"settings of another case are other settings": {"UPDATE {config_plugins} SET name = 'OpenSSL' WHERE name = 'openssl'", func(t *testing.T, s *rotate.Tenant) {
				if s.Read.HasPair {
					t.Error(s.Read.Pair)
				}
			}},
			"three-byte utf8 tables": {"ALTER TABLE {course} CONVERT TO CHARACTER SET utf8mb3; UPDATE {course} SET fullname = '学校'", func(t *testing.T, s *rotate.Tenant) {
				if s.Site != "学校" {
					t.Errorf("%q", s.Site)
				}
			}},
			"MyISAM tables": {"ALTER TABLE {config_plugins} ENGINE=MyISAM; ALTER TABLE {mnet_host} ENGINE=MyISAM", func(t *testing.T, s *rotate.Tenant) {
				if s.Own == nil || s.Pair.Certificate != ownCert {
					t.Errorf("%+v", s)
				}
			}},
		} {
			t.Run(name, func(t *testing.T) {
				s := siteIn(t, server, "mdl_")
				s.change(t, c.change)
				c.check(t, read(t, s.open(t)))
			})
		}
	})
}

// config.php takes precedence over the tables: Moodle's get_config uses it.
func TestSettingsThatConfigPHPForcesBeatTheTables(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config.php")
	write(t, path, `<?php $CFG = new stdClass(); $CFG->dbtype = 'mariadb'; $CFG->dbname = 'n'; $CFG->dbuser = 'u'; $CFG->wwwroot = 'https://x.example'; $CFG->dataroot = '/d';
$CFG->mnet_dispatcher_mode = 'off'; $CFG->mnetkeylifetime = 7; $CFG->noreplyaddress = 'no@forced.example';
$CFG->proxyhost = 'proxy.example'; $CFG->proxyport = 3128; $CFG->proxypassword = 'forced'; $CFG->proxybypass = null;
$CFG->forced_plugin_settings = ['mnet' => ['openssl_generations' => 9, 'drift_threshold' => '120'], 'local_vmoodle' => ['mnet_key_autorenew_gap' => 48, 'drift_threshold' => 1],
	'other' => ['openssl_generations' => 1]];`)
	c, err := config.Read(t.Context(), path, config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, "mdl_")
	s.Exec(t, "INSERT INTO {config_plugins} (plugin, name, value) VALUES ('mnet', 'openssl_generations', '5'), ('mnet', 'drift_threshold', '60'), "+
		"('local_vmoodle', 'mnet_key_autorenew_gap', '24')")
	s.Exec(t, "INSERT INTO {config} (name, value) VALUES ('proxyhost', 'other.example'), ('proxyuser', 'moodle'), ('proxypassword', 'stored'), ('proxybypass', 'localhost')")
	s.config.Forced = c.Forced
	tenant := s.open(t)
	got := read(t, tenant)
	if got.DispatcherMode != "off" || !got.DispatcherForced || got.LifetimeDays != 7 || got.NoReplyAddress != "no@forced.example" || got.Generations != 9 ||
		got.Drift != 2*time.Minute || got.AutoRenewGap != 48*time.Hour {
		t.Errorf("%+v", got)
	}
	if want := (rotate.Proxy{Kind: "http", Host: "proxy.example", Port: "3128", User: "moodle", Password: "forced"}); got.Proxy == nil || *got.Proxy != want {
		t.Error("the proxy's settings are not those of config.php before those of the table")
	}
	s.Exec(t, "UPDATE {config} SET value = '' WHERE name = 'mnet_dispatcher_mode'")
	if err := tenant.StartMNet(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	var mode string
	if err := s.DB.QueryRow("SELECT value FROM mdl_config WHERE name = 'mnet_dispatcher_mode'").Scan(&mode); err != nil || mode != "" {
		t.Errorf("the mode that config.php forces was stored: %q, %v", mode, err)
	}
}

// A config.php that several sites share, or one of a site whose table config is not its own, may
// set the ids itself: Moodle then takes that row as the local host row.
func TestTheLocalHostRowThatConfigPHPNames(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config.php")
	write(t, path, `<?php $CFG = new stdClass(); $CFG->dbtype = 'mariadb'; $CFG->dbname = 'n'; $CFG->dbuser = 'u'; $CFG->wwwroot = 'https://x.example'; $CFG->dataroot = '/d';
$CFG->mnet_localhost_id = 7; $CFG->mnet_all_hosts_id = '8'; $CFG->siteidentifier = 'forced';`)
	c, err := config.Read(t.Context(), path, config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		s := siteIn(t, server, "mdl_")
		s.config.Forced = c.Forced
		s.Exec(t, "INSERT INTO {mnet_host} (id, wwwroot, public_key, public_key_expires) VALUES (7, ?, ?, 1800000000), (8, 'https://all.example', 'x', 5)", ownWwwroot, ownCert)
		s.Exec(t, "UPDATE {mnet_host} SET wwwroot = 'https://before.example', public_key = 'v5' WHERE id = 1")
		tenant := s.open(t)
		got := read(t, tenant)
		if got.Own == nil || got.Own.ID != 7 || got.Read.AllHostsID != 8 || got.SiteIdentifier != "forced" || len(got.Peers) != 2 {
			t.Fatalf("%+v", got)
		}
		if list, err := tenant.PeerList(t.Context()); err != nil || len(list) != 2 || list[0].ID != 1 || list[1].ID != 3 {
			t.Errorf("%v, %v", list, err)
		}
		if err := storeKey(t.Context(), tenant, renewal(got)); err != nil || s.Value(t, "SELECT public_key FROM {mnet_host} WHERE id = 7") != newCert {
			t.Errorf("%v, or the key is in another row", err)
		}
		before := s.Rows(t, "SELECT name, value FROM {config} ORDER BY name")
		if err := tenant.StartMNet(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		if now := s.Rows(t, "SELECT name, value FROM {config} ORDER BY name"); now != before || s.Value(t, "SELECT public_key FROM {mnet_host} WHERE id = 1") != "v5" {
			t.Errorf("config is %s", now)
		}
	})
}

// Moodle's get_config leaves out what config.php sets to null or to an array, so initialise_cfg
// leaves it as it is in $CFG: what the tables say does not count.
func TestASettingThatConfigPHPSetsToNullIsEmpty(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config.php")
	s := newSite(t, "mdl_")
	s.Exec(t, "INSERT INTO {config} (name, value) VALUES ('proxyhost', 'other.example'), ('mnetkeylifetime', '99'), ('noreplyaddress', 'no@table.example')")
	for value, off := range map[string]bool{"null": true, "[]": true, "''": true, "": false} {
		settings := "$CFG->dbtype = 'mariadb'; $CFG->dbname = 'n'; $CFG->dbuser = 'u'; $CFG->wwwroot = 'https://x.example'; $CFG->dataroot = '/d';"
		for _, name := range []string{"mnet_dispatcher_mode", "proxyhost", "mnetkeylifetime", "noreplyaddress"} {
			if off && (value != "[]" || name == "proxyhost") {
				settings += fmt.Sprintf(" $CFG->%s = %s;", name, value)
			}
		}
		write(t, path, "<?php $CFG = new stdClass(); "+settings)
		c, err := config.Read(t.Context(), path, config.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s.config.Forced = c.Forced
		got := read(t, s.open(t))
		if (got.Proxy == nil) != off {
			t.Errorf("%s: proxy %v", value, got.Proxy)
		}
		if value == "[]" {
			continue // PHP fails at the others
		}
		if got.MNetOn() == off || got.DispatcherForced != off || (got.LifetimeDays == 28) != off || (got.NoReplyAddress == "noreply@own.example") != off {
			t.Errorf("%s: mode %q, forced: %v, %d days, %s", value, got.DispatcherMode, got.DispatcherForced, got.LifetimeDays, got.NoReplyAddress)
		}
	}
}

func TestReadFailsClearly(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		for name, change := range map[string]func(t *testing.T, s *site){
			"a prefix that has no tables": func(_ *testing.T, s *site) { s.config.Prefix = "other_" },
			"no table mnet_host":          func(t *testing.T, s *site) { s.Exec(t, "DROP TABLE {mnet_host}") },
		} {
			t.Run(name, func(t *testing.T) {
				s := siteIn(t, server, "mdl_")
				change(t, s)
				_, err := s.open(t).Read(t.Context())
				var missing *MissingTableError
				if !errors.As(err, &missing) || !strings.Contains(missing.Hint(), s.config.Prefix) || !strings.Contains(err.Error(), s.config.Prefix) {
					t.Errorf("got %v", err)
				}
			})
		}
		t.Run("a history that cannot be read", func(t *testing.T) {
			s := siteIn(t, server, "mdl_")
			s.Exec(t, "UPDATE {config_plugins} SET value = ? WHERE name = 'openssl_history'", "a:1:{i:0;"+ownKey)
			_, err := s.open(t).Read(t.Context())
			var history *HistoryError
			if !errors.As(err, &history) || strings.Contains(err.Error(), "PRIVATE") {
				t.Errorf("got %v", err)
			}
		})
	})
}

func TestSettle(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ got, want any }{
		"the lifetime that is set":                {lifetimeDays(" 90 "), 90},
		"without one, 28 days":                    {lifetimeDays(""), 28},
		"a lifetime of nothing is none":           {lifetimeDays("0"), 28},
		"a lifetime below nothing is none":        {lifetimeDays("-1"), 28},
		"a lifetime beyond sense is none":         {lifetimeDays("1e300"), 28},
		"a lifetime that is no number is none":    {lifetimeDays("a month"), 28},
		"generations are 3":                       {generations(""), 3},
		"generations as stored":                   {generations("7"), 7},
		"0 generations are 3, as for Moodle":      {generations("0"), 3},
		"generations below zero are 3":            {generations("-2"), 3},
		"generations that are no number are 3":    {generations("many"), 3},
		"drift is 15 seconds":                     {driftThreshold(""), 15 * time.Second},
		"drift as stored":                         {driftThreshold("2.5"), 2500 * time.Millisecond},
		"drift of nothing is 15 seconds":          {driftThreshold("0"), 15 * time.Second},
		"drift that is not a number is 15 s":      {driftThreshold("NaN"), 15 * time.Second},
		"the address that is set":                 {noReplyAddress("c@d", "https://own.example"), "c@d"},
		"without one, noreply@host":               {noReplyAddress("", "https://own.example:8443/moodle"), "noreply@own.example"},
		"what is no address is passed over":       {noReplyAddress("nobody", "https://o.example"), "noreply@o.example"},
		"a wwwroot without a host gives no panic": {noReplyAddress("", "::"), "noreply@localhost"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %v, want %v", name, c.got, c.want)
		}
	}
}

func TestCheckRights(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		for name, c := range map[string]struct {
			change func(t *testing.T, s *site)
			want   dialect.Fault
		}{
			"all rights": {func(*testing.T, *site) {}, dialect.None},
			"read only": {func(t *testing.T, s *site) {
				s.leaveRights(t, "SELECT")
			}, dialect.NoRight},
			"no right to insert": {func(t *testing.T, s *site) {
				s.leaveRights(t, "SELECT, UPDATE")
			}, dialect.NoRight},
			"rights on one table only": {func(t *testing.T, s *site) {
				s.leaveRights(t, "SELECT, INSERT, UPDATE", "{config_plugins}")
				s.Exec(t, "GRANT SELECT ON {mnet_host} TO "+s.User)
			}, dialect.NoRight},
			"an account that may only read": {readOnlyAccount, dialect.ReadOnly},
		} {
			t.Run(name, func(t *testing.T) {
				s := siteIn(t, server, "mdl_")
				c.change(t, s) // before the connection: the server reads a database's rights only once
				tenant := s.open(t)
				before := s.stored(t)
				err := tenant.CheckRights(t.Context())
				if c.want == dialect.None {
					if err != nil || s.stored(t) != before {
						t.Errorf("got %v, or the check has written", err)
					}
					return
				}
				var access *AccessError
				if !errors.As(err, &access) || !is(err, c.want) || access.Hint() == "" || s.stored(t) != before {
					t.Errorf("got %v, or the check has written", err)
				}
			})
		}
		t.Run("no table", func(t *testing.T) {
			s := siteIn(t, server, "mdl_")
			s.Exec(t, "DROP TABLE {mnet_host}")
			var missing *MissingTableError
			if err := s.open(t).CheckRights(t.Context()); !errors.As(err, &missing) {
				t.Errorf("got %v", err)
			}
		})
	})
}

// Which rows Moodle may find in place of others is for the database to say.
func TestReadNamesTheActiveRowsThatAnotherMayHide(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		s := siteIn(t, server, "mdl_")
		s.Exec(t, "DELETE FROM {mnet_host} WHERE id > 2")
		s.Exec(t, `INSERT INTO {mnet_host} (id, wwwroot, deleted, public_key) VALUES
			(4, 'https://a.example', 0, ''), (5, 'https://a.example', 1, ''), (6, 'https://a.example', 1, ''), (7, 'https://b.example/t', 0, ''), (8, 'https://b.example/T', 1, ''),
			(9, 'https://c.example', 0, ''), (10, 'https://c.example/', 1, ''), (11, 'https://gone.example', 1, ''), (12, '', 1, ''),
			(13, 'https://d.example', 0, ''), (14, 'https://d.example', 0, ''), (15, 'HTTPS://e.example', 0, ''), (16, 'https://e.example', 0, ''),
			(17, 'https://f.example/t', 0, ''), (18, 'https://f.example/T', 0, ''), (19, 'https://g.example', 0, ''), (20, 'https://g.example/', 0, '')`)
		tenant := s.open(t)
		want := []string{"https://a.example", "https://b.example/t", "https://d.example", "https://d.example", "HTTPS://e.example", "https://e.example", "https://f.example/t", "https://f.example/T"}
		if server.DBType == testbed.PostgreSQLType {
			want = []string{want[0], want[2], want[3]}
		}
		if got := read(t, tenant).Hidden; !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
		tenant.WithoutPeers()
		if got := read(t, tenant).Hidden; !slices.Equal(got, want) {
			t.Errorf("without peers: %q", got)
		}
	})
}
