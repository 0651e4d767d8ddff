package moodledb

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"renew_mnetkeys/rotate"
)

// mnetConfig is what table config says about MNet.
func (s *site) mnetConfig(t *testing.T) map[string]string {
	t.Helper()
	got := map[string]string{}
	for _, name := range []string{"mnet_dispatcher_mode", "mnet_localhost_id", "mnet_all_hosts_id"} {
		got[name] = s.Value(t, "SELECT value FROM {config} WHERE name = ?", name)
	}
	return got
}

const allHosts = "SELECT GROUP_CONCAT(CONCAT_WS('|', id, wwwroot, ip_address, name, public_key, public_key_expires, deleted, applicationid, " +
	"sslverification) ORDER BY id SEPARATOR '\n') FROM {mnet_host}"

func TestStartMNet(t *testing.T) {
	t.Parallel()
	own := ownWwwroot + "|192.0.2.9||"
	for name, c := range map[string]struct {
		change string
		config map[string]string // nil: strict, 1, 2
		hosts  string
	}{
		"nothing there": {"", nil, "1|" + own + "|0|0|1|0\n2|||All Hosts||0|0|1|0"},
		"switched off, with its rows": {"INSERT INTO {config} (name, value) VALUES ('mnet_dispatcher_mode', 'off'), ('mnet_localhost_id', '1'), " +
			"('mnet_all_hosts_id', '2'); INSERT INTO {mnet_host} (id, wwwroot, name, public_key) VALUES (1, 'HTTPS://OWN.example/moodle', 'x', 'key'), (2, '', 'All', '')",
			nil, "1|HTTPS://OWN.example/moodle||x|key|0|0|1|0\n2|||All||0|0|1|0"},
		"an own row without a wwwroot": {"INSERT INTO {config} (name, value) VALUES ('mnet_localhost_id', '1'); INSERT INTO {mnet_host} (id, wwwroot, public_key) VALUES (1, '', 'key')",
			map[string]string{"mnet_dispatcher_mode": "strict", "mnet_localhost_id": "1", "mnet_all_hosts_id": "2"},
			"1||||key|0|0|1|0\n2|||All Hosts||0|0|1|0"},
		"a row of the own host in another case": {"INSERT INTO {mnet_host} (id, wwwroot, public_key) VALUES (4, 'https://own.example/Moodle', 'other'), (7, 'https://OWN.example/moodle/', 'key')",
			map[string]string{"mnet_dispatcher_mode": "strict", "mnet_localhost_id": "7", "mnet_all_hosts_id": "8"},
			"4|https://own.example/Moodle|||other|0|0|1|0\n7|https://OWN.example/moodle/|||key|0|0|1|0\n8|||All Hosts||0|0|1|0"},
		"its rows, and nothing in config": {"INSERT INTO {mnet_host} (id, wwwroot, name, public_key) VALUES (5, '', 'All', ''), (7, '" + ownWwwroot + "', '', 'key')",
			map[string]string{"mnet_dispatcher_mode": "strict", "mnet_localhost_id": "7", "mnet_all_hosts_id": "5"},
			"5|||All||0|0|1|0\n7|" + ownWwwroot + "|||key|0|0|1|0"},
		"rows that are gone get their ids back": {"INSERT INTO {config} (name, value) VALUES ('mnet_localhost_id', '4'), ('mnet_all_hosts_id', '3'); " +
			"INSERT INTO {mnet_host} (id, wwwroot, name, public_key) VALUES (6, 'https://peer.example', '', 'key')",
			map[string]string{"mnet_dispatcher_mode": "strict", "mnet_localhost_id": "4", "mnet_all_hosts_id": "3"},
			"3|||All Hosts||0|0|1|0\n4|" + own + "|0|0|1|0\n6|https://peer.example|||key|0|0|1|0"},
		"an id the users belong to stays, whoever else has the wwwroot": {"INSERT INTO {config} (name, value) VALUES ('mnet_localhost_id', '1'); " +
			"INSERT INTO {mnet_host} (id, wwwroot, public_key) VALUES (5, '" + ownWwwroot + "', 'clone')",
			map[string]string{"mnet_dispatcher_mode": "strict", "mnet_localhost_id": "1", "mnet_all_hosts_id": "6"},
			"1|" + own + "|0|0|1|0\n5|" + ownWwwroot + "|||clone|0|0|1|0\n6|||All Hosts||0|0|1|0"},
		"one row for both gets another beside it": {"INSERT INTO {config} (name, value) VALUES ('mnet_localhost_id', '1'), ('mnet_all_hosts_id', '1')", nil,
			"1|" + own + "|0|0|1|0\n2|||All Hosts||0|0|1|0"},
		"a table that has lost its AUTO_INCREMENT": {"ALTER TABLE {mnet_host} MODIFY id BIGINT NOT NULL; " +
			"INSERT INTO {config} (name, value) VALUES ('mnet_localhost_id', '4'), ('mnet_all_hosts_id', '3')",
			map[string]string{"mnet_dispatcher_mode": "strict", "mnet_localhost_id": "4", "mnet_all_hosts_id": "3"},
			"3|||All Hosts||0|0|1|0\n4|" + own + "|0|0|1|0"},
		"dangerous stays": {"INSERT INTO {config} (name, value) VALUES ('mnet_dispatcher_mode', 'dangerous')",
			map[string]string{"mnet_dispatcher_mode": "dangerous", "mnet_localhost_id": "1", "mnet_all_hosts_id": "2"},
			"1|" + own + "|0|0|1|0\n2|||All Hosts||0|0|1|0"},
		"ids that are no numbers": {"INSERT INTO {config} (name, value) VALUES ('mnet_localhost_id', ''), ('mnet_all_hosts_id', 'x')", nil,
			"1|" + own + "|0|0|1|0\n2|||All Hosts||0|0|1|0"},
	} {
		t.Run(name, func(t *testing.T) {
			s := emptySite(t, "mdl_")
			if c.change != "" {
				s.Exec(t, c.change)
			}
			want := c.config
			if want == nil {
				want = map[string]string{"mnet_dispatcher_mode": "strict", "mnet_localhost_id": "1", "mnet_all_hosts_id": "2"}
			}
			tenant := s.open(t)
			for _, time := range []string{"first", "second"} {
				if err := tenant.StartMNet(t.Context(), "192.0.2.9"); err != nil {
					t.Fatal(err)
				}
				if got := s.mnetConfig(t); !maps.Equal(got, want) {
					t.Errorf("%s time: config %v", time, got)
				}
				if got := s.Value(t, allHosts); got != c.hosts {
					t.Errorf("%s time: hosts\n%s\nwant\n%s", time, got, c.hosts)
				}
			}
			site := read(t, tenant)
			if site.Own == nil || site.Read.AllHostsID == 0 {
				t.Errorf("read again: %+v", site)
			}
		})
	}
}

