package moodledb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/rotate"
)

func TestMain(m *testing.M) { testbed.Main(m) }

const (
	ownWwwroot = "https://own.example/moodle"
	ownCert    = "-----BEGIN CERTIFICATE-----\nb3du\n-----END CERTIFICATE-----\n"
	ownKey     = "-----BEGIN PRIVATE KEY-----\nb3duIGtleQ==\n-----END PRIVATE KEY-----\n"
	newCert    = "-----BEGIN CERTIFICATE-----\nbmV3\n-----END CERTIFICATE-----\n"
	newKey     = "-----BEGIN PRIVATE KEY-----\nbmV3IGtleQ==\n-----END PRIVATE KEY-----\n"
	peerCert   = "-----BEGIN CERTIFICATE-----\ncGVlcg==\n-----END CERTIFICATE-----\n"
)

// site is a Moodle site in a database of its own: MNet enabled, a local host row with id 1, the
// all-hosts row with id 2, and one active peer.
type site struct {
	*testbed.Database
	config *config.Config
}

func newSite(t testing.TB, prefix string) *site {
	t.Helper()
	return siteIn(t, testbed.MariaDB(t), prefix)
}

// siteIn is newSite on a server of the test's own.
func siteIn(t testing.TB, server *testbed.Server, prefix string) *site {
	t.Helper()
	s := emptySiteIn(t, server, prefix)
	s.Exec(t, "INSERT INTO {config} (name, value) VALUES ('siteidentifier', 'sEcReTown.example'), ('mnet_dispatcher_mode', 'strict'), "+
		"('mnet_localhost_id', '1'), ('mnet_all_hosts_id', '2')")
	s.Exec(t, "INSERT INTO {config_plugins} (plugin, name, value) VALUES ('mnet', 'openssl', ?), ('mnet', 'openssl_history', 'a:0:{}')",
		ownCert+pairSeparator+ownKey)
	s.Exec(t, "INSERT INTO {mnet_host} (id, wwwroot, ip_address, name, public_key, public_key_expires, applicationid, sslverification) VALUES "+
		"(1, ?, '192.0.2.1', '', ?, 1800000000, 1, 0), (2, '', '', 'All Hosts', '', 0, 1, 0), "+
		"(3, 'https://peer.example', '192.0.2.3', 'Peer', ?, 1800000003, 1, 2)", ownWwwroot, ownCert, peerCert)
	if s.postgresql() {
		s.Exec(t, "ALTER SEQUENCE {mnet_host_id_seq} RESTART WITH 100") // it knows nothing of ids that were given
	}
	return s
}

func (s *site) postgresql() bool { return s.DBType == testbed.PostgreSQLType }

// by is the text for the site's kind of server.
func (s *site) by(mysql, postgresql string) string {
	if s.postgresql() {
		return postgresql
	}
	return mysql
}

// ofMySQL are changes of tables that other servers know nothing of.
var ofMySQL = regexp.MustCompile(`ENGINE=|CHARACTER SET|MODIFY`)

// change makes a site what a case needs. A case of MySQL's own is skipped elsewhere.
func (s *site) change(t *testing.T, queries string) {
	t.Helper()
	if s.postgresql() && ofMySQL.MatchString(queries) {
		t.Skip("only MySQL has this")
	}
	if queries != "" {
		s.Exec(t, queries)
	}
}

// killLock ends the connection that holds a lock, as an administrator may.
func (s *site) killLock(t *testing.T, l *Lock) {
	t.Helper()
	if s.postgresql() {
		s.Exec(t, "SELECT pg_terminate_backend(l.pid, 5000) FROM pg_locks l JOIN pg_database d ON d.oid = l.database "+
			"WHERE l.locktype = 'advisory' AND l.granted AND d.datname = ?", s.Name)
		return
	}
	s.Exec(t, "KILL CONNECTION "+s.Value(t, "SELECT IS_USED_LOCK(?)", l.of.Name))
}

// leaveRights leaves the site's account nothing but some rights on some tables, or on all of them.
func (s *site) leaveRights(t *testing.T, rights string, tables ...string) {
	t.Helper()
	if len(tables) == 0 {
		tables = []string{s.by(s.Name+".*", "ALL TABLES IN SCHEMA public")}
	}
	s.Exec(t, s.by("REVOKE ALL ON "+s.Name+".* FROM "+s.User, "REASSIGN OWNED BY "+s.User+" TO postgres"))
	s.Exec(t, "GRANT "+rights+" ON "+strings.Join(tables, ", ")+" TO "+s.User)
}

