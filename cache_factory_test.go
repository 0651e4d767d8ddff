package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"renew_mnetkeys/rotate"
	"renew_mnetkeys/testbed"
)

// cachedBy is a site with a stock peer whose cache is configured in another way than by Moodle's muc/config.php.
type cachedBy struct {
	name string
	// config stands in config.php before lib/setup.php; muc in place of muc/config.php where it is not empty. REDIS and DIR are put in.
	config, muc string
	unknown     bool // only Moodle knows the stores
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

// mucOf is a muc/config.php with one store more, which serves the mode.
func mucOf(before, plugin, settings string) string {
	return `<?php ` + before + `$configuration = array('siteidentifier' => 'abc', 'stores' => array(
		'default_application' => array('name' => 'default_application', 'plugin' => 'file', 'configuration' => array(), 'modes' => 3, 'default' => true),
		'more' => array('name' => 'more', 'plugin' => '` + plugin + `', 'configuration' => array(` + settings + `), 'modes' => 3, 'default' => false)),
		'modemappings' => array(array('mode' => 1, 'store' => 'more', 'sort' => -1)), 'definitions' => array(), 'definitionmappings' => array());`
}

const ofRedis = `'prefix' => 'x', 'password' => 'S3cret', 'serializer' => 1, 'compressor' => 0, `

var cachesOfKinds = []cachedBy{
	{"forcedcache on Redis", forcedRedis, "", false},
	{"forcedcache by JSON on files", forcedFile, "", false},
	{"a factory that nobody knows", "$CFG->alternative_cache_factory_class = 'local_surprise_cache_factory';\n", "", true},
	{"a server that muc/config.php computes", "$CFG->redis_server = 'REDIS';\n", mucOf("global $CFG; ", "redis", ofRedis+"'server' => $CFG->redis_server"), true},
	{"a directory that muc/config.php computes", "$CFG->fast = 'DIR';\n", mucOf("global $CFG; ", "file", "'path' => \"$CFG->fast/fast\""), true},
	{"a plugin that only Moodle knows", "", mucOf("", "redissentinel", ofRedis+"'server' => 'REDIS'"), true},
	{"a password with its user", "", mucOf("", "redis", strings.Replace(ofRedis, "'S3cret'", "array('default', 'S3cret')", 1)+"'server' => 'REDIS'"), false},
}

// start makes the site and its peer, and fills the cache.
func (c cachedBy) start(t *testing.T) (own, peer *testbed.Site) {
	t.Helper()
	own = testbed.PHPSite(t, testbed.Options{Cache: testbed.RedisCache, RedisPassword: "S3cret"})
	peer = testbed.PHPSite(t, testbed.Options{})
	own.Peer(t, peer)
	fill := strings.NewReplacer("REDIS", own.Redis.Addr, "DIR", own.Dataroot)
	const end = "require_once(__DIR__ . '/lib/setup.php');"
	text, err := os.ReadFile(own.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	put(t, own.ConfigFile, strings.Replace(string(text), end, fill.Replace(c.config)+end, 1))
	put(t, fill.Replace("DIR/forced.json"), fill.Replace(forcedJSON))
	if c.muc != "" {
		put(t, filepath.Join(own.Dataroot, "muc", "config.php"), fill.Replace(c.muc))
	}
	own.Warm(t)
	return own, peer
}

func put(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// without is a search path with a php that does not run.
func without(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "php"), []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return "PATH=" + dir
}

// renewWith renews, with a php that runs or not.
func renewWith(t *testing.T, own *testbed.Site, php bool, args ...string) ran {
	t.Helper()
	before := secrets(t, own)
	cmd := command(t, append([]string{"--config=" + own.ConfigFile, "--retries=0", "--key-bits=2048"}, args...)...)
	if !php {
		cmd.Env = append(cmd.Env, without(t))
	}
	r := run1(t, cmd)
	r.revealsNothing(t, before, secrets(t, own), []string{"S3cret"})
	return r
}

// keysOf is all of the tenant that a renewal changes.
func keysOf(t *testing.T, s *testbed.Site) string {
	t.Helper()
	return strings.Join(append(historyOf(t, s), pairOf(t, s), s.Certificate(t), s.Expires(t)), "\n")
}

func TestWhateverServesTheCacheARenewalEndsProvenOrIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range cachesOfKinds {
		for _, php := range []bool{true, false} {
			for _, ask := range []bool{true, false} {
				if !ask && php && !testbed.Long() {
					continue // the same steps, without the proof
				}
				t.Run(fmt.Sprintf("%s, php: %t, own site asked: %t", c.name, php, ask), func(t *testing.T) {
					t.Parallel()
					own, peer := c.start(t)
					before := keysOf(t, own)
					var args []string
					code := 0
					if !ask {
						args, code = []string{"--self-check=off"}, 3
					}
					if c.unknown && !php {
						renewWith(t, own, php, args...).expect(t, 1, "error: ", "--cache-hook=")
						if keysOf(t, own) != before {
							t.Error("something was stored")
						}
						coherent(t, own)
						return
					}
					renewWith(t, own, php, args...).expect(t, code)
					if keysOf(t, own) == before {
						t.Error("nothing was stored")
					}
					coherent(t, own)
					linked(t, own, peer)
				})
			}
		}
	}
}

func TestAnOwnSiteThatIsDownIsNotRenewedWhateverServesTheCache(t *testing.T) {
	t.Parallel()
	own, _ := cachesOfKinds[0].start(t)
	before := keysOf(t, own)
	own.Stop()
	renewWith(t, own, false).expect(t, 1, "cannot be asked")
	if keysOf(t, own) != before {
		t.Error("something was stored")
	}
}

// What VMoodle's PHP script leaves: the key of web server and peers is in the cache alone.
func TestAKeyThatAnotherFactorysCacheHasAloneIsRescuedOrLeftThere(t *testing.T) {
	t.Parallel()
	for _, c := range cachesOfKinds {
		for _, php := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, php: %t", c.name, php), func(t *testing.T) {
				t.Parallel()
				own, _ := c.start(t)
				only := pairOf(t, own)
				own.BrokenPHPRenewal(t)
				before := keysOf(t, own)
				shown := fetch(t, "GET", own.Wwwroot+"/mnet/publickey.php", "")
				if c.unknown && !php {
					renewWith(t, own, php).expect(t, 4, "only copy")
					if keysOf(t, own) != before || fetch(t, "GET", own.Wwwroot+"/mnet/publickey.php", "") != shown {
						t.Error("something was stored or dropped")
					}
					return
				}
				renewWith(t, own, php)
				if !slices.Contains(historyOf(t, own), only) {
					t.Error("the key is gone")
				}
				coherent(t, own)
			})
		}
	}
}