func TestStopMNetPutsBackOnlyTheModeThatAStartReplaced(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		now, was, want string
		err            error
	}{
		"it was off":                            {"strict", "off", "off", nil},
		"it had no mode":                        {"strict", "", "off", nil},
		"it is off already":                     {"off", "off", "off", nil},
		"it still has no mode":                  {"", "", "", nil},
		"an administrator has set it meanwhile": {"dangerous", "off", "dangerous", rotate.ErrConflict},
	} {
		t.Run(name, func(t *testing.T) {
			s := emptySite(t, "mdl_")
			s.Exec(t, "INSERT INTO {config} (name, value) VALUES ('mnet_localhost_id', '1'), ('mnet_dispatcher_mode', '"+c.now+"')")
			if err := s.open(t).StopMNet(t.Context(), c.was); !errors.Is(err, c.err) {
				t.Error(err)
			}
			if got := s.mnetConfig(t); got["mnet_dispatcher_mode"] != c.want || got["mnet_localhost_id"] != "1" {
				t.Errorf("config %v", got)
			}
		})
	}
}

func TestStartMNetLeavesARowOfAnotherSite(t *testing.T) {
	t.Parallel()
	s := emptySite(t, "mdl_")
	s.Exec(t, "INSERT INTO {config} (name, value) VALUES ('mnet_dispatcher_mode', 'off'), ('mnet_localhost_id', '1')")
	s.Exec(t, "INSERT INTO {mnet_host} (id, wwwroot, public_key) VALUES (1, 'https://own.example/Moodle', 'key')")
	before := s.Value(t, allHosts)
	var other *rotate.OtherSiteError
	if err := s.open(t).StartMNet(t.Context(), ""); !errors.As(err, &other) || other.Row != "https://own.example/Moodle" {
		t.Errorf("got %v", err)
	}
	if got := s.mnetConfig(t); got["mnet_dispatcher_mode"] != "off" || s.Value(t, allHosts) != before {
		t.Errorf("config %v, hosts %s", got, s.Value(t, allHosts))
	}
}

