package moodledb

import (
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/moodledb/config"
)

// An account of MySQL 8 or later has its password as caching_sha2_password. Its first login sends
// the password itself: on a socket and over TLS as it is, else encrypted for the server's public
// key. Later ones need not, until the server forgets the account.
func TestAPasswordOfMySQL8IsTakenEveryWay(t *testing.T) {
	t.Parallel()
	s := newSite(t, "mdl_")
	if s.Value(t, "SELECT plugin_name FROM information_schema.plugins WHERE plugin_name = 'caching_sha2_password' AND plugin_status = 'ACTIVE'") == "" {
		t.Skip("only MySQL has such passwords: tools/other_database.sh mysql")
	}
	plain := testbed.MariaDB(t).WithoutTLS(t).Port
	for name, change := range map[string]func(*config.Config){
		"on a socket":                      func(c *config.Config) { c.DBHost, c.DBSocket = "localhost", s.Socket },
		"by TCP":                           func(*config.Config) {},
		"by TCP, to a server without TLS":  func(c *config.Config) { c.SSL, c.DBPort = "prefer", plain },
		"by TLS, whose certificate is new": func(c *config.Config) { c.SSL = "require" },
	} {
		t.Run(name, func(t *testing.T) {
			config := *s.config
			change(&config)
			for _, first := range []bool{true, false} {
				if first { // the server forgets what it knows of the account
					s.Exec(t, "ALTER USER "+s.User+" IDENTIFIED WITH caching_sha2_password BY '"+s.Password+"'")
				}
				if got := read(t, openConfig(t, &config)).Site; got != "Own site" {
					t.Errorf("fullname %q", got)
				}
			}
			config.DBPass = "wrong"
			if _, err := Open(t.Context(), &config); err == nil || !strings.Contains(err.Error(), "1045") {
				t.Errorf("a wrong password: %v", err)
			}
		})
	}
}

// Most collations of MySQL treat blanks at the end of a value as if they were not there; those of
// Unicode 9, the default of MySQL 8, do not. No collation distinguishes case or accents here.
func TestAComparisonDependsOnNoCollation(t *testing.T) {
	t.Parallel()
	for _, collation := range []string{"utf8mb4_general_ci", "utf8mb4_unicode_ci", "utf8mb4_bin", "utf8mb4_0900_ai_ci", "utf8mb4_0900_as_cs"} {
		t.Run(collation, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, "mdl_")
			if s.Value(t, "SELECT collation_name FROM information_schema.collations WHERE collation_name = '"+collation+"'") == "" {
				t.Skip("this server does not have it")
			}
			s.Exec(t, "ALTER TABLE {config_plugins} CONVERT TO CHARACTER SET utf8mb4 COLLATE "+collation+
				"; ALTER TABLE {mnet_host} CONVERT TO CHARACTER SET utf8mb4 COLLATE "+collation)
			tenant := s.open(t)
			seen := read(t, tenant)
			for _, other := range []string{peerCert + " ", strings.ToUpper(peerCert), ""} {
				s.Exec(t, "UPDATE {mnet_host} SET public_key = ? WHERE id = 3", other)
				if stored, err := tenant.storePeerKey(t.Context(), 3, peerCert, newCert, 7); stored || err != nil {
					t.Errorf("over %q: %v, %v", other, stored, err)
				}
				if got := s.Value(t, "SELECT public_key FROM {mnet_host} WHERE id = 3"); got != other {
					t.Errorf("%q became %q", other, got)
				}
			}
			s.Exec(t, "UPDATE {mnet_host} SET public_key = ? WHERE id = 3", peerCert)
			if stored, err := tenant.storePeerKey(t.Context(), 3, peerCert, newCert, 7); !stored || err != nil {
				t.Errorf("over the same: %v, %v", stored, err)
			}
			for wwwroot, found := range map[string]int{"https://peer.example ": 0, "HTTPS://PEER.example/": 1, "https://péer.example": 0} {
				s.Exec(t, "UPDATE {mnet_host} SET wwwroot = ? WHERE id = 3", wwwroot)
				if ids, err := tenant.RowsNamed(t.Context(), "https://peer.example"); err != nil || len(ids) != found {
					t.Errorf("with the row %q: %v, %v", wwwroot, ids, err)
				}
			}
			if err := storeKey(t.Context(), tenant, renewal(seen)); err != nil {
				t.Error(err)
			}
			if got := s.stored(t); got != renewed() {
				t.Errorf("stored %+v", got)
			}
		})
	}
}
