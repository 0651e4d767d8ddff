package muc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/rotate"

	"github.com/rs/zerolog"
)

func TestStoresAreChosenAsMoodleDoes(t *testing.T) {
	tests := []struct {
		name, fixture string
		replace       []string
		want          string // lowest first
	}{
		{"mode mapping", "default-3.11", nil, "default_application file"},
		{"mode mapping to another store leaves the default as fallback", "redis-4.1", nil, "default_application file fallback; Shared Redis redis"},
		{"definition mapping wins over mode mapping, higher sort is read first", "stacked-5.0", nil,
			"default_application file fallback; async disk file; redis redis; local disk file"},
		{"a definition mapping may include the default store", "apcu-3.11", nil, "default_application file; APCu apcu"},
		{"several stores of the mode", "memcached-3.9", nil, "memcached memcached; default_application file"},
		{"a mapping to a store that is not there does not count", "apcu-3.11", []string{"'store' => 'APCu'", "'store' => 'gone'"}, "default_application file"},
		{"a definition mapping without its definition does not count", "apcu-3.11", []string{"'core/config' => \n", "'core/konfig' => \n"}, "default_application file"},
		{"a store for mapped definitions only does not serve the mode", "memcached-3.9",
			[]string{"'modes' => 1,\n      'mappingsonly' => false", "'modes' => 1,\n      'mappingsonly' => true"}, "default_application file"},
		{"a store that cannot hold application data does not serve", "apcu-3.11",
			[]string{"'features' => 4,\n      'modes' => 3", "'features' => 4,\n      'modes' => 2"}, "default_application file"},
		{"a store of no plugin does not serve", "memcached-3.9", []string{"'plugin' => 'memcached'", "'plugin' => ''"}, "default_application file"},
		{"no mapping that counts leaves the default", "redis-4.1", []string{"'mode' => 1,\n      'sort'", "'mode' => 2,\n      'sort'"}, "default_application file fallback"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			s.configure(test.fixture, test.replace...)
			r, _ := s.open().check(t.Context())
			var got []string
			for _, store := range r.Stores {
				text := store.Store + " " + store.Plugin
				if store.Fallback {
					text += " fallback"
				}
				got = append(got, text)
			}
			if strings.Join(got, "; ") != test.want {
				t.Errorf("got %s", strings.Join(got, "; "))
			}
		})
	}
}

func TestStoresOutOfReachAreReportedWithAdviceAndTheOthersDropped(t *testing.T) {
	for _, test := range []struct {
		fixture, store, plugin, advice string
		replace                        []string
	}{
		{"apcu-3.11", "APCu", "apcu", "systemctl reload", nil},
		{"memcached-3.9", "memcached", "memcached", "give a --cache-hook", nil},
		{"memcached-3.9", "memcached", "mongodb", "give a --cache-hook", []string{"'plugin' => 'memcached'", "'plugin' => 'mongodb'"}},
		{"memcached-3.9", "memcached", "couchbase", "systemctl reload", []string{"'plugin' => 'memcached'", "'plugin' => 'couchbase'"}},
	} {
		t.Run(test.plugin, func(t *testing.T) {
			s := newSite(t)
			s.configure(test.fixture, test.replace...)
			entries, _ := s.warm(defaultStore, md5Hex(identifier))
			for _, scope := range []rotate.Scope{rotate.ScopeEntry, rotate.ScopeDefinition} {
				_, err := s.open().drop(t.Context(), scope)
				var manual *ManualError
				if !errors.As(err, &manual) || manual.Store != test.store || manual.Plugin != test.plugin || !strings.Contains(manual.Hint(), test.advice) {
					t.Errorf("scope %s: got %v", scope, err)
				}
			}
			s.absent(entries...)
		})
	}
}

func TestConfigurationFilesThatCannotBeUsedSayWhere(t *testing.T) {
	tests := []struct {
		name, source string
		line         int
	}{
		{"not PHP", "stores: [file]", 1},
		{"no configuration", "<?php\n$config = array();", 0},
		{"not an array", "<?php\n$configuration = 'S3cret';", 2},
		{"cut off", "<?php $configuration = array (\n'stores' =>\n array ('a' => 'S3cret", -1},
		{"a server that only PHP can tell", "<?php $configuration = array('stores' => array('r' =>\n array('name' => 'r', 'plugin' => 'redis',\n" +
			"'configuration' => array('server' => lookup('S3cret')))));", 3},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			path := s.write("muc/config.php", test.source)
			_, err := open(s.location(), options{})
			var unusable *ConfigError
			if !errors.As(err, &unusable) || unusable.File != path || unusable.Hint() == "" {
				t.Fatalf("want a ConfigError, got %v", err)
			}
			if test.line >= 0 && unusable.Line != test.line {
				t.Errorf("line is %d: %v", unusable.Line, err)
			}
			if strings.Contains(err.Error(), "cret") {
				t.Errorf("the error shows content: %v", err)
			}
		})
	}
}

func TestDirectoryInPlaceOfTheConfigurationFileIsAConfigError(t *testing.T) {
	s := newSite(t)
	if err := os.MkdirAll(filepath.Join(s.root, "muc/config.php"), 0o755); err != nil {
		t.Fatal(err)
	}
	var unusable *ConfigError
	if _, err := open(s.location(), options{}); !errors.As(err, &unusable) {
		t.Errorf("got %v", err)
	}
}

func TestNothingPrintsAPassword(t *testing.T) {
	s := newSite(t)
	s.configure("redis-4.1", "127.0.0.1:6379", "127.0.0.1:1", `it\'s \\secret\\`, "S3cret")
	var log strings.Builder
	logger := zerolog.New(&log).Level(zerolog.TraceLevel)
	cache, err := open(s.location(), options{Log: logger})
	if err != nil {
		t.Fatal(err)
	}
	report, err := cache.drop(t.Context(), rotate.ScopeEntry)
	if err == nil {
		t.Fatal("no Redis listens on port 1, and yet no error")
	}
	logger.Log().Interface("cache", cache).Interface("report", report).Err(err).Send()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d"} {
		fmt.Fprintf(&log, verb+verb+verb+verb, cache, *cache, report, err)
	}
	if strings.Contains(log.String(), "S3cret") {
		t.Error(log.String())
	}
	if !strings.Contains(log.String(), "Shared Redis") {
		t.Errorf("the log does not name the store: %s", log.String())
	}
}

// FuzzConfiguration looks for a file that makes the reader panic, or that gives an unusable store.
// With seeds of this size it needs -fuzzminimizetime=10x; otherwise it spends its time on making
// the first new input smaller.
func FuzzConfiguration(f *testing.F) {
	testbed.AddFiles(f, filepath.Join("testdata", "*.php"))
	f.Fuzz(func(t *testing.T, source []byte) {
		conf, err := parseConfiguration("/muc/config.php", source)
		if err != nil {
			var unusable *ConfigError
			if !errors.As(err, &unusable) {
				t.Fatalf("not a ConfigError: %v", err)
			}
			return
		}
		names, err := conf.entryNames(identifier)
		if (err == nil) != (len(names) > 0) {
			t.Fatalf("names %v with error %v", names, err)
		}
		for _, i := range conf.instances {
			if i.name == "" || i.plugin == "" {
				t.Fatalf("a store without name or plugin: %v", i.describe())
			}
			i.open(environment{location: location{CacheDir: "/cache"}, file: "/muc/config.php", names: names}).describe()
		}
	})
}
