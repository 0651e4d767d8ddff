package config

import (
	"errors"
	"path/filepath"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

const plainConfig = "<?php $CFG = new stdClass(); $CFG->dbtype='mysqli'; $CFG->dbhost='h'; $CFG->dbname='n'; $CFG->dbuser='u'; $CFG->dbpass='p'; $CFG->prefix='mdl_';" +
	"$CFG->wwwroot='http://x'; $CFG->dataroot='/d';\n"

func TestTheCacheFactoryIsReadWithWhatItReads(t *testing.T) {
	t.Parallel()
	php := testbed.PHP(t)
	const forced = "$CFG->alternative_cache_factory_class = 'tool_forcedcache_cache_factory';\n"
	for name, c := range map[string]struct {
		source, php           string
		factory, path, server string
		refused               bool
	}{
		"none":       {source: "$CFG->tool_forcedcache_config_path = '/x.json';"},
		"another":    {source: `$CFG->alternative_cache_factory_class = 'local_x\factory';`, factory: `local_x\factory`},
		"a file":     {source: forced + "$CFG->tool_forcedcache_config_path = $CFG->dataroot . '/x.json';", factory: "tool_forcedcache_cache_factory", path: "/d/x.json"},
		"an array":   {source: forced + "$CFG->tool_forcedcache_config_array = ['server' => 'redis:6379'];", factory: "tool_forcedcache_cache_factory", server: "redis:6379"},
		"computed":   {source: forced + "$CFG->tool_forcedcache_config_array = ['server' => sprintf('%s:%d', 'redis', 6379)];", php: php, factory: "tool_forcedcache_cache_factory", server: "redis:6379"},
		"no php":     {source: forced + "$CFG->tool_forcedcache_config_array = ['server' => sprintf('%s:%d', 'redis', 6379)];", refused: true},
		"which, php": {source: "$CFG->alternative_cache_factory_class = strrev('yrotcaf');", php: php, factory: "factory"},
		"which":      {source: "$CFG->alternative_cache_factory_class = strrev('yrotcaf');", refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "config.php")
			write(t, file, plainConfig+c.source+"\nrequire_once(__DIR__ . '/lib/setup.php');\n")
			config, err := Read(t.Context(), file, Options{PHP: c.php})
			var unusable *Error
			if c.refused {
				if !errors.As(err, &unusable) {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if config.CacheFactory != c.factory || config.ForcedCachePath != c.path || config.ForcedCache.Get("server").Text() != c.server {
				t.Errorf("%q, %q, %q", config.CacheFactory, config.ForcedCachePath, config.ForcedCache.Get("server").Text())
			}
		})
	}
}