func TestStartMNetChangesAllOrNothing(t *testing.T) {
	t.Parallel()
	s := emptySite(t, "mdl_")
	s.Exec(t, "REVOKE ALL ON "+s.Name+".* FROM "+s.User+"; GRANT SELECT ON "+s.Name+".* TO "+s.User+
		"; GRANT INSERT ON {mnet_host} TO "+s.User+"; GRANT UPDATE ON {config} TO "+s.User)
	err := s.open(t).StartMNet(t.Context(), "")
	var access *AccessError
	if !errors.As(err, &access) {
		t.Errorf("got %v", err)
	}
	if got := s.Value(t, allHosts); got != "" {
		t.Errorf("hosts %s", got)
	}
}

func TestRegisterPeer(t *testing.T) {
	t.Parallel()
	const title = "Ünï 学校 🎓"
	url := "https://new.example/moodle"
	fresh := rotate.Peer{Wwwroot: url, Name: title, IPAddress: "2001:db8::1", Certificate: newCert, Expires: 77, SSLVerification: 2}
	long := fresh
	long.Name = strings.Repeat("語", 100)
	mahara := fresh
	mahara.Wwwroot, mahara.Application = url+"/", "mahara"
	row := "|" + url + "|2001:db8::1|" + title + "|" + newCert + "|77|0|1|2"
	for name, c := range map[string]struct {
		change string
		host   rotate.Peer
		want   string // its row after the id
	}{
		"a host nobody knows":            {"", fresh, row},
		"a name that is too long is cut": {"", long, strings.Replace(row, title, strings.Repeat("語", 80), 1)},
		"Mahara, with a trailing slash":  {"", mahara, strings.Replace(row, "|0|1|2", "|0|2|2", 1)},
		"an active row stays as it is": {"INSERT INTO {mnet_host} (wwwroot, ip_address, name, public_key) VALUES ('" + url + "', 'i', 'n', 'k')",
			fresh, "|" + url + "|i|n|k|0|0|1|0"},
		"a deleted row is revived": {"INSERT INTO {mnet_host} (id, wwwroot, ip_address, name, public_key, deleted, applicationid) VALUES (3, '" + url + "', 'i', 'n', 'k', 1, 2)",
			fresh, "|" + url + "|2001:db8::1|n|" + newCert + "|77|0|1|0"},
		"a deleted row that Moodle would not find gets the wwwroot": {"INSERT INTO {mnet_host} (wwwroot, ip_address, name, public_key, deleted) VALUES ('" + url + "/', 'i', 'n', 'k', 1)",
			fresh, "|" + url + "|2001:db8::1|n|" + newCert + "|77|0|1|0"},
		"a deleted row keeps its certificate when there is no other": {"INSERT INTO {mnet_host} (wwwroot, name, public_key, public_key_expires, deleted) VALUES ('" + url + "', 'n', 'k', 5, 1)",
			rotate.Peer{Wwwroot: url}, "|" + url + "||n|k|5|0|1|0"},
		"an active row is found behind a deleted one": {"INSERT INTO {mnet_host} (wwwroot, name, public_key, deleted) VALUES ('" + url + "', 'old', '', 1), ('" + url + "', 'live', '', 0)",
			fresh, "|" + url + "||live||0|0|1|0"},
		"a row whose path has another case is another host": {"INSERT INTO {mnet_host} (wwwroot, public_key) VALUES ('https://new.example/Moodle', '')", fresh, row},
		"a row whose host has another case is its own": {"INSERT INTO {mnet_host} (wwwroot, public_key) VALUES ('https://new.example/Moodle', 'x'), ('HTTPS://NEW.example/moodle/', 'k')",
			fresh, "|HTTPS://NEW.example/moodle/|||k|0|0|1|0"},
		"the very spelling is found behind another": {"INSERT INTO {mnet_host} (wwwroot, public_key) VALUES ('HTTPS://NEW.example/moodle', 'x'), ('" + url + "', 'k')",
			fresh, "|" + url + "|||k|0|0|1|0"},
		"columns without default, as plugins add them": {"ALTER TABLE {mnet_host} ADD COLUMN a VARCHAR(9) NOT NULL, ADD COLUMN b INT NOT NULL, ADD COLUMN c TEXT NOT NULL, ADD COLUMN d INT",
			fresh, row},
		"columns with no default at all": {"ALTER TABLE {mnet_host} MODIFY ip_address VARCHAR(45) NOT NULL, MODIFY name VARCHAR(80) NOT NULL, " +
			"MODIFY last_connect_time BIGINT NOT NULL, MODIFY transport TINYINT NOT NULL, MODIFY theme VARCHAR(100) NOT NULL", fresh, row},
		"no row for Moodle":                             {"DELETE FROM {mnet_application}", fresh, row},
		"a number's column that is text of three bytes": {"ALTER TABLE {mnet_host} MODIFY sslverification VARCHAR(3) CHARACTER SET utf8mb3", fresh, row},
		"a table of three-byte utf8":                    {"ALTER TABLE {mnet_host} CONVERT TO CHARACTER SET utf8mb3", fresh, strings.Replace(row, "🎓", "\uFFFD", 1)},
	} {
		t.Run(name, func(t *testing.T) {
			s := emptySite(t, "mdl_")
			if c.change != "" {
				s.Exec(t, c.change)
			}
			tenant := s.open(t)
			got, err := tenant.RegisterPeer(t.Context(), c.host)
			if err != nil {
				t.Fatal(err)
			}
			columns := "CONCAT_WS('|', '', wwwroot, ip_address, name, public_key, public_key_expires, deleted, applicationid, sslverification)"
			if row := s.Value(t, "SELECT "+columns+" FROM {mnet_host} WHERE id = ?", got.ID); row != c.want {
				t.Errorf("row %q\nwant %q", row, c.want)
			}
			rows := s.Value(t, "SELECT COUNT(*) FROM {mnet_host}")
			again, err := tenant.RegisterPeer(t.Context(), c.host)
			if diff := cmp.Diff(got, again); err != nil || diff != "" || s.Value(t, "SELECT COUNT(*) FROM {mnet_host}") != rows {
				t.Errorf("a second time: %v\n%s", err, diff)
			}
		})
	}
}

