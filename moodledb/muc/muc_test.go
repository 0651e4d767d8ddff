package muc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/moodledb"
	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/rotate"
)

func TestMain(m *testing.M) { testbed.Main(m) }

// siteCache is the cache of one site.
type siteCache struct {
	*Cache
	site string // its identifier
}

func (c siteCache) Drop(ctx context.Context, scope rotate.Scope) error {
	return c.Cache.Drop(ctx, c.site, scope)
}

func (c siteCache) Check(ctx context.Context) error { return c.Cache.Check(ctx, c.site) }

func (c siteCache) Cached(ctx context.Context, withPHP bool) ([]rotate.Retired, error) {
	return c.Cache.Cached(ctx, c.site, withPHP)
}

// cacheOfSite is the site's cache as a run reads it. php is "" for none.
func cacheOfSite(t *testing.T, site *testbed.Site, php string) siteCache {
	t.Helper()
	tenant, err := config.Read(t.Context(), site.ConfigFile, config.Options{PHP: php})
	if err != nil {
		t.Fatal(err)
	}
	db, err := moodledb.Open(t.Context(), tenant)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	read, err := db.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return siteCache{&Cache{config: tenant, php: php, log: zerolog.Nop()}, read.SiteIdentifier}
}

const thePair = "SELECT value FROM {config_plugins} WHERE plugin = 'mnet' AND name = 'openssl'"

func texts(pairs []rotate.Retired) []string {
	var all []string
	for _, p := range pairs {
		all = append(all, p.Certificate+"@@@@@@@@"+p.PrivateKey)
	}
	return all
}

// TestTheCacheShowsAPairThatStandsNowhereElse is about the state that VMoodle's PHP script leaves.
func TestTheCacheShowsAPairThatStandsNowhereElse(t *testing.T) {
	php := testbed.PHP(t)
	for _, kind := range []testbed.Cache{testbed.FileCache, testbed.RedisCache, testbed.StackedCache} {
		site := testbed.PHPSite(t, testbed.Options{Cache: kind, RedisPassword: "S3cret", RedisPrefix: "lms_"})
		for _, withPHP := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, by php: %t", kind, withPHP), func(t *testing.T) {
				site.Purge(t)
				cache := cacheOfSite(t, site, php)
				if pairs, err := cache.Cached(t.Context(), withPHP); len(pairs) != 0 || err != nil {
					t.Errorf("nothing is cached: %q, %v", texts(pairs), err)
				}
				site.Warm(t)
				only := site.DB.Value(t, thePair)
				site.BrokenPHPRenewal(t)
				for range 2 { // reading leaves it there
					pairs, err := cache.Cached(t.Context(), withPHP)
					if got := texts(pairs); err != nil || len(got) != 1 || got[0] != only || got[0] == site.DB.Value(t, thePair) {
						t.Errorf("%d pairs, %v", len(got), err)
					}
				}
			})
		}
	}
}

// TestAStackedCacheIsNotFilledByReadingIt has the entry in the lower store alone.
func TestAStackedCacheIsNotFilledByReadingIt(t *testing.T) {
	site := testbed.PHPSite(t, testbed.Options{Cache: testbed.StackedCache})
	site.Warm(t)
	if err := site.Redis.Client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	pairs, err := cacheOfSite(t, site, testbed.PHP(t)).Cached(t.Context(), true)
	if err != nil || len(pairs) != 1 {
		t.Errorf("%d pairs, %v", len(pairs), err)
	}
	hash, err := site.Redis.Client.HGetAll(t.Context(), "1b088c226629b3fa247ff7ef67dad266").Result()
	for _, entry := range hash {
		if err != nil || strings.Contains(entry, "PRIVATE KEY") {
			t.Errorf("the upper store was filled: %v", err)
		}
	}
}

func TestTheCacheShowsRetiredPairsToo(t *testing.T) {
	site := testbed.PHPSite(t, testbed.Options{})
	first := site.DB.Value(t, thePair)
	site.Renew(t, testbed.Renewal{})
	site.Purge(t)
	site.Warm(t)
	pairs, err := cacheOfSite(t, site, "").Cached(t.Context(), true) // no php: readable stores only
	if got := texts(pairs); err != nil || len(got) != 2 || got[0] != site.DB.Value(t, thePair) || got[1] != first {
		t.Errorf("%d pairs, %v", len(got), err)
	}
}

func TestAnEntryThatCannotBeReadIsAnError(t *testing.T) {
	site := testbed.PHPSite(t, testbed.Options{})
	site.Warm(t)
	files, err := filepath.Glob(filepath.Join(site.Dataroot, "cache/cachestore_file/default_application/core_config/*-cache/*.cache"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if err := os.WriteFile(file, []byte(`{"openssl":"S3cret"}`), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	pairs, err := cacheOfSite(t, site, "").Cached(t.Context(), false)
	var unreadable *UnreadableError
	if len(pairs) != 0 || !errors.As(err, &unreadable) || unreadable.Store != "default_application" || strings.Contains(err.Error(), "S3cret") {
		t.Errorf("%d pairs, %v", len(pairs), err)
	}
}

// Without any php, each of these caches is known here, or is reported as out of reach.
func TestWithoutPHPACacheIsKnownOrNotTakenForDropped(t *testing.T) {
	t.Parallel()
	for _, c := range testbed.CacheSetups {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			own, _ := c.Start(t)
			cache := cacheOfSite(t, own, "")
			for _, scope := range []rotate.Scope{rotate.ScopeEntry, rotate.ScopeDefinition, rotate.ScopePHP} {
				if err := cache.Drop(t.Context(), scope); errors.Is(err, rotate.ErrCacheManual) != c.Unknown || !c.Unknown && err != nil {
					t.Errorf("%v", err)
				}
			}
			if err := cache.Check(t.Context()); errors.Is(err, rotate.ErrCacheManual) != c.Unknown {
				t.Errorf("%v", err)
			}
			_, err := cache.Cached(t.Context(), true)
			if (err != nil) != c.Unknown {
				t.Errorf("%v", err)
			}
		})
	}
}
