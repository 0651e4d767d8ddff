package moodledb

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"renew_mnetkeys/rotate"
)

// oddHosts are rows of which only ids 5, 8 and 3, in this order, are peers.
const oddHosts = "INSERT INTO {mnet_host} (id, wwwroot, name, public_key, deleted, applicationid, sslverification) VALUES " +
	"(4, 'https://gone.example', 'Gone', 'x', 1, 1, 0), (5, 'https://Mahara.example', 'M', '', 0, 2, 1), (6, '" + ownWwwroot + "/', 'a clone', 'x', 0, 1, 0), " +
	"(7, '', 'a second all-hosts row', '', 0, 1, 0), (8, 'https://a.example', 'A', 'ä', 0, 99, 2)"

func TestReadOwnIsReadWithoutPeers(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"a site with peers":      oddHosts,
		"a site without MNet":    "DELETE FROM {config}; DELETE FROM {config_plugins}; DELETE FROM {mnet_host}",
		"a site without own row": "DELETE FROM {mnet_host} WHERE id = 1",
		"a deleted own row":      "UPDATE {mnet_host} SET deleted = 1 WHERE id = 1",
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, "mdl_")
			s.Exec(t, change)
			tenant := s.open(t)
			want := read(t, tenant)
			want.Peers = nil
			tenant.WithoutPeers()
			got, err := tenant.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPeerListIsOfThePeersThatReadReads(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"the peers and nobody else":                "",
		"two rows of one peer":                     "INSERT INTO {mnet_host} (id, wwwroot, public_key) VALUES (9, 'https://a.example', 'again')",
		"no peer at all":                           "DELETE FROM {mnet_host} WHERE id > 2",
		"tables of Moodle 2":                       "ALTER TABLE {mnet_host} DROP COLUMN sslverification",
		"tables of Moodle 1.8":                     "ALTER TABLE {mnet_host} DROP COLUMN sslverification, DROP COLUMN applicationid; DROP TABLE {mnet_application}",
		"NULL for a certificate":                   "ALTER TABLE {mnet_host} MODIFY public_key LONGTEXT; UPDATE {mnet_host} SET public_key = NULL WHERE id = 3",
		"NULL for an application and for TLS":      "ALTER TABLE {mnet_host} MODIFY applicationid BIGINT, MODIFY sslverification TINYINT; UPDATE {mnet_host} SET applicationid = NULL, sslverification = NULL WHERE id = 3",
		"tables of three-byte utf8":                "ALTER TABLE {mnet_host} CONVERT TO CHARACTER SET utf8mb3",
		"a site whose ids of special rows are not": "DELETE FROM {config}",
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, "mdl_")
			s.Exec(t, oddHosts)
			if change != "" {
				s.Exec(t, change)
			}
			tenant := s.open(t)
			var want []rotate.Peer
			hosts := read(t, tenant).Peers
			for _, h := range hosts {
				want = append(want, rotate.Peer{ID: h.ID, Wwwroot: h.Wwwroot, Application: h.Application,
					ServerURL: h.ServerURL, SSLVerification: h.SSLVerification})
			}
			got, err := tenant.PeerList(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
			whole, err := tenant.LoadPeers(t.Context(), got)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(hosts, whole); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLoadPeersReadsNoOthers(t *testing.T) {
	t.Parallel()
	s := newSite(t, "mdl_")
	s.Exec(t, oddHosts)
	tenant := s.open(t)
	for name, c := range map[string]struct {
		ids  []int64
		want string
	}{
		"in the order of their wwwroots": {[]int64{3, 8}, "[8 3]"},
		"once":                           {[]int64{3, 3}, "[3]"},
		"not the own, all-hosts and deleted rows": {[]int64{1, 2, 4, 6, 7, 5}, "[5]"},
		"not what is not there":                   {[]int64{99, -1}, "[]"},
		"nothing when nothing is asked for":       {nil, "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			hosts, err := tenant.LoadPeers(t.Context(), byID(c.ids...))
			if err != nil {
				t.Fatal(err)
			}
			ids := []int64{}
			for _, h := range hosts {
				ids = append(ids, h.ID)
			}
			if fmt.Sprint(ids) != c.want {
				t.Errorf("got %v", ids)
			}
		})
	}
}
