package moodledb

import (
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/internal/testkey"
	"renew_mnetkeys/rotate"
)

// named shows mnet_host without the first three, with the names of certificates: id, wwwroot,
// certificate, and what is deleted.
func (s *site) named(t *testing.T, certificates map[string]*envelope.Certificate) string {
	t.Helper()
	rows := s.Rows(t, "SELECT CONCAT(id, ' ', wwwroot, ' ', public_key, CASE WHEN deleted = 0 THEN '' ELSE ' deleted' END) FROM {mnet_host} WHERE id > 3 ORDER BY id")
	for name, c := range certificates {
		rows = strings.ReplaceAll(rows, c.PEM, name)
	}
	return strings.ReplaceAll(rows, "\n", ", ")
}

// certificatesOf makes a certificate of a wwwroot for each of the names, all with one key.
func certificatesOf(t *testing.T, wwwroot string, names ...string) map[string]*envelope.Certificate {
	t.Helper()
	key := testkey.Key(1024)
	made := map[string]*envelope.Certificate{}
	for i, name := range names {
		pair, err := rotate.Certify(key, rotate.Subject{Wwwroot: wwwroot, Site: name}, time.Unix(int64(1800000000+i), 0), 28, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		made[name] = pair.Certificate
	}
	return made
}

// Users refer to the id of a row (user.mnethostid), so the row of a site that has moved is renamed
// under its id, and no row is deleted or made. A row of the old wwwroot may have become another
// site's, if the name was sold: it would lose the only certificate that the member has of it, and
// its users. It is the site's only if it has one of the site's certificates.
func TestRowsOfASiteThatHasMovedAreRenamed(t *testing.T) {
	t.Parallel()
	const before, after = "http://a.example", "https://a.example"
	const insert = "INSERT INTO {mnet_host} (id, wwwroot, public_key, public_key_expires, deleted) VALUES "
	known := certificatesOf(t, before, "OLD", "OLDER", "FOREIGN", "NEW")
	cases := map[string]struct {
		prepare         string // after row 4 of the old wwwroot, with the certificate OLD
		was             string
		compared, first rotate.StoreResult
		second          rotate.StoreResult
		rows            string
	}{
		"the row gets the new wwwroot":       {"", before, rotate.RowNamedAsBefore, rotate.KeyStored, rotate.KeyPresent, "4 https://a.example NEW"},
		"one of a retired key":               {"UPDATE {mnet_host} SET public_key = 'OLDER' WHERE id = 4", before, rotate.RowNamedAsBefore, rotate.KeyStored, rotate.KeyPresent, "4 https://a.example NEW"},
		"also if it has the certificate":     {"UPDATE {mnet_host} SET public_key = 'NEW' WHERE id = 4", before, rotate.RowNamedAsBefore, rotate.KeyStored, rotate.KeyPresent, "4 https://a.example NEW"},
		"in any spelling of the certificate": {"UPDATE {mnet_host} SET public_key = CONCAT(' ', 'OLD', ' ') WHERE id = 4", before, rotate.RowNamedAsBefore, rotate.KeyStored, rotate.KeyPresent, "4 https://a.example NEW"},
		"in any spelling of host and scheme": {"UPDATE {mnet_host} SET wwwroot = 'HTTP://A.example/' WHERE id = 4", before, rotate.RowNamedAsBefore, rotate.KeyStored, rotate.KeyPresent, "4 https://a.example NEW"},
		"the old wwwroot may have a slash":   {"", before + "/", rotate.RowNamedAsBefore, rotate.KeyStored, rotate.KeyPresent, "4 https://a.example NEW"},
		"a path of another case is another":  {"UPDATE {mnet_host} SET wwwroot = 'http://a.example/M' WHERE id = 4", before + "/m", rotate.NoRow, rotate.NoRow, rotate.NoRow, "4 http://a.example/M OLD"},
		"a site that has not moved":          {"", "", rotate.NoRow, rotate.NoRow, rotate.NoRow, "4 http://a.example OLD"},
		"a deleted row stays":                {"UPDATE {mnet_host} SET deleted = 1 WHERE id = 4", before, rotate.RowDeleted, rotate.RowDeleted, rotate.RowDeleted, "4 http://a.example OLD deleted"},
		"it was renamed already": {"UPDATE {mnet_host} SET wwwroot = 'https://a.example' WHERE id = 4", before,
			rotate.KeyOther, rotate.KeyStored, rotate.KeyPresent, "4 https://a.example NEW"},
		"a second row of the new wwwroot": {insert + "(5, 'https://a.example', 'OLDER', 4, 0)", before,
			rotate.RowTwice, rotate.RowTwice, rotate.RowTwice, "4 http://a.example OLD, 5 https://a.example NEW"},
		"a second row that is deleted": {insert + "(5, 'https://a.example', 'OLDER', 4, 1)", before,
			rotate.RowTwice, rotate.RowTwice, rotate.RowTwice, "4 http://a.example OLD, 5 https://a.example OLDER deleted"},
		"two rows of the old wwwroot, one deleted": {insert + "(5, 'http://a.example', 'OLDER', 4, 1)", before,
			rotate.RowTwice, rotate.RowTwice, rotate.RowTwice, "4 http://a.example OLD, 5 http://a.example OLDER deleted"},
		"and it is spelt otherwise": {insert + "(5, 'HTTP://A.example/', 'OLDER', 4, 1)", before,
			rotate.RowTwice, rotate.RowTwice, rotate.RowTwice, "4 http://a.example OLD, 5 HTTP://A.example/ OLDER deleted"},
		"another site's deleted one beside it": {insert + "(5, 'http://a.example', 'FOREIGN', 4, 1)", before,
			rotate.RowNamedAsBefore, rotate.KeyStored, rotate.KeyPresent, "4 https://a.example NEW, 5 http://a.example FOREIGN deleted"},
		"two rows of the old wwwroot": {insert + "(5, 'http://a.example', 'OLDER', 4, 0)", before,
			rotate.RowTwice, rotate.RowTwice, rotate.RowTwice, "4 https://a.example NEW, 5 https://a.example NEW"},
		"two rows of the new wwwroot": {insert + "(5, 'https://a.example', 'OLDER', 4, 0); UPDATE {mnet_host} SET wwwroot = 'https://a.example' WHERE id = 4", before,
			rotate.RowTwice, rotate.RowTwice, rotate.RowTwice, "4 https://a.example NEW, 5 https://a.example NEW"},
		"two rows of the new wwwroot, one deleted": {insert + "(5, 'https://a.example', 'OLDER', 4, 1); UPDATE {mnet_host} SET wwwroot = 'https://a.example' WHERE id = 4", before,
			rotate.RowTwice, rotate.RowTwice, rotate.RowTwice, "4 https://a.example NEW, 5 https://a.example OLDER deleted"},
		"only the old row is deleted": {insert + "(5, 'https://a.example', 'OLDER', 4, 0); UPDATE {mnet_host} SET deleted = 1 WHERE id = 4", before,
			rotate.KeyOther, rotate.KeyStored, rotate.KeyPresent, "4 http://a.example OLD deleted, 5 https://a.example NEW"},
		"a row of another site stays": {"UPDATE {mnet_host} SET public_key = 'FOREIGN' WHERE id = 4", before,
			rotate.RowNotOurs, rotate.RowNotOurs, rotate.RowNotOurs, "4 http://a.example FOREIGN"},
		"a row without a certificate shows nothing": {"UPDATE {mnet_host} SET public_key = '' WHERE id = 4", before,
			rotate.RowNotOurs, rotate.RowNotOurs, rotate.RowNotOurs, "4 http://a.example "},
		"a row whose certificate is unreadable": {"UPDATE {mnet_host} SET public_key = 'broken' WHERE id = 4", before,
			rotate.RowNotOurs, rotate.RowNotOurs, rotate.RowNotOurs, "4 http://a.example broken"},
		"a deleted row of another site": {"UPDATE {mnet_host} SET public_key = 'FOREIGN', deleted = 1 WHERE id = 4", before,
			rotate.RowNotOurs, rotate.RowNotOurs, rotate.RowNotOurs, "4 http://a.example FOREIGN deleted"},
		"another site's, beside one of the new wwwroot": {insert + "(5, 'https://a.example', 'OLD', 4, 0); UPDATE {mnet_host} SET public_key = 'FOREIGN' WHERE id = 4", before,
			rotate.KeyOther, rotate.KeyStored, rotate.KeyPresent, "4 http://a.example FOREIGN, 5 https://a.example NEW"},
		"another site's, beside the site's own": {insert + "(5, 'http://a.example', 'FOREIGN', 4, 0)", before,
			rotate.RowNamedAsBefore, rotate.KeyStored, rotate.KeyPresent, "4 https://a.example NEW, 5 http://a.example FOREIGN"},
		"tables without transactions": {"ALTER TABLE {mnet_host} ENGINE=MyISAM", before, rotate.RowNamedAsBefore, rotate.KeyStored, rotate.KeyPresent, "4 https://a.example NEW"},
	}
	var texts []string // the certificates in the place of their names
	for name, c := range known {
		texts = append(texts, "'"+name+"'", "'"+c.PEM+"'")
	}
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		s := siteIn(t, server, "mdl_")
		tenant := s.open(t)
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				s.Exec(t, "DELETE FROM {mnet_host} WHERE id > 3")
				s.Exec(t, insert+"(4, ?, ?, 5, 0)", before, known["OLD"].PEM)
				s.change(t, strings.NewReplacer(texts...).Replace(c.prepare))
				rows := s.named(t, known)
				moved, other := rotate.HostKey{Wwwroot: after, Certificate: known["NEW"], Was: c.was,
					Had: []*envelope.Certificate{known["OLD"], known["OLDER"]}}, offer("https://peer.example", 6)
				keys := []rotate.HostKey{other, moved}
				compared, err := tenant.ComparePeerKeys(t.Context(), keys)
				if err != nil || compared[1] != c.compared || s.named(t, known) != rows {
					t.Errorf("compared: %v, %v, rows are %q", compared, err, s.named(t, known))
				}
				for i, want := range []rotate.StoreResult{c.first, c.second} {
					got, err := tenant.StorePeerKeys(t.Context(), keys)
					if err != nil || got[1] != want || s.named(t, known) != c.rows {
						t.Errorf("run %d: %v, %v, rows are %q", i+1, got, err, s.named(t, known))
					}
				}
			})
		}
	})
}

