package siteuser

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// code is a site that belongs to root: config.php, lib/setup.php, and a dataroot beside it.
func code(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range []string{"code/config.php", "code/lib/setup.php", "data/muc/config.php", "data/cache/x"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestRootRunsASiteOfItsOwnOnlyWhereNobodyElseCanWriteIt(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root could run what others have written as root")
	}
	chmod := func(name string, mode os.FileMode) func(string) error {
		return func(dir string) error { return os.Chmod(filepath.Join(dir, name), mode) }
	}
	chown := func(name string, uid, gid int) func(string) error {
		return func(dir string) error { return os.Lchown(filepath.Join(dir, name), uid, gid) }
	}
	for name, test := range map[string]struct {
		change func(dir string) error
		unsafe string // the path named in the error, relative; "": it is safe
	}{
		"as it is":                            {func(string) error { return nil }, ""},
		"a file that its group, root, writes": {chmod("code/config.php", 0o664), ""},
		"config.php is another's":             {chown("code/config.php", 33, 33), "code/config.php"},
		"config.php can be written":           {chmod("code/config.php", 0o666), "code/config.php"},
		"lib/setup.php is another's":          {chown("code/lib/setup.php", 33, 0), "code/lib/setup.php"},
		"its directory is another's":          {chown("code/lib", 33, 0), "code/lib"},
		"a directory can be written":          {chmod("code/lib", 0o777), "code/lib"},
		"though it is sticky":                 {chmod("code/lib", 0o777|os.ModeSticky), "code/lib"},
		"the directory of the code":           {chown("code", 33, 0), "code"},
		"the directory above":                 {chmod(".", 0o777), "."},
		"the directory above, but sticky":     {chmod(".", 0o777|os.ModeSticky), ""},
		"dataroot can be written":             {chmod("data", 0o777), "data"},
		"the caches' configuration":           {chown("data/muc/config.php", 33, 33), "data/muc/config.php"},
		"a directory of dataroot":             {chown("data/cache", 33, 33), "data/cache"},
		"no dataroot":                         {func(dir string) error { return os.RemoveAll(filepath.Join(dir, "data")) }, ""},
		"a dataroot that is a file": {func(dir string) error {
			return errors.Join(os.RemoveAll(filepath.Join(dir, "data")), os.WriteFile(filepath.Join(dir, "data"), nil, 0o644))
		}, "data"},
		"a group may write": {func(dir string) error {
			return errors.Join(os.Chown(filepath.Join(dir, "code/config.php"), 0, 33), os.Chmod(filepath.Join(dir, "code/config.php"), 0o664))
		}, "code/config.php"},
		"a link of another's": {func(dir string) error {
			return errors.Join(os.Symlink("lib/setup.php", filepath.Join(dir, "code/x.php")), os.Lchown(filepath.Join(dir, "code/x.php"), 33, 33))
		}, "code/x.php"},
		"a link of root's": {func(dir string) error { return os.Symlink("/etc/passwd", filepath.Join(dir, "code/x.php")) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := code(t)
			if err := test.change(dir); err != nil {
				t.Fatal(err)
			}
			got, err := ForPHP(filepath.Join(dir, "code/config.php"), filepath.Join(dir, "data"), "", false)
			var unsafe *UnsafeError
			switch {
			case test.unsafe == "":
				if err != nil || got.Credential != nil || len(got.Within) == 0 {
					t.Errorf("%+v, %v", got, err)
				}
			case !errors.As(err, &unsafe) || unsafe.Path != filepath.Join(dir, test.unsafe) || unsafe.Hint() == "":
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestConfigThroughALinkIsLookedAtWhereItLeads(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root could run what others have written as root")
	}
	dir, etc := code(t), t.TempDir()
	path := filepath.Join(dir, "code/config.php")
	if err := errors.Join(os.Rename(path, filepath.Join(etc, "config.php")), os.Symlink(filepath.Join(etc, "config.php"), path)); err != nil {
		t.Fatal(err)
	}
	if _, err := ForPHP(path, filepath.Join(dir, "data"), "", false); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(filepath.Join(etc, "config.php"), 33, 33); err != nil {
		t.Fatal(err)
	}
	if got, err := ForPHP(path, filepath.Join(dir, "data"), "", false); !errors.As(err, new(*UnsafeError)) {
		t.Errorf("%+v, %v", got, err)
	}
}