// As root php may use the directories of code and dataroot only: a store elsewhere is not ready there, and what Moodle then drops is not what it uses.
func TestAStoreThatPHPMayNotUseIsNotTakenForDropped(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root's php is kept to some directories")
	}
	elsewhere := t.TempDir()
	own, _ := cachedBy{"elsewhere", "$CFG->alternative_cache_factory_class = 'local_surprise_cache_factory';\n$CFG->surprise_directory = '" + elsewhere + "';\n", "", true}.start(t)
	before := keysOf(t, own)
	for _, args := range [][]string{nil, {"--self-check=off"}} {
		renewWith(t, own, true, args...).expect(t, 1, `cache store "surprise" (file at `+elsewhere+`): it is not ready in`, "as the web server's user")
	}
	if keysOf(t, own) != before {
		t.Error("something was stored")
	}
	coherent(t, own)
}

// Without any php each of these caches is known here, or said to be out of reach.
func TestWithoutPHPACacheIsKnownOrNotTakenForDropped(t *testing.T) {
	t.Parallel()
	for _, c := range cachesOfKinds {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			own, _ := c.start(t)
			cache := cacheOfSite(t, own, "")
			for _, width := range []rotate.Width{rotate.WidthEntry, rotate.WidthDefinition, rotate.WidthPHP} {
				if err := cache.Drop(t.Context(), width); errors.Is(err, rotate.ErrCacheByHand) != c.unknown || !c.unknown && err != nil {
					t.Errorf("%v", err)
				}
			}
			if err := cache.Check(t.Context()); errors.Is(err, rotate.ErrCacheByHand) != c.unknown {
				t.Errorf("%v", err)
			}
			_, err := cache.Cached(t.Context(), true)
			if (err != nil) != c.unknown {
				t.Errorf("%v", err)
			}
		})
	}
}

// memory is where the fixture has what stands for the memory of the web server.
func memory(s *testbed.Site) string { return filepath.Join(filepath.Dir(s.Dataroot), "memory") }

var inMemory = cachedBy{"APCu", "", mucOf("", "apcu", "'prefix' => 'x'"), true}

func TestAPCuIsRefusedWithTheAdviceOfTheDoctorWhichWorks(t *testing.T) {
	t.Parallel()
	own, peer := inMemory.start(t)
	before := keysOf(t, own)
	if found, err := fs.Glob(os.DirFS(memory(own)), "core_config/*-cache/*.cache"); err != nil || len(found) != 2 {
		t.Fatalf("the memory has %q, %v", found, err)
	}
	const advice = "--cache-hook='systemctl reload php8.2-fpm'"
	for _, args := range [][]string{nil, {"--self-check=off"}} {
		for _, php := range []bool{true, false} {
			r := renewWith(t, own, php, args...)
			r.expect(t, 1, "hint: let a --cache-hook empty it", advice, `cache store "more" (apcu) cannot be cleared from here`)
			if keysOf(t, own) != before {
				t.Fatal("something was stored")
			}
		}
	}
	run1(t, command(t, "doctor", "--config="+own.ConfigFile)).expect(t, 1, "let a --cache-hook empty it", advice)
	for range 2 {
		reload := newRecorder(t, "rm -r '"+memory(own)+"'")
		renewWith(t, own, true, "--cache-hook="+reload.line).expect(t, 0)
		reload.once(t)
		coherent(t, own)
		linked(t, own, peer)
	}
	renewWith(t, own, true, "--cache-hook=true").expect(t, 1, "the old key is back")
	coherent(t, own)
}

func TestTheDoctorNamesTheFactoryAndItsStores(t *testing.T) {
	t.Parallel()
	for i, says := range []string{"core/config is cached by redis at 127.0.0.1:", "core/config is cached by file at /", "core/config is cached by file at /"} {
		c := cachesOfKinds[i]
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			own, _ := c.start(t)
			r := run1(t, command(t, "doctor", "--config="+own.ConfigFile))
			r.revealsNothing(t, secrets(t, own), []string{"S3cret"})
			class := []string{"tool_forcedcache_cache_factory", `\tool_forcedcache_cache_factory`, "local_surprise_cache_factory"}[i]
			r.expect(t, r.code, says, "chosen by the cache factory "+class)
		})
	}
}