func TestASiteCannotHaveMovedFromAnotherSiteOfTheArray(t *testing.T) {
	t.Parallel()
	s := newSite(t, "mdl_")
	s.row(t, 4, "https://a.example", 5)
	moved := offer("https://b.example", 6)
	moved.Was = "https://a.example"
	if got, err := s.open(t).StorePeerKeys(t.Context(), []rotate.HostKey{moved, offer("https://a.example", 7)}); err == nil || s.named(t, nil) != "4 https://a.example v5" {
		t.Errorf("%v, rows are %q", got, s.named(t, nil))
	}
}

func TestRowsNamedFindsAllRowsOfAWwwroot(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		s := siteIn(t, server, "mdl_")
		for i, wwwroot := range []string{"https://a.example/m", "HTTPS://A.example/m/", "https://a.example/M", "https://b.example"} {
			s.row(t, 4+i, wwwroot, 5)
		}
		s.Exec(t, "UPDATE {mnet_host} SET deleted = 1 WHERE id = 5")
		tenant := s.open(t)
		for wwwroot, want := range map[string][]int64{"https://a.example/m": {4, 5}, "https://A.example/M": {6}, ownWwwroot: {1}, "https://c.example": nil} {
			if got, err := tenant.RowsNamed(t.Context(), wwwroot); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: %v, %v", wwwroot, got, err)
			}
		}
	})
}

