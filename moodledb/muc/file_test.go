package muc

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/rotate"
)

func TestFileStoreDropsItsEntries(t *testing.T) {
	ours := md5Hex(identifier)
	const clone = "0123456789abcdef0123456789abcdef"
	single := func(dir, id, key string) string { return filepath.Join(dir, entryName(id, key)+".cache") }
	tests := []struct {
		name      string
		configure func(site)
		adjust    func(site, *location)
		dir       string // of the definition, relative to the dataroot
		id        string
		path      func(dir, id, key string) string
	}{
		{name: "default store without a configuration file", dir: defaultStore, id: ours},
		{name: "default store of 3.11", configure: func(s site) { s.configure("default-3.11") }, dir: defaultStore, id: ours},
		{name: "cachedir outside of the dataroot's cache", configure: func(s site) { s.configure("default-3.11") },
			adjust: func(s site, l *location) { l.CacheDir = filepath.Join(s.root, "fast") },
			dir:    "fast/cachestore_file/default_application/core_config", id: ours},
		{name: "cloned site, whose muc/config.php has the identifier of its origin",
			configure: func(s site) { s.configure("default-3.11", ours, clone) }, dir: defaultStore, id: clone},
		{name: "new site, whose identifier is not written yet", configure: func(s site) { s.configure("new-site-4.1") }, dir: defaultStore, id: "unknown"},
		{name: "shared with all sites",
			configure: func(s site) {
				s.configure("default-3.11", "'area' => 'config',\n      'selectedsharingoption' => 2", "'area' => 'config',\n      'selectedsharingoption' => 1")
			}, dir: defaultStore, id: ""},
		{name: "shared by key",
			configure: func(s site) {
				s.configure("default-3.11", "'area' => 'config',\n      'selectedsharingoption' => 2,\n      'userinputsharingkey' => ''",
					"'area' => 'config',\n      'selectedsharingoption' => 8,\n      'userinputsharingkey' => 'blue'")
			}, dir: defaultStore, id: "blue"},
		{name: "own path, single directory",
			configure: func(s site) {
				s.configure("stacked-5.0", "/srv/localcache", s.root+"/local", "127.0.0.1:6379", testbed.Redis(s.t, "").Addr)
			},
			dir: "local/core_config", id: ours, path: single},
		{name: "a name with blanks becomes a directory without",
			configure: func(s site) { s.configure("default-3.11", "'default_application'", "'Été: main (1)'") },
			dir:       "cache/cachestore_file/tmain1/core_config", id: ours},
		{name: "altcacheconfigpath is a directory",
			configure: func(s site) {
				s.write("alt/cacheconfig.php", fixtureText(s.t, "default-3.11", ours, clone))
				s.configure("default-3.11")
			},
			adjust: func(s site, l *location) { l.AltCacheConfigPath = filepath.Join(s.root, "alt") }, dir: defaultStore, id: clone},
		{name: "altcacheconfigpath is a file",
			configure: func(s site) {
				s.write("alt/stores.php", fixtureText(s.t, "default-3.11", ours, clone))
				s.configure("default-3.11")
			},
			adjust: func(s site, l *location) { l.AltCacheConfigPath = filepath.Join(s.root, "alt/stores.php") }, dir: defaultStore, id: clone},
		{name: "altcacheconfigpath is nowhere, so the usual file counts", configure: func(s site) { s.configure("default-3.11", ours, clone) },
			adjust: func(s site, l *location) { l.AltCacheConfigPath = filepath.Join(s.root, "no/such/place") }, dir: defaultStore, id: clone},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, path := newSite(t), entry
			if test.configure != nil {
				test.configure(s)
			}
			if test.path != nil {
				path = test.path
			}
			where := s.location()
			if test.adjust != nil {
				test.adjust(s, &where)
			}
			mnet, core := s.write(path(test.dir, test.id, "mnet"), "x"), s.write(path(test.dir, test.id, "core"), "x")
			other := s.write(path(test.dir, test.id, "theme_boost"), "x")
			cache, err := open(where, options{})
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []int{2, 0} { // the second time nothing is there, which is a success
				r, err := cache.drop(t.Context(), rotate.ScopeEntry)
				if err != nil || removed(r) != want {
					t.Errorf("removed %d, want %d; error %v", removed(r), want, err)
				}
			}
			s.absent(mnet, core)
			s.present(other)
		})
	}
}