func TestRegisterPeerOnAnOldTable(t *testing.T) {
	t.Parallel()
	s := emptySite(t, "")
	s.Exec(t, "ALTER TABLE {mnet_host} DROP COLUMN sslverification")
	got, err := s.open(t).RegisterPeer(t.Context(), rotate.Peer{Wwwroot: "https://new.example", SSLVerification: 2, Certificate: newCert})
	if err != nil || got.ID == 0 || got.Certificate != newCert || got.ServerURL != "/mnet/xmlrpc/server.php" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestRegisterPeerRefuses(t *testing.T) {
	t.Parallel()
	s := newSite(t, "mdl_")
	tenant := s.open(t)
	s.Exec(t, "INSERT INTO {mnet_host} (id, wwwroot, public_key, deleted) VALUES (8, 'https://twice.example', 'k', 1), (9, 'HTTPS://Twice.example', 'l', 1)")
	before := s.Value(t, allHosts)
	if got, err := tenant.RegisterPeer(t.Context(), rotate.Peer{Wwwroot: "https://twice.example", Certificate: newCert}); !errors.Is(err, rotate.ErrTwoRows) {
		t.Errorf("two deleted rows: %+v, %v", got, err)
	}
	for name, h := range map[string]rotate.Peer{
		"the tenant itself":              {Wwwroot: ownWwwroot},
		"itself with a slash":            {Wwwroot: ownWwwroot + "/"},
		"itself in another case":         {Wwwroot: "HTTPS://Own.example/moodle"},
		"no wwwroot":                     {},
		"an application nobody knows of": {Wwwroot: "https://new.example", Application: "drupal"},
		"a wwwroot that does not fit":    {Wwwroot: "https://new.example/" + strings.Repeat("x", 300)},
	} {
		if got, err := tenant.RegisterPeer(t.Context(), h); err == nil {
			t.Errorf("%s: registered %+v", name, got)
		}
	}
	if got := s.Value(t, allHosts); got != before {
		t.Errorf("hosts\n%s", got)
	}
}

const bound = "SELECT GROUP_CONCAT(CONCAT_WS(' ', s.name, b.publish, b.subscribe) ORDER BY s.name SEPARATOR ', ') " +
	"FROM {mnet_host2service} b JOIN {mnet_service} s ON s.id = b.serviceid WHERE b.hostid = ?"

func TestBindServices(t *testing.T) {
	t.Parallel()
	s := newSite(t, "mdl_")
	tenant := s.open(t)
	s.Exec(t, "INSERT INTO {mnet_host2service} (hostid, serviceid, publish, subscribe) VALUES (3, 1, 1, 0), (3, 3, 1, 1), (2, 1, 1, 1)")
	bindings := []Binding{{"sso_idp", false, true}, {"sso_sp", true, false}}
	for range 2 {
		if err := tenant.BindServices(t.Context(), 3, bindings); err != nil {
			t.Fatal(err)
		}
		if got := s.Value(t, bound, 3); got != "mnet_enrol 1 1, sso_idp 0 1, sso_sp 1 0" {
			t.Errorf("bound %s", got)
		}
	}
	if got := s.Value(t, bound, 2); got != "sso_idp 1 1" {
		t.Errorf("another host: %s", got)
	}
	err := tenant.BindServices(t.Context(), 3, []Binding{{"sso_sp", false, false}, {"unknown", true, true}})
	if err == nil || !strings.Contains(err.Error(), "unknown") {
		t.Errorf("got %v", err)
	}
	if got := s.Value(t, bound, 3); got != "mnet_enrol 1 1, sso_idp 0 1, sso_sp 1 0" {
		t.Errorf("after a failure: %s", got)
	}
}

func TestServicesStrategy(t *testing.T) {
	t.Parallel()
	const recorded = `a:6:{s:19:"peer_sso_sp_publish";s:1:"1";s:20:"peer_sso_idp_publish";i:0;s:25:"peer_mnet_enrol_subscribe";b:1;` +
		`s:23:"main_mnet_enrol_publish";i:1;s:21:"main_sso_sp_subscribe";s:1:"0";s:22:"main_mnetadmin_publish";N;}`
	for name, c := range map[string]struct {
		role       Role
		subnetwork bool
		strategy   string
		want       string // service, publish, subscribe; others 0 0
	}{
		"a peer gets single sign-on":             {RolePeer, false, recorded, "sso_idp 1 1, sso_sp 1 1"},
		"a peer of the sub-network, recorded":    {RolePeer, true, recorded, "mnet_enrol 0 1, sso_sp 1 0"},
		"a peer of the sub-network, no strategy": {RolePeer, true, "", "sso_idp 1 1, sso_sp 1 1"},
		"an empty strategy is none":              {RolePeer, true, "a:0:{}", "sso_idp 1 1, sso_sp 1 1"},
		"the master to its tenant":               {RoleMaster, false, recorded, "dataexchange 1 0, mnetadmin 0 1, sso_idp 1 1, sso_sp 1 1"},
		"the tenant to its master":               {RoleSub, false, recorded, "dataexchange 0 1, mnetadmin 1 0, sso_idp 1 1, sso_sp 1 1"},
		"the master, recorded":                   {RoleMaster, true, recorded, "dataexchange 1 0, mnet_enrol 1 0, mnetadmin 0 1, sso_idp 0 1, sso_sp 1 0"},
		"the tenant, recorded: the mirror image": {RoleSub, true, recorded, "dataexchange 0 1, mnet_enrol 0 1, mnetadmin 1 0, sso_idp 1 0, sso_sp 0 1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, "mdl_")
			if c.strategy != "" {
				s.Exec(t, "INSERT INTO {config_plugins} (plugin, name, value) VALUES ('local_vmoodle', 'services_strategy', ?)", c.strategy)
			}
			tenant := s.open(t)
			bindings, err := tenant.ServicesStrategy(t.Context(), c.role, c.subnetwork)
			if err != nil || len(bindings) != 5 {
				t.Fatalf("got %v, %v", bindings, err)
			}
			if err := tenant.BindServices(t.Context(), 3, bindings); err != nil {
				t.Fatal(err)
			}
			on := s.Value(t, strings.Replace(bound, "WHERE", "WHERE b.publish + b.subscribe > 0 AND", 1), 3)
			if on != c.want {
				t.Errorf("bound %q, want %q", on, c.want)
			}
			if n := s.Value(t, "SELECT COUNT(*) FROM {mnet_host2service} WHERE hostid = 3"); n != "5" {
				t.Errorf("%s rows", n)
			}
		})
	}
	t.Run("what is not installed is not bound", func(t *testing.T) {
		s := newSite(t, "mdl_")
		s.Exec(t, "DELETE FROM {mnet_service} WHERE name NOT LIKE 'sso%'")
		bindings, err := s.open(t).ServicesStrategy(t.Context(), RoleMaster, false)
		if diff := cmp.Diff([]Binding{{"sso_idp", true, true}, {"sso_sp", true, true}}, bindings); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	})
	t.Run("a strategy that cannot be read is an error", func(t *testing.T) {
		s := newSite(t, "mdl_")
		s.Exec(t, "INSERT INTO {config_plugins} (plugin, name, value) VALUES ('local_vmoodle', 'services_strategy', 'a:1:{s:')")
		if got, err := s.open(t).ServicesStrategy(t.Context(), RolePeer, true); err == nil {
			t.Errorf("got %v", got)
		}
	})
}