// emptySite has what Moodle's installer puts into the tables, but nothing of MNet.
func emptySite(t testing.TB, prefix string) *site {
	t.Helper()
	return emptySiteIn(t, testbed.MariaDB(t), prefix)
}

func emptySiteIn(t testing.TB, server *testbed.Server, prefix string) *site {
	t.Helper()
	d := server.Database(t, prefix)
	d.Exec(t, "INSERT INTO {course} (id, fullname) VALUES (1, 'Own site')")
	d.Exec(t, "INSERT INTO {mnet_application} (id, name, display_name, xmlrpc_server_url) VALUES "+
		"(1, 'moodle', 'Moodle', '/mnet/xmlrpc/server.php'), (2, 'mahara', 'Mahara', '/api/xmlrpc/server.php')")
	d.Exec(t, "INSERT INTO {mnet_service} (id, name) VALUES (1, 'sso_idp'), (2, 'sso_sp'), (3, 'mnet_enrol'), (4, 'mnetadmin'), (5, 'dataexchange')")
	return &site{Database: d, config: &config.Config{
		DBType: d.DBType, DBHost: d.Host, DBPort: d.Port, DBName: d.Name, DBUser: d.User, DBPass: d.Password,
		Prefix: prefix, Wwwroot: ownWwwroot, ConnectTimeout: 5 * time.Second,
	}}
}

func (s *site) open(t testing.TB) *Tenant {
	t.Helper()
	return openConfig(t, s.config)
}

func openConfig(t testing.TB, c *config.Config) *Tenant {
	t.Helper()
	tenant, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tenant.Close() })
	return tenant
}

func read(t *testing.T, tenant *Tenant) *rotate.Tenant {
	t.Helper()
	s, err := tenant.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// keyChange is a new key for the tenant, and what it was decided on.
type keyChange struct {
	Read *rotate.Tenant
	rotate.Keys
}

func storeKey(ctx context.Context, t *Tenant, c keyChange) error {
	return t.StoreKey(ctx, c.Read, c.Keys)
}

// state is what the tables contain after the change.
func (c keyChange) state() keyState {
	return keyState{joinPair(c.Stored), encodeHistory(c.History), true, true, c.Certificate}
}

// byID are peers as PeerList gives them.
func byID(ids ...int64) (peers []rotate.Peer) {
	for _, id := range ids {
		peers = append(peers, rotate.Peer{ID: id})
	}
	return peers
}

// renewal is the change that a renewal makes: the old pair goes to the front of the history, the
// new one becomes current.
func renewal(read *rotate.Tenant) keyChange {
	history := []rotate.Retired{{Stored: read.Pair, Expires: read.Own.Expires}}
	return keyChange{Read: read, Keys: rotate.Keys{Stored: rotate.Stored{Certificate: newCert, PrivateKey: newKey}, Expires: 1900000000,
		History: append(history, read.History...)}}
}

// fixture is a config.php among those of package config, or the directory of some.
func fixture(t testing.TB, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("config", "testdata", "sites", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// plain makes a Config comparable field by field, with the passwords that it does not print.
func plain(c config.Config) map[string]string {
	type register config.Register
	fields := map[string]string{}
	v := reflect.ValueOf(c)
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; v.Type().Field(i).IsExported() && name != "Register" {
			fields[name] = fmt.Sprintf("%#v", v.Field(i).Interface())
		}
	}
	if c.Register != nil {
		fields["Register"] = fmt.Sprintf("%#v", register(*c.Register))
	}
	return fields
}

// isMySQL says whether err is an answer of MySQL or MariaDB with one of the numbers.
func isMySQL(err error, numbers ...uint16) bool {
	var answer *mysql.MySQLError
	return errors.As(err, &answer) && slices.Contains(numbers, answer.Number)
}

// numbers is a table of the numbers from 1 to %d, at most 9999, in SQL: column seq.
const numbers = "(SELECT 1000 * d.n + 100 * c.n + 10 * b.n + a.n AS seq FROM " + digits + " a, " + digits + " b, " + digits + " c, " + digits + " d) numbers " +
	"WHERE seq BETWEEN 1 AND %d"

const digits = "(SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL " +
	"SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)"
