package test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

// reachable lets every user into a test's directory, and gives dataroot to the web server's user,
// as whom root evaluates config.php.
func reachable(t *testing.T, s *testbed.Site) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	for at := s.Dirroot; at != os.TempDir() && at != "/"; at = filepath.Dir(at) {
		if err := os.Chmod(at, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(s.Dataroot, 33, 33); err != nil {
		t.Fatal(err)
	}
}

// placeFile writes a file of the site.
func placeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// computedConfigs are ways in which sites name their database. Each is placed before the require of
// lib/setup.php; a line far above names a wrong one. NAME is the database, DIR the directory of the
// code.
var computedConfigs = map[string]struct {
	lines     string
	files     map[string]string
	host      bool   // needs --host
	construct string // what only PHP can evaluate, and its line after the first of lines; "": none
}{
	"phpdotenv": {lines: "require_once __DIR__ . '/vendor/autoload.php';\nDotenv\\Dotenv::createImmutable(__DIR__)->load();\n$CFG->dbname = $_ENV['DB'] ?? 'wrong';",
		files: map[string]string{".env": "DB=NAME\n", "vendor/autoload.php": `<?php namespace Dotenv; class Dotenv {
	private $dir; public static function createImmutable($dir) { $d = new self; $d->dir = $dir; return $d; }
	public function load() { foreach (file($this->dir . '/.env', FILE_IGNORE_NEW_LINES) as $line) { list($k, $v) = explode('=', $line, 2); $_ENV[$k] = $v; } } }`},
		construct: "/vendor/autoload.php:1: uses namespace"},
	"a secret in a file":      {lines: "$CFG->dbname = trim(file_get_contents(__DIR__ . '/secret'));", files: map[string]string{"secret": "NAME\n"}},
	"the host of the request": {lines: "if ('http://' . $_SERVER['HTTP_HOST'] === 'WWWROOT' && empty($_SERVER['HTTPS'])) { $CFG->dbname = 'NAME'; }", host: true},
	"included by a pattern": {lines: "\nforeach (glob(__DIR__ . '/conf.d/*.php') as $file) { include $file; }",
		files: map[string]string{"conf.d/10.php": "<?php $CFG->dbname = 'NAME';"}, construct: "config.php:LINE2: uses foreach"},
	"putenv":           {lines: "putenv('DB_NAME=NAME');\n$CFG->dbname = getenv('DB_NAME') ?: 'wrong';", construct: "config.php:LINE1: calls putenv()"},
	"a function":       {lines: "function choose() { global $CFG; $CFG->dbname = 'NAME'; }\nchoose();", construct: "config.php:LINE1: uses function"},
	"the machine name": {lines: "if (gethostname() !== 'no-such-machine') { $CFG->dbname = 'NAME'; return require_once(__DIR__ . '/lib/setup.php'); }", construct: "config.php:LINE1: calls gethostname()"},
}

// The real PHP site reads the same config.php: so the renewed tenant is the one on which the site
// works, or none is renewed.
func TestAConfigThatComputesRenewsTheTenantThatMoodleWorksOnOrNone(t *testing.T) {
	t.Parallel()
	own, stock := testbed.PHPSite(t, testbed.Options{}), testbed.PHPSite(t, testbed.Options{Kind: testbed.Stock})
	own.Peer(t, stock)
	reachable(t, own)
	plain, err := os.ReadFile(own.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(plain), "\n")
	at := 0
	for i, line := range lines {
		switch {
		case strings.Contains(line, "$CFG->dbname"):
			lines[i] = "$CFG->dbname = 'wrong';"
		case strings.Contains(line, "lib/setup.php"):
			at = i
		}
	}
	for name, c := range computedConfigs {
		fill := strings.NewReplacer("NAME", own.DB.Name, "WWWROOT", own.Wwwroot, "LINE1", strconv.Itoa(at+1), "LINE2", strconv.Itoa(at+2))
		for file, text := range c.files {
			placeFile(t, filepath.Join(own.Dirroot, file), strings.NewReplacer("NAME", own.DB.Name).Replace(text))
		}
		replaced := append(append(append([]string{}, lines[:at]...), strings.NewReplacer("_NAME", "_NAME", "NAME", own.DB.Name, "WWWROOT", own.Wwwroot).Replace(c.lines)), lines[at:]...)
		placeFile(t, own.ConfigFile, strings.Join(replaced, "\n"))
		own.Warm(t)
		before := own.Certificate(t)

		var host []string
		if c.host {
			host = []string{"--host=" + own.Wwwroot}
			if r := renewIt(t, own, "--php=/bin/false"); r.code != 2 || !strings.Contains(r.stderr, "--host=URL") {
				t.Errorf("%s, without --host: exit %d\n%s", name, r.code, r.stderr)
			}
		}
		if c.construct != "" {
			r := renewIt(t, own, append(host, "--php=/bin/false")...)
			if r.code != 2 || !strings.Contains(r.stderr, fill.Replace(c.construct)) || !strings.Contains(r.stderr, "--php=PATH") || own.Certificate(t) != before {
				t.Errorf("%s, without php: exit %d, want %q\n%s", name, r.code, fill.Replace(c.construct), r.stderr)
			}
		}
		r := renewIt(t, own, host...)
		if certificate := coherent(t, own); r.code != 0 || certificate == before || stock.Held(t, own.Wwwroot) != certificate {
			t.Errorf("%s: exit %d, renewed %t\n%s%s", name, r.code, certificate != before, r.stdout, r.stderr)
		}
	}
}

// One code base serves two sites by the host of the request. If only PHP finds the cache, it must
// load the requested site, and drop nothing of the other.
func TestTheCacheOfASiteThatTheHostChoosesIsItsOwn(t *testing.T) {
	t.Parallel()
	other, own := testbed.PHPSite(t, testbed.Options{Cache: testbed.RedisCache}), testbed.PHPSite(t, testbed.Options{Cache: testbed.RedisCache})
	reachable(t, own)
	reachable(t, other)
	if os.Geteuid() == 0 { // php reads both caches' configurations as the owner of dataroot
		for _, s := range []*testbed.Site{own, other} {
			if err := os.Chown(filepath.Join(s.Dataroot, "muc"), 33, 33); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
		}
	}
	settings := func(s *testbed.Site) string {
		text, err := os.ReadFile(s.ConfigFile)
		if err != nil {
			t.Fatal(err)
		}
		_, behind, _ := strings.Cut(string(text), "new stdClass();")
		before, _, _ := strings.Cut(behind, "require")
		return before
	}
	placeFile(t, own.ConfigFile, "<?php\nglobal $CFG;\n$CFG = new stdClass();\nif (($_SERVER['HTTP_HOST'] ?? '') === '"+strings.TrimPrefix(own.Wwwroot, "http://")+"') {\n"+
		settings(own)+"} else {\n"+settings(other)+"}\nrequire_once(__DIR__ . '/lib/setup.php');\n")
	own.Warm(t)
	other.Warm(t)
	before, theirs, entries := own.Certificate(t), other.Certificate(t), cached(t, other)
	misled := "--cfg=altcacheconfigpath=" + t.TempDir() // our own reader finds no store; php does
	r := renewIt(t, own, "--host="+own.Wwwroot, misled)
	r.expect(t, 0)
	if certificate := coherent(t, own); certificate == before {
		t.Error("it is not renewed")
	}
	if other.Certificate(t) != theirs || entries == "" || cached(t, other) != entries {
		t.Error("the other site was touched")
	}
}
