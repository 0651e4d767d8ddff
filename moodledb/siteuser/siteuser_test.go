package siteuser

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

func TestOwnerAndReaderOfAFile(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, who alone can give files away")
	}
	if u, err := user.Lookup("www-data"); err != nil || u.Uid != "33" || u.Gid != "33" {
		testbed.Missing(t, "this system has no www-data with id 33")
	}
	tests := map[string]struct {
		uid, gid      int
		mode          os.FileMode
		owner, reader string
		group         uint32 // of the reader
	}{
		"the web server's own":             {33, 33, 0o600, "www-data", "www-data", 33},
		"root's, for the server's group":   {0, 33, 0o640, "root", "www-data", 33},
		"root's alone":                     {0, 33, 0o600, "root", "root", 0},
		"root's for all":                   {0, 0, 0o644, "root", "root", 0},
		"root's, for a group without user": {0, 54321, 0o640, "root", "root", 0},
		"given away without its group":     {33, 0, 0o640, "www-data", "www-data", 33},
		"an account without a name":        {54321, 54322, 0o600, "#54321", "#54321", 54322},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config.php")
			for _, err := range []error{os.WriteFile(path, nil, 0o600), os.Chown(path, test.uid, test.gid), os.Chmod(path, test.mode)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			if got := Owner(path).String(); got != test.owner {
				t.Errorf("owner %s", got)
			}
			if got := Reader(path); got.String() != test.reader || got.GID != test.group {
				t.Errorf("reader %v of group %d", got, got.GID)
			}
		})
	}
}

func TestOwnerOfWhatCannotBeSeenIsThatOfTheDirectoryAbove(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink("nowhere", filepath.Join(dir, "dangling")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "absent", "absent/below/that", "dangling"} {
		if got := Owner(filepath.Join(dir, name)).String(); got != me.Username {
			t.Errorf("%q belongs to %s", name, got)
		}
	}
}

func TestGroupsAreThoseOfTheAccount(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	want, err := me.GroupIds()
	if err != nil {
		t.Fatal(err)
	}
	got := Owner(t.TempDir()).Groups()
	has := map[string]bool{}
	for _, gid := range got {
		has[fmt.Sprint(gid)] = true
	}
	for _, gid := range want {
		if !has[gid] {
			t.Errorf("%v lack %s", got, gid)
		}
	}
	if len(has) != len(got) || fmt.Sprint(got[0]) != me.Gid {
		t.Errorf("%v, want %s first and none twice", got, me.Gid)
	}
	if got := (User{54321, 54322}).Groups(); len(got) != 1 || got[0] != 54322 {
		t.Errorf("an account without a name is in %v", got)
	}
}