func TestFileStoreWithAsyncpurgeReadsTheRevisionOfItsLastPurge(t *testing.T) {
	s := newSite(t)
	s.configure("stacked-5.0", "/srv/localcache", s.root+"/local", "127.0.0.1:6379", testbed.Redis(t, "").Addr)
	s.write("local/core_config/.htaccess", "") // the path of another store
	const dir = "cache/cachestore_file/asyncdisk/core_config"
	stamp := s.write(dir+"/.lastpurged", "")
	purged := time.Date(2025, 3, 9, 1, 2, 3, 0, time.UTC)
	if err := os.Chtimes(stamp, purged, purged.In(time.FixedZone("", 7200))); err != nil {
		t.Fatal(err)
	}
	now, _ := s.warm(dir+"/20250309010203", md5Hex(identifier))
	old, _ := s.warm(dir+"/20240101000000", md5Hex(identifier))
	s.drop(rotate.ScopeEntry)
	s.absent(now...)
	s.present(old...)
	s.drop(rotate.ScopeDefinition)
	s.absent(old...)
	s.present(stamp)
}

func TestFileStoreWithAsyncpurgeThatWasNeverPurgedHasNoEntry(t *testing.T) {
	s := newSite(t)
	s.configure("stacked-5.0", "/srv/localcache", s.root+"/local", "127.0.0.1:6379", testbed.Redis(t, "").Addr)
	s.write("local/core_config/.htaccess", "")
	old, _ := s.warm("cache/cachestore_file/asyncdisk/core_config/20240101000000", md5Hex(identifier))
	if _, err := s.open().check(t.Context()); err != nil {
		t.Error(err)
	}
	s.drop(rotate.ScopeEntry)
	s.present(old...)
}

func TestFileStoreLeavesTheRestWhenTheRunIsCancelled(t *testing.T) {
	s := newSite(t)
	entries, other := s.warm(defaultStore, md5Hex(identifier))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.open().stores[0].drop(ctx, rotate.ScopeDefinition); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	s.present(append(entries, other)...)
}

func TestFileStoreAtScopeDefinitionLosesItsCacheFilesAndNothingElse(t *testing.T) {
	s := newSite(t)
	entries, other := s.warm(defaultStore, md5Hex(identifier))
	stray := s.write(defaultStore+"/from_an_old_layout.cache", "x")
	temporary := s.write(defaultStore+"/07a-cache/upload.temp", "x")
	strings := s.write("cache/cachestore_file/default_application/core_string/abc-cache/abc.cache", "x")
	named := filepath.Join(s.root, defaultStore, "directory.cache")
	if err := os.Mkdir(named, 0o755); err != nil {
		t.Fatal(err)
	}
	outside := s.write("filedir/kept.cache", "x")
	for link, target := range map[string]string{"out": filepath.Dir(outside), "out.cache": outside, "up": "../../../../filedir"} {
		if err := os.Symlink(target, filepath.Join(s.root, defaultStore, link)); err != nil {
			t.Fatal(err)
		}
	}
	if r := s.drop(rotate.ScopeDefinition); removed(r) != 5 { // including the link out.cache itself
		t.Errorf("removed %d", removed(r))
	}
	s.absent(append(entries, other, stray)...)
	s.present(temporary, strings, named, outside, filepath.Dir(entries[0]))
}

func TestFileStoreDoesNotFollowALinkOutOfTheCache(t *testing.T) {
	for _, scope := range []rotate.Scope{rotate.ScopeEntry, rotate.ScopeDefinition} {
		t.Run(scope.String(), func(t *testing.T) {
			s := newSite(t)
			entries, _ := s.warm("elsewhere", md5Hex(identifier))
			link := filepath.Join(s.root, defaultStore)
			if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(filepath.Join(s.root, "elsewhere"), link); err != nil {
				t.Fatal(err)
			}
			_, err := s.open().drop(t.Context(), scope)
			var unreachable *UnreachableError
			if !errors.As(err, &unreachable) || unreachable.Hint() == "" {
				t.Errorf("want an UnreachableError with a hint, got %v", err)
			}
			s.present(entries...)
		})
	}
}

func TestVersionSharedEntriesAreDroppedByDefinition(t *testing.T) {
	s := newSite(t)
	s.configure("default-3.11", "'area' => 'config',\n      'selectedsharingoption' => 2", "'area' => 'config',\n      'selectedsharingoption' => 4")
	entries, other := s.warm(defaultStore, "2024100700")
	r := s.drop(rotate.ScopeEntry)
	s.absent(append(entries, other)...)
	if got := r.Stores[0]; got.Scope != rotate.ScopeDefinition || got.Why == "" || r.Scope != rotate.ScopeEntry {
		t.Errorf("the report does not say that it was widened: %+v", r)
	}
}
