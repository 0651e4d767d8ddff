package moodledb

import (
	"strings"
	"sync/atomic"
	"testing"

	"renew_mnetkeys/rotate"
)

// TestTablesThatAreNotAsMoodleMakesThem has rows that exist twice, or that disappear during the
// work.
func TestTablesThatAreNotAsMoodleMakesThem(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change string
		do     func(*Tenant) error
	}{
		"a service without a name": {"ALTER TABLE {mnet_service} MODIFY name VARCHAR(80); INSERT INTO {mnet_service} (name) VALUES (NULL)",
			func(tenant *Tenant) error {
				return tenant.BindServices(t.Context(), 3, []Binding{{"sso_idp", true, true}})
			}},
		"an application that is no number": {"ALTER TABLE {mnet_host} MODIFY applicationid VARCHAR(9); UPDATE {mnet_host} SET applicationid = 'x'",
			func(tenant *Tenant) error { _, err := tenant.PeerList(t.Context()); return err }},
		"an expiry that is no number": {"ALTER TABLE {mnet_host} MODIFY public_key_expires VARCHAR(20); UPDATE {mnet_host} SET public_key_expires = 'x'",
			func(tenant *Tenant) error {
				_, err := tenant.StorePeerKeys(t.Context(), []rotate.HostKey{offer("https://peer.example", 6)})
				return err
			}},
	} {
		t.Run(name+" is an error", func(t *testing.T) {
			s := newSite(t, "mdl_")
			s.Exec(t, c.change)
			before := s.tables(t)
			if err := c.do(s.open(t)); err == nil || !strings.Contains(err.Error(), "converting") || s.tables(t) != before {
				t.Errorf("%v, stored is %s", err, s.tables(t))
			}
		})
	}
	t.Run("a key that is there twice is not replaced", func(t *testing.T) {
		s := newSite(t, "mdl_")
		s.Exec(t, "CREATE TABLE again AS SELECT * FROM {config_plugins}; DROP TABLE {config_plugins}; RENAME TABLE again TO {config_plugins}; "+
			"INSERT INTO {config_plugins} SELECT 99, plugin, name, value FROM {config_plugins} WHERE name = 'openssl'")
		tenant, before := s.open(t), s.tables(t)
		err := storeKey(t.Context(), tenant, renewal(read(t, tenant)))
		if err == nil || !strings.Contains(err.Error(), "2 rows instead of one") || s.tables(t) != before {
			t.Errorf("%v, stored is %s", err, s.tables(t))
		}
	})
	t.Run("a binding that goes before it is changed is not taken for one", func(t *testing.T) {
		s := newSite(t, "mdl_")
		s.Exec(t, "INSERT INTO {mnet_host2service} (hostid, serviceid, publish, subscribe) VALUES (3, 1, 0, 0); ALTER TABLE {mnet_host2service} ENGINE=MyISAM")
		tenant := s.between(t, "UPDATE `mdl_mnet_host2service`", func() { s.Exec(t, "DELETE FROM {mnet_host2service}") })
		if err := tenant.BindServices(t.Context(), 3, []Binding{{"sso_idp", true, true}}); err == nil || !strings.Contains(err.Error(), "0 rows instead of one") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a host that goes as soon as it is made is not registered", func(t *testing.T) {
		s := newSite(t, "mdl_")
		s.Exec(t, "ALTER TABLE {mnet_host} ENGINE=MyISAM")
		var inserted atomic.Bool
		tenant := s.proxied(t, func(query string) fate {
			switch {
			case strings.HasPrefix(query, "INSERT"):
				inserted.Store(true)
			case inserted.Load():
				s.Exec(t, "DELETE FROM {mnet_host} WHERE wwwroot = 'https://new.example'")
			}
			return passes
		})
		if h, err := tenant.RegisterPeer(t.Context(), rotate.Peer{Wwwroot: "https://new.example"}); err == nil || !strings.Contains(err.Error(), "is gone") {
			t.Errorf("%+v, %v", h, err)
		}
	})
	t.Run("a host whose table gives no id is not registered", func(t *testing.T) {
		s := newSite(t, "mdl_")
		s.Exec(t, "ALTER TABLE {mnet_host} MODIFY id BIGINT NOT NULL DEFAULT 9")
		if h, err := s.open(t).RegisterPeer(t.Context(), rotate.Peer{Wwwroot: "https://new.example"}); err == nil || s.Value(t, "SELECT COUNT(*) FROM {mnet_host}") != "3" {
			t.Errorf("%+v, %v", h, err)
		}
	})
}
