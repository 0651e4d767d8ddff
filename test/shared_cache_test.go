package test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

// A staging copy of a site got a local host row and a key of its own, but kept the original's
// siteidentifier and Redis: both sites have their settings in one entry. The key of the original
// must not come into the database of the copy, and its entry must stay.
func TestACopyThatSharesRedisWithTheOriginal(t *testing.T) {
	t.Parallel()
	original, staging := testbed.PHPSite(t, testbed.Options{Cache: testbed.RedisCache}), testbed.PHPSite(t, testbed.Options{Cache: testbed.RedisCache})
	muc := func(s *testbed.Site) string { return filepath.Join(s.Dataroot, "muc", "config.php") }
	text, err := os.ReadFile(muc(original))
	if err == nil {
		err = os.WriteFile(muc(staging), text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	staging.DB.Exec(t, "UPDATE {config} SET value = ? WHERE name = 'siteidentifier'", original.DB.Value(t, "SELECT value FROM {config} WHERE name = 'siteidentifier'"))
	staging.DB.Exec(t, "DELETE FROM {config_plugins} WHERE plugin = 'mnet' AND name = 'openssl_history'")
	staging.DB.Exec(t, "INSERT INTO {config_plugins} (plugin, name, value) VALUES ('mnet', 'openssl_history', ?)", serialized(t, []string{pairOf(t, original)}))
	renewIt(t, original).expect(t, 0)
	original.Purge(t)
	original.Warm(t)
	theirs := pairOf(t, original)
	unchanged(t, func() {
		for _, args := range [][]string{{}, {"push"}} {
			r := run1(t, command(t, append(args, "--config="+staging.ConfigFile)...))
			r.expect(t, 4, "the key of "+original.Wwwroot, "share one cache", "another prefix")
		}
	}, staging, original)
	// With a store of its own, the copy is a site like any other.
	if err := os.Remove(muc(staging)); err != nil {
		t.Fatal(err)
	}
	staging.Warm(t)
	renewIt(t, staging).expect(t, 0)
	if slices.Contains(historyOf(t, staging), theirs) {
		t.Error("the copy has the original's key")
	}
	renewIt(t, original).expect(t, 0)
	coherent(t, original)
}
