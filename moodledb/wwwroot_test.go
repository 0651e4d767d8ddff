package moodledb

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/rotate"
)

// The path of a wwwroot is compared exactly, its scheme and host without case: on a real server,
// whose collations ignore case.

func TestTheRegistersRowsAreToldApartByThePathsCase(t *testing.T) {
	t.Parallel()
	a := newArray(t)
	a.Exec(t, `INSERT INTO {local_vmoodle} (vhostname, name, mnet, enabled, vdbtype, vdbhost, vdblogin, vdbpass, vdbname, vdbprefix, vdatapath) VALUES
		('https://t.example.org/T1', 'Upper', 0, 1, 'mariadb', 'localhost', 'upper', '', 'upper', 'mdl_', '/var/moodledata/upper'),
		('https://t.example.org/t1', 'Lower', 0, 1, 'mariadb', 'localhost', 'lower', '', 'lower', 'mdl_', '/var/moodledata/lower'),
		('HTTPS://T.example.org/T2', 'Alone', 0, 1, 'mariadb', 'localhost', 'alone', '', 'alone', 'mdl_', '/var/moodledata/alone')`)
	master := a.read(t, nil)
	for host, want := range map[string]string{
		"https://t.example.org/T1":  "upper",
		"https://t.example.org/t1":  "lower",
		"HTTPS://T.Example.org/t1/": "lower",
		"https://t.example.org/T2":  "alone",
	} {
		if got, err := FindTenant(t.Context(), master, host); err != nil || got.DBName != want {
			t.Errorf("%s: %v, %v", host, got, err)
		}
	}
	for _, host := range []string{"https://t.example.org/t2", "https://master.example.org/x", "https://Master.example.org/X"} {
		var unknown *UnknownTenantError
		if got, err := FindTenant(t.Context(), master, host); !errors.As(err, &unknown) {
			t.Errorf("%s: %v, %v", host, got, err)
		}
	}
}

func TestTheOwnSiteIsNoPeerHoweverItIsSpelled(t *testing.T) {
	t.Parallel()
	s := newSite(t, "mdl_")
	s.Exec(t, "DELETE FROM {mnet_host} WHERE id = 3")
	for i, wwwroot := range []string{"HTTPS://OWN.example/moodle", "https://Own.example/moodle/", ownWwwroot, "https://own.example/Moodle", "https://own.example/moodle2"} {
		s.row(t, 4+i, wwwroot, 5)
	}
	tenant := s.open(t)
	var ids []string
	for _, p := range read(t, tenant).Peers {
		ids = append(ids, fmt.Sprint(p.ID))
	}
	if got := strings.Join(ids, " "); got != "7 8" {
		t.Errorf("peers %s", got)
	}
	list, err := tenant.PeerList(t.Context())
	if err != nil || len(list) != 2 || list[0].ID != 7 || list[1].ID != 8 {
		t.Errorf("%+v, %v", list, err)
	}
	some, err := tenant.LoadPeers(t.Context(), byID(4, 5, 6, 7, 8))
	if err != nil || len(some) != 2 {
		t.Errorf("%d peers, %v", len(some), err)
	}
}

func TestComparedKeysAreThoseOfTheVerySite(t *testing.T) {
	t.Parallel()
	s := newSite(t, "mdl_")
	s.row(t, 4, "https://a.example/T1", 5)
	s.row(t, 5, "https://a.example/t1", 6)
	s.row(t, 6, "HTTP://B.example/x", 7)
	got, err := s.open(t).ComparePeerKeys(t.Context(), []rotate.HostKey{offer("https://a.example/t1", 6), offer("https://A.example/T1", 5), offer("http://b.example/x", 7), offer("http://b.example/X", 7)})
	if err != nil || !slices.Equal(got, []rotate.StoreResult{rotate.KeyPresent, rotate.KeyPresent, rotate.KeyPresent, rotate.NoRow}) {
		t.Errorf("%v, %v", got, err)
	}
}

// In Turkish the small letter of I is not i: a database with that collation must find the rows too,
// although Moodle does not find those in capitals there.
func TestPeersAreFoundInADatabaseThatIsTurkish(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		s := siteIn(t, server, "mdl_")
		s.Exec(t, s.by("ALTER TABLE {mnet_host} MODIFY wwwroot VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_turkish_ci NOT NULL DEFAULT ''",
			`ALTER TABLE {mnet_host} ALTER COLUMN wwwroot TYPE VARCHAR(255) COLLATE "tr-TR-x-icu"`))
		s.row(t, 4, "https://a.example/Istanbul", 5)
		s.row(t, 5, "HTTPS://IZMIR.example", 5)
		keys := []rotate.HostKey{offer("https://a.example/Istanbul", 6), offer("https://izmir.example", 6), offer("https://a.example/istanbul", 6)}
		tenant := s.open(t)
		if ids, err := tenant.RowsNamed(t.Context(), "https://Izmir.example/"); err != nil || !slices.Equal(ids, []int64{5}) {
			t.Errorf("rows named so: %v, %v", ids, err)
		}
		before, err := tenant.ComparePeerKeys(t.Context(), keys)
		if err != nil || !slices.Equal(before, []rotate.StoreResult{rotate.KeyNone, rotate.RowNotFound, rotate.NoRow}) {
			t.Errorf("before: %v, %v", before, err)
		}
		kept, err := tenant.StorePeerKeys(t.Context(), keys)
		if err != nil || !slices.Equal(kept, []rotate.StoreResult{rotate.KeyStored, rotate.RowNotFound, rotate.NoRow}) || s.rows(t) != "4 v6 6, 5 v6 6" {
			t.Errorf("%v, %v, rows are %q", kept, err, s.rows(t))
		}
	})
}

func TestAPeerIsRegisteredBesideOneWhosePathDiffersInCase(t *testing.T) {
	t.Parallel()
	s := newSite(t, "mdl_")
	s.row(t, 4, "https://a.example/T1", 5)
	tenant := s.open(t)
	lower, err := tenant.RegisterPeer(t.Context(), rotate.Peer{Wwwroot: "https://a.example/t1", Certificate: "v6", Expires: 6})
	if err != nil || lower.ID == 4 || s.rows(t) != fmt.Sprintf("4 v5 5, %d v6 6", lower.ID) {
		t.Fatalf("%+v, %v, rows are %q", lower, err, s.rows(t))
	}
	for wwwroot, id := range map[string]int64{"https://A.example/T1": 4, "HTTPS://a.example/t1/": lower.ID} {
		if got, err := tenant.RegisterPeer(t.Context(), rotate.Peer{Wwwroot: wwwroot}); err != nil || got.ID != id {
			t.Errorf("%s: row %d, %v", wwwroot, got.ID, err)
		}
	}
}
