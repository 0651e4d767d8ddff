package muc

import (
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/rotate"
)

func TestMissingRightsNameThePathAndTheOwner(t *testing.T) {
	if !unprivileged(t) {
		return
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	entries := func(s site) string {
		gone, _ := s.warm(defaultStore, md5Hex(identifier))
		return gone[0]
	}
	tests := []struct {
		name  string
		close func(site) string // returns the directory from which it took the rights
		mode  os.FileMode
		scope rotate.Scope
	}{
		{"an entry's directory is not writable", func(s site) string { return filepath.Dir(entries(s)) }, 0o555, rotate.ScopeEntry},
		{"an entry's directory is closed", func(s site) string { return filepath.Dir(entries(s)) }, 0, rotate.ScopeEntry},
		{"an entry's directory is not writable, all of the definition", func(s site) string { return filepath.Dir(entries(s)) }, 0o555, rotate.ScopeDefinition},
		{"an entry's directory is closed, all of the definition", func(s site) string { return filepath.Dir(entries(s)) }, 0, rotate.ScopeDefinition},
		{"the definition is closed", func(s site) string { entries(s); return filepath.Join(s.root, defaultStore) }, 0, rotate.ScopeEntry},
		{"the cache directory is closed", func(s site) string { entries(s); return filepath.Join(s.root, "cache") }, 0, rotate.ScopeDefinition},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			dir := test.close(s)
			if err := os.Chmod(dir, test.mode); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.Chmod(dir, 0o755) })
			cache := s.open()
			_, checked := cache.check(t.Context())
			_, dropped := cache.drop(t.Context(), test.scope)
			for _, err := range []error{checked, dropped} {
				var missing *PermissionError
				if !errors.As(err, &missing) || !errors.Is(err, os.ErrPermission) {
					t.Fatalf("want a PermissionError, got %v", err)
				}
				// To run again as the owner would not help the owner.
				if !strings.HasPrefix(missing.Path, dir) || missing.Owner != me.Username || !strings.HasPrefix(missing.Hint(), "this user is the owner") {
					t.Errorf("got %v, owner %s, hint %s", missing, missing.Owner, missing.Hint())
				}
				if missing.Own = false; !strings.Contains(missing.Hint(), "sudo -u "+me.Username) {
					t.Errorf("for another user: %s", missing.Hint())
				}
			}
		})
	}
}

// This is another site's entry that this user may remove but not read: its own web server can read
// it, and may have its key from nowhere else.
func TestAnEntryThatCannotBeReadIsSparedAtScopeDefinition(t *testing.T) {
	if !unprivileged(t) {
		return
	}
	s := newSite(t)
	s.warm(defaultStore, md5Hex(identifier))
	const other = defaultStore + "/abc-cache/abcdef.cache"
	s.write(other, strings.Repeat("pair of another site", 100))
	path := filepath.Join(s.root, other)
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	s.drop(rotate.ScopeDefinition)
	if _, err := os.Lstat(path); err != nil {
		t.Error(err)
	}
}

func TestSitesThatCannotBeSeenArePermissionErrors(t *testing.T) {
	if !unprivileged(t) {
		return
	}
	for name, closed := range map[string]string{"the configuration file is closed": "muc/config.php", "the directory of the dataroot is closed": ""} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.write("site/muc/config.php", "<?php $configuration = array();")
			where := location{Dataroot: filepath.Join(s.root, "site")}
			path := filepath.Join(where.Dataroot, closed)
			shut := path
			if closed == "" {
				shut = s.root
			}
			if err := os.Chmod(shut, 0); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.Chmod(shut, 0o755) })
			_, err := open(where, options{})
			var missing *PermissionError
			if !errors.As(err, &missing) || missing.Path != path || missing.Owner == "" || !errors.Is(err, os.ErrPermission) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestDirectoriesThatMayNotBeWrittenAreNotAltcacheconfigpath(t *testing.T) {
	if !unprivileged(t) {
		return
	}
	s := newSite(t)
	s.write("alt/cacheconfig.php", "<?php $configuration = array();")
	alternative := filepath.Join(s.root, "alt")
	if err := os.Chmod(alternative, 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(alternative, 0o755) })
	where := s.location()
	for _, path := range []string{alternative, alternative + "/cacheconfig.php", alternative + "/new.php"} {
		where.AltCacheConfigPath = path
		// It behaves like Moodle, which needs to write there and otherwise uses the usual place.
		if got, err := configPath(where); err != nil || got != filepath.Join(s.root, "muc/config.php") {
			t.Errorf("%s leads to %s, %v", path, got, err)
		}
	}
}

// Root may write everywhere, but the web server may not.
func TestRootJudgesAltcacheconfigpathByTheRightsOfTheWebServer(t *testing.T) {
	if os.Geteuid() != 0 {
		testbed.Missing(t, "only root can give files away")
	}
	dir, err := os.MkdirTemp("", "muc") // t.TempDir is closed to others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := site{t, filepath.Join(dir, "data")}
	usual := s.write("muc/config.php", "<?php $configuration = array();")
	closed := site{t, filepath.Join(dir, "closed")}.write("cacheconfig.php", "")
	open := site{t, filepath.Join(dir, "open")}.write("cacheconfig.php", "")
	for _, err := range []error{os.Chmod(dir, 0o755), os.Chown(s.root, 33, 33), os.Chown(filepath.Dir(open), 33, 33), os.Chown(open, 33, 33), os.Chmod(filepath.Dir(closed), 0o755)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	where := s.location()
	for path, want := range map[string]string{
		filepath.Dir(open): open, open: open, filepath.Join(dir, "open/new.php"): filepath.Join(dir, "open/new.php"),
		filepath.Dir(closed): usual, closed: usual, filepath.Join(dir, "closed/new.php"): usual, "relative": "",
	} {
		where.AltCacheConfigPath = path
		got, err := configPath(where)
		if got != want || (err == nil) != (want != "") || err != nil && !errors.As(err, new(*ConfigError)) {
			t.Errorf("%s leads to %s, %v", path, got, err)
		}
	}
	// It is not visible whose site it is.
	where.AltCacheConfigPath = filepath.Dir(open)
	for _, err := range []error{os.Chown(s.root, 0, 0), os.Chmod(s.root, 0o777)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if got, err := configPath(where); !errors.As(err, new(*ConfigError)) {
		t.Errorf("%s, %v", got, err)
	}
}

// Nobody can write there, so no user and no hook is advised.
func TestAFileSystemThatIsReadOnlyIsNamed(t *testing.T) {
	err := fileStore{instance: instance{name: "default"}, dir: "/cache"}.failure("x", &fs.PathError{Op: "unlinkat", Path: "x", Err: syscall.EROFS})
	if hint := adviceFor(err); stateOf(err) != rotate.CacheNotWritable || !strings.Contains(hint, "make the file system of the cache writable") || strings.Contains(hint, "sudo") {
		t.Errorf("%v, %s, hint %q", err, stateOf(err), hint)
	}
}