// TestEverySQLMode makes a site from nothing and renews its key in sessions whose settings differ
// from those that Open makes.
func TestEverySQLMode(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"", "STRICT_ALL_TABLES", "TRADITIONAL,ANSI_QUOTES,NO_BACKSLASH_ESCAPES,ONLY_FULL_GROUP_BY"} {
		t.Run("sql_mode "+mode, func(t *testing.T) {
			s := emptySite(t, "mdl_")
			tenant := s.open(t)
			tenant.db.SetMaxOpenConns(1)
			if _, err := tenant.db.Exec("SET SESSION sql_mode = ?", mode); err != nil {
				t.Fatal(err)
			}
			if err := tenant.StartMNet(t.Context(), ""); err != nil {
				t.Fatal(err)
			}
			for _, certificate := range []string{peerCert, newCert} {
				change := renewal(read(t, tenant))
				change.Certificate = certificate
				if err := storeKey(t.Context(), tenant, change); err != nil {
					t.Fatal(err)
				}
			}
			peer, err := tenant.RegisterPeer(t.Context(), rotate.Peer{Wwwroot: "https://peer.example", Name: `O'Reilly \ "Söhne"`, Certificate: peerCert})
			if err != nil {
				t.Fatal(err)
			}
			if stored, err := tenant.storePeerKey(t.Context(), peer.ID, peerCert, newCert, 5); err != nil || !stored {
				t.Fatalf("stored %v, %v", stored, err)
			}
			if err := tenant.BindServices(t.Context(), peer.ID, []Binding{{"sso_sp", true, false}}); err != nil {
				t.Fatal(err)
			}
			got := read(t, tenant)
			if got.Own == nil || got.Own.Certificate != newCert || got.Pair.Certificate != newCert || len(got.Peers) != 1 ||
				got.Peers[0].Certificate != newCert || got.Peers[0].Name != `O'Reilly \ "Söhne"` || s.Value(t, bound, peer.ID) != "sso_sp 1 0" {
				t.Errorf("read again: %+v", got)
			}
		})
	}
}
