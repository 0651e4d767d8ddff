package moodledb

import (
	"errors"
	"slices"
	"testing"

	"renew_mnetkeys/rotate"
)

// named shows mnet_host without the first three: id, wwwroot, certificate, and what is deleted.
func (s *site) named(t *testing.T) string {
	t.Helper()
	return s.Value(t, "SELECT GROUP_CONCAT(CONCAT_WS(' ', id, wwwroot, public_key, IF(deleted, 'deleted', NULL)) ORDER BY id SEPARATOR ', ') FROM {mnet_host} WHERE id > 3")
}

// Users refer to the id of a row (user.mnethostid), so the row of a site that has moved is renamed
// under its id, and no row is deleted or made.
func TestRowsOfASiteThatHasMovedAreRenamed(t *testing.T) {
	t.Parallel()
	const before, after = "http://a.example", "https://a.example"
	for name, c := range map[string]struct {
		prepare  string // after row 4 of the old wwwroot, with v5
		was      string
		compared rotate.StoreResult
		want     rotate.StoreResult
		again    rotate.StoreResult
		rows     string
	}{
		"the row gets the new wwwroot":       {"", before, rotate.RowNamedAsBefore, rotate.KeyStored, rotate.KeyPresent, "4 https://a.example v6"},
		"also if it has the certificate":     {"UPDATE {mnet_host} SET public_key = 'v6', public_key_expires = 6 WHERE id = 4", before, rotate.RowNamedAsBefore, rotate.KeyStored, rotate.KeyPresent, "4 https://a.example v6"},
		"in any spelling of host and scheme": {"UPDATE {mnet_host} SET wwwroot = 'HTTP://A.example/' WHERE id = 4", before, rotate.RowNamedAsBefore, rotate.KeyStored, rotate.KeyPresent, "4 https://a.example v6"},
		"the old wwwroot may have a slash":   {"", before + "/", rotate.RowNamedAsBefore, rotate.KeyStored, rotate.KeyPresent, "4 https://a.example v6"},
		"a path of another case is another":  {"UPDATE {mnet_host} SET wwwroot = 'http://a.example/M' WHERE id = 4", before + "/m", rotate.NoRow, rotate.NoRow, rotate.NoRow, "4 http://a.example/M v5"},
		"a site that has not moved":          {"", "", rotate.NoRow, rotate.NoRow, rotate.NoRow, "4 http://a.example v5"},
		"a deleted row stays":                {"UPDATE {mnet_host} SET deleted = 1 WHERE id = 4", before, rotate.RowDeleted, rotate.RowDeleted, rotate.RowDeleted, "4 http://a.example v5 deleted"},
		"it was renamed already": {"UPDATE {mnet_host} SET wwwroot = 'https://a.example' WHERE id = 4", before,
			rotate.KeyOther, rotate.KeyStored, rotate.KeyPresent, "4 https://a.example v6"},
		"a second row of the new wwwroot": {"INSERT INTO {mnet_host} (id, wwwroot, public_key, public_key_expires) VALUES (5, 'https://a.example', 'v4', 4)", before,
			rotate.RowTwice, rotate.RowTwice, rotate.RowTwice, "4 http://a.example v5, 5 https://a.example v6"},
		"a second row that is deleted": {"INSERT INTO {mnet_host} (id, wwwroot, public_key, public_key_expires, deleted) VALUES (5, 'https://a.example', 'v4', 4, 1)", before,
			rotate.RowTwice, rotate.RowTwice, rotate.RowTwice, "4 http://a.example v5, 5 https://a.example v4 deleted"},
		"only the old row is deleted": {"INSERT INTO {mnet_host} (id, wwwroot, public_key, public_key_expires) VALUES (5, 'https://a.example', 'v4', 4); UPDATE {mnet_host} SET deleted = 1 WHERE id = 4", before,
			rotate.KeyOther, rotate.KeyStored, rotate.KeyPresent, "4 http://a.example v5 deleted, 5 https://a.example v6"},
		"tables without transactions": {"ALTER TABLE {mnet_host} ENGINE=MyISAM", before, rotate.RowNamedAsBefore, rotate.KeyStored, rotate.KeyPresent, "4 https://a.example v6"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, "mdl_")
			s.row(t, 4, before, 5)
			if c.prepare != "" {
				s.Exec(t, c.prepare)
			}
			tenant, rows := s.open(t), s.named(t)
			moved, other := offer(after, 6), offer("https://peer.example", 6)
			moved.Was = c.was
			keys := []rotate.HostKey{other, moved}
			compared, err := tenant.ComparePeerKeys(t.Context(), keys)
			if err != nil || compared[1] != c.compared || s.named(t) != rows {
				t.Errorf("compared: %v, %v, rows are %q", compared, err, s.named(t))
			}
			for i, want := range []rotate.StoreResult{c.want, c.again} {
				got, err := tenant.StorePeerKeys(t.Context(), keys)
				if err != nil || got[1] != want || s.named(t) != c.rows {
					t.Errorf("run %d: %v, %v, rows are %q", i+1, got, err, s.named(t))
				}
			}
		})
	}
}

func TestASiteCannotHaveMovedFromAnotherSiteOfTheArray(t *testing.T) {
	t.Parallel()
	s := newSite(t, "mdl_")
	s.row(t, 4, "https://a.example", 5)
	moved := offer("https://b.example", 6)
	moved.Was = "https://a.example"
	if got, err := s.open(t).StorePeerKeys(t.Context(), []rotate.HostKey{moved, offer("https://a.example", 7)}); err == nil || s.named(t) != "4 https://a.example v5" {
		t.Errorf("%v, rows are %q", got, s.named(t))
	}
}

func TestRowsNamedFindsAllRowsOfAWwwroot(t *testing.T) {
	t.Parallel()
	s := newSite(t, "mdl_")
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
}

func TestStoreKeyRenamesTheLocalHostRowOfASiteThatHasMovedAndBack(t *testing.T) {
	t.Parallel()
	const before = "http://own.example/"
	s := newSite(t, "mdl_")
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
}
