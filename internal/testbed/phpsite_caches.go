package testbed

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// CacheSetup is a configuration of a site's cache that differs from the muc/config.php that a
// Moodle writes by itself.
type CacheSetup struct {
	Name string
	// Config is inserted into config.php before lib/setup.php; MUC replaces muc/config.php if it is
	// not empty. REDIS and DIR are filled in.
	Config, MUC string
	Unknown     bool // only Moodle knows the stores
}

const forcedRedis = `$CFG->alternative_cache_factory_class = 'tool_forcedcache_cache_factory';
$CFG->tool_forcedcache_config_array = ['stores' => [
	'disk' => ['type' => 'file', 'config' => ['path' => 'DIR/disk', 'autocreate' => 1]],
	'shared' => ['type' => 'redis', 'config' => ['server' => 'REDIS', 'prefix' => 'forced_', 'password' => 'S3cret', 'serializer' => 1, 'compressor' => 0]]],
	'rules' => ['application' => [
		['conditions' => ['canuselocalstore' => true], 'stores' => ['disk']],
		['conditions' => ['name' => 'core/string'], 'stores' => ['disk']],
		['stores' => ['shared']]], 'session' => [], 'request' => []]];
`

const forcedFile = `$CFG->alternative_cache_factory_class = '\tool_forcedcache_cache_factory';
$CFG->tool_forcedcache_config_path = 'DIR/forced.json';
`

const forcedJSON = `{"stores": {"disk": {"type": "file", "config": {"path": "DIR/disk", "autocreate": 1}}},
	"rules": {"application": [{"conditions": {"name": "core/config"}, "stores": ["disk"]}, {"stores": ["none"]}], "session": [], "request": []}}`

// mucOf is a muc/config.php with one additional store, which serves the mode.
func mucOf(before, plugin, settings string) string {
	return `<?php ` + before + `$configuration = array('siteidentifier' => 'abc', 'stores' => array(
		'default_application' => array('name' => 'default_application', 'plugin' => 'file', 'configuration' => array(), 'modes' => 3, 'default' => true),
		'more' => array('name' => 'more', 'plugin' => '` + plugin + `', 'configuration' => array(` + settings + `), 'modes' => 3, 'default' => false)),
		'modemappings' => array(array('mode' => 1, 'store' => 'more', 'sort' => -1)), 'definitions' => array(), 'definitionmappings' => array());`
}

const ofRedis = `'prefix' => 'x', 'password' => 'S3cret', 'serializer' => 1, 'compressor' => 0, `

// CacheSetups are the configurations that tests try.
var CacheSetups = []CacheSetup{
	{"forcedcache on Redis", forcedRedis, "", false},
	{"forcedcache by JSON on files", forcedFile, "", false},
	{"a factory that nobody knows", "$CFG->alternative_cache_factory_class = 'local_surprise_cache_factory';\n", "", true},
	{"a server that muc/config.php computes", "$CFG->redis_server = 'REDIS';\n", mucOf("global $CFG; ", "redis", ofRedis+"'server' => $CFG->redis_server"), true},
	{"a directory that muc/config.php computes", "$CFG->fast = 'DIR';\n", mucOf("global $CFG; ", "file", "'path' => \"$CFG->fast/fast\""), true},
	{"a plugin that only Moodle knows", "", mucOf("", "redissentinel", ofRedis+"'server' => 'REDIS'"), true},
	{"a password with its user", "", mucOf("", "redis", strings.Replace(ofRedis, "'S3cret'", "array('default', 'S3cret')", 1)+"'server' => 'REDIS'"), false},
}

// Start returns a site with this cache, which is filled, and a stock peer of it.
func (c CacheSetup) Start(t testing.TB) (own, peer *Site) {
	t.Helper()
	own = PHPSite(t, Options{Cache: RedisCache, RedisPassword: "S3cret"})
	peer = PHPSite(t, Options{})
	own.Peer(t, peer)
	fill := strings.NewReplacer("REDIS", own.Redis.Addr, "DIR", own.Dataroot)
	const end = "require_once(__DIR__ . '/lib/setup.php');"
	text, err := os.ReadFile(own.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		own.ConfigFile:                  strings.Replace(string(text), end, fill.Replace(c.Config)+end, 1),
		fill.Replace("DIR/forced.json"): fill.Replace(forcedJSON),
	}
	if c.MUC != "" {
		files[filepath.Join(own.Dataroot, "muc", "config.php")] = fill.Replace(c.MUC)
	}
	for file, text := range files {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	own.Warm(t)
	return own, peer
}

// Memory is the directory that represents the memory of the web server, where APCu has its entries.
func (s *Site) Memory() string { return filepath.Join(filepath.Dir(s.Dataroot), "memory") }

// CacheInMemory is a cache in APCu, which no other process can clear.
var CacheInMemory = CacheSetup{"APCu", "", mucOf("", "apcu", "'prefix' => 'x'"), true}
