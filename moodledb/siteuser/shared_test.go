package siteuser

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// One of several users could otherwise have his code run as another, or have that user's keys read.
func TestRootTrustsNoConfigOfOneUserWithTheDatarootOfAnother(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root works on the sites of several users")
	}
	const one, other = 4241, 4242
	for name, c := range map[string]struct {
		config, directory, dataroot int // owners
		refused                     bool
	}{
		"all of root":                     {0, 0, 0, false},
		"all of one user":                 {one, one, one, false},
		"code of root":                    {0, 0, one, false},
		"config.php of another":           {other, 0, one, true},
		"a directory of another":          {0, other, one, true},
		"the owner's in another's":        {one, other, one, true},
		"a dataroot of root's":            {one, one, 0, true},
		"config.php of root in the owner": {0, one, one, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := code(t)
			file, data := filepath.Join(dir, "code/config.php"), filepath.Join(dir, "data")
			if err := errors.Join(os.Chown(file, c.config, -1), os.Chown(filepath.Dir(file), c.directory, -1), os.Chown(data, c.dataroot, -1)); err != nil {
				t.Fatal(err)
			}
			var shared *SharedError
			if err := CheckShared(file, data); errors.As(err, &shared) != c.refused {
				t.Errorf("checked: %v", err)
			}
			if _, err := ForPHP(file, data, "", true); errors.As(err, &shared) != c.refused {
				t.Errorf("for php: %v", err)
			}
			if _, err := ForPHP(file, data, "", false); errors.As(err, &shared) {
				t.Errorf("for php of a site alone: %v", err)
			}
		})
	}
	t.Run("a link", func(t *testing.T) {
		dir := code(t)
		link := filepath.Join(dir, "link.php")
		if err := errors.Join(os.Symlink("code/config.php", link), os.Lchown(link, other, other), os.Chown(filepath.Join(dir, "code/config.php"), one, one)); err != nil {
			t.Fatal(err)
		}
		if got := Writers(link); !slices.Equal(got, []uint32{one, other}) {
			t.Errorf("it can be replaced by %v", got)
		}
	})
	t.Run("no dataroot", func(t *testing.T) {
		if err := CheckShared("/none/config.php", "/none/data"); err != nil {
			t.Error(err)
		}
	})
}
