package test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

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

// keysOf is everything of the tenant that a renewal changes.
func keysOf(t *testing.T, s *testbed.Site) string {
	t.Helper()
	return strings.Join(append(historyOf(t, s), pairOf(t, s), s.Certificate(t), s.Expires(t)), "\n")
}

func TestWhateverServesTheCacheARenewalEndsProvenOrIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range testbed.CacheSetups {
		for _, php := range []bool{true, false} {
			for _, ask := range []bool{true, false} {
				if !ask && php && !testbed.Long() {
					continue // the same steps, without the proof
				}
				t.Run(fmt.Sprintf("%s, php: %t, own site asked: %t", c.Name, php, ask), func(t *testing.T) {
					t.Parallel()
					own, peer := c.Start(t)
					before := keysOf(t, own)
					var args []string
					code := 0
					if !ask {
						args, code = []string{"--self-check=off"}, 3
					}
					if c.Unknown && !php {
						renewWith(t, own, php, args...).expect(t, 1, "error: ", "give a --cache-hook that purges the cache")
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
	own, _ := testbed.CacheSetups[0].Start(t)
	before := keysOf(t, own)
	own.Stop()
	renewWith(t, own, false).expect(t, 1, "cannot be asked")
	if keysOf(t, own) != before {
		t.Error("something was stored")
	}
}

// This is the state that VMoodle's PHP script leaves: only the cache has the key that web server
// and peers use.
func TestAKeyThatAnotherFactorysCacheHasAloneIsRescuedOrLeftThere(t *testing.T) {
	t.Parallel()
	for _, c := range testbed.CacheSetups {
		for _, php := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, php: %t", c.Name, php), func(t *testing.T) {
				t.Parallel()
				own, _ := c.Start(t)
				only := pairOf(t, own)
				own.BrokenPHPRenewal(t)
				before := keysOf(t, own)
				shown := fetch(t, "GET", own.Wwwroot+"/mnet/publickey.php", "")
				if c.Unknown && !php {
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

// If php runs as root, it may use the directories of code and dataroot only: a store elsewhere is
// not ready there, and what Moodle then drops is not what the site uses.
func TestAStoreThatPHPMayNotUseIsNotTakenForDropped(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root's php is kept to some directories")
	}
	elsewhere := t.TempDir()
	own, _ := testbed.CacheSetup{Name: "elsewhere", Config: "$CFG->alternative_cache_factory_class = 'local_surprise_cache_factory';\n$CFG->surprise_directory = '" + elsewhere + "';\n", Unknown: true}.Start(t)
	before := keysOf(t, own)
	for _, args := range [][]string{nil, {"--self-check=off"}} {
		renewWith(t, own, true, args...).expect(t, 1, `cache store "surprise" (file at `+elsewhere+`): it is not ready in`, "as the web server's user")
	}
	if keysOf(t, own) != before {
		t.Error("something was stored")
	}
	coherent(t, own)
}

func TestAPCuIsRefusedWithTheAdviceOfTheDoctorWhichWorks(t *testing.T) {
	t.Parallel()
	own, peer := testbed.CacheInMemory.Start(t)
	before := keysOf(t, own)
	if found, err := fs.Glob(os.DirFS(own.Memory()), "core_config/*-cache/*.cache"); err != nil || len(found) != 2 {
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
	run1(t, command(t, "doctor", "--verbose", "--config="+own.ConfigFile, "--cache-hook=false")).expect(t, 0, "the --cache-hook clears the store that caches core/config")
	options := write(t, "cache-hook = /nowhere/purge\npre-hook = false\n")
	run1(t, command(t, "doctor", "--config="+own.ConfigFile, "--options="+options)).expect(t, 1, "error   a hook cannot be run, so each renewal ends with exit code 2", "/nowhere/purge was not found (--cache-hook is in "+options)
	for range 2 {
		reload := newRecorder(t, "rm -r '"+own.Memory()+"'")
		renewWith(t, own, true, "--cache-hook="+reload.line).expect(t, 0)
		reload.once(t)
		coherent(t, own)
		linked(t, own, peer)
	}
	renewWith(t, own, true, "--cache-hook=true").expect(t, 1, "the old key was restored")
	coherent(t, own)
}

// No process can read what only APCu has: neither another user nor php is advised. The command of the
// hint works as it is, with the hook that empties this memory.
func TestAKeyThatOnlyAPCuHasIsGivenUpByTheCommandOfTheHint(t *testing.T) {
	t.Parallel()
	for _, php := range []bool{true, false} {
		t.Run(fmt.Sprintf("php: %t", php), func(t *testing.T) {
			t.Parallel()
			own, _ := testbed.CacheInMemory.Start(t)
			own.BrokenPHPRenewal(t)
			before := keysOf(t, own)
			const advised = "Run: renew_mnetkeys --abandon-pending --cache-hook='systemctl reload php8.2-fpm' --config="
			r := renewWith(t, own, php)
			r.expect(t, 4, "only copy", "hint: do not purge", advised)
			if strings.Contains(r.stderr, "php installed") || keysOf(t, own) != before {
				t.Errorf("something was stored, or php is advised:\n%s", r.stderr)
			}
			// With php and the shell: the peer knows only the key that was given up.
			renewWith(t, own, true, "--abandon-pending", "--cache-hook=rm -r '"+own.Memory()+"'").expect(t, 3, "proven: it uses the stored key", "0 of 1 peer proven")
			if keysOf(t, own) == before {
				t.Error("nothing was stored")
			}
			coherent(t, own)
		})
	}
}

func TestTheDoctorNamesTheFactoryAndItsStores(t *testing.T) {
	t.Parallel()
	for i, says := range []string{"redis at 127.0.0.1:", "file at /", "file at /"} {
		c := testbed.CacheSetups[i]
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			own, _ := c.Start(t)
			r := run1(t, command(t, "doctor", "--config="+own.ConfigFile, "--verbose"))
			r.revealsNothing(t, secrets(t, own), []string{"S3cret"})
			class := []string{"tool_forcedcache_cache_factory", `\tool_forcedcache_cache_factory`, "local_surprise_cache_factory"}[i]
			r.expect(t, r.code, "[cache_store]", says, "chosen by the cache factory "+class)
		})
	}
}
