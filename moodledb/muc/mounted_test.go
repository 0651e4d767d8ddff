package muc

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/rotate"
)

// TestMissingDirectoriesAreNoClearCache runs on a machine without the site's mounts: it has no
// entry to remove, but the web server still has them all.
func TestMissingDirectoriesAreNoClearCache(t *testing.T) {
	tests := []struct {
		name   string
		adjust func(site, *location) // says where the site is
		what   string                // "": everything is there
		path   string                // relative to the test's directory
	}{
		{"a dataroot that is not there", func(s site, l *location) { l.Dataroot = filepath.Join(s.root, "gone") }, "dataroot", "gone"},
		{"a dataroot that is a file", func(s site, l *location) { l.Dataroot = s.write("file", "") }, "dataroot", "file"},
		{"a dataroot that links to nothing", func(s site, l *location) {
			l.Dataroot = filepath.Join(s.root, "link")
			if err := os.Symlink("gone", l.Dataroot); err != nil {
				s.t.Fatal(err)
			}
		}, "dataroot", "link"},
		{"a dataroot that is not there, its stores configured elsewhere", func(s site, l *location) {
			l.AltCacheConfigPath = s.write("alt/stores.php", fixtureText(s.t, "default-3.11"))
			l.Dataroot, l.CacheDir = filepath.Join(s.root, "gone"), s.root
		}, "dataroot", "gone"},
		{"a cachedir of its own", func(s site, l *location) { l.CacheDir = filepath.Join(s.root, "fast") }, "cachedir", "fast"},
		{"a cachedir of its own, which only the fallback uses", func(s site, l *location) {
			s.oneServer(testbed.Redis(s.t, "").Addr, "", "")
			l.CacheDir = filepath.Join(s.root, "fast")
		}, "cachedir", "fast"},
		{"a store's own path", func(s site, _ *location) {
			s.configure("stacked-5.0", "/srv/localcache", s.root+"/local", "127.0.0.1:6379", testbed.Redis(s.t, "").Addr)
		}, `path of cache store "local disk"`, "local"},
		{"a new site, whose cache Moodle has not made yet", func(site, *location) {}, "", ""},
		{"the same with the usual cachedir written out", func(s site, l *location) { l.CacheDir = s.root + "//cache/" }, "", ""},
		{"a cachedir of its own that is still empty", func(s site, l *location) { l.CacheDir = filepath.Dir(s.write("fast/.htaccess", "")) }, "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			where := s.location()
			test.adjust(s, &where)
			cache, checked := open(where, options{})
			dropped := checked
			if checked == nil {
				_, checked = cache.check(t.Context())
				_, dropped = cache.drop(t.Context(), rotate.ScopeEntry)
			}
			for _, err := range []error{checked, dropped} {
				if test.what == "" && err == nil {
					continue
				}
				var missing *MissingDirectoryError
				if !errors.As(err, &missing) || missing.What != test.what || missing.Path != filepath.Join(s.root, test.path) || !strings.Contains(missing.Hint(), "mounted here") {
					t.Errorf("got %v", err)
				}
			}
		})
	}
}

func TestDatarootThatGoesAwayIsNoClearCache(t *testing.T) {
	s := newSite(t)
	s.warm(defaultStore, md5Hex(identifier))
	cache := s.open()
	if err := os.Rename(s.root, s.root+".unmounted"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Rename(s.root+".unmounted", s.root) })
	for _, scope := range []rotate.Scope{rotate.ScopeEntry, rotate.ScopeDefinition} {
		var missing *MissingDirectoryError
		if _, err := cache.drop(t.Context(), scope); !errors.As(err, &missing) {
			t.Errorf("scope %s: %v", scope, err)
		}
	}
}