func TestStoreKeyRenamesTheLocalHostRowOfASiteThatHasMovedAndBack(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		const before = "http://own.example/"
		s := siteIn(t, server, "mdl_")
		s.Exec(t, "UPDATE {mnet_host} SET wwwroot = ? WHERE id = 1", before)
		tenant := s.open(t)
		row := func() string {
			return s.Value(t, "SELECT CONCAT(wwwroot, ' ', public_key) FROM {mnet_host} WHERE id = 1")
		}
		old := read(t, tenant)
		old.Wwwroot, old.Configured = before, old.Wwwroot
		change := renewal(old)
		change.Wwwroot = ownWwwroot
		if err := storeKey(t.Context(), tenant, change); err != nil || row() != ownWwwroot+" "+newCert {
			t.Fatalf("%v, the row is %q", err, row())
		}
		// A run that has read the old row before must not write.
		if err := storeKey(t.Context(), tenant, change); !errors.Is(err, rotate.ErrConflict) {
			t.Errorf("a second time: %v", err)
		}
		now := read(t, tenant)
		back := keyChange{now, rotate.Keys{Stored: old.Pair, Expires: 1800000000, Wwwroot: before,
			History: []rotate.Retired{{Stored: change.Stored, Expires: 1}}}}
		if err := storeKey(t.Context(), tenant, back); err != nil || row() != before+" "+ownCert {
			t.Errorf("%v, the row is %q", err, row())
		}
	})
}
