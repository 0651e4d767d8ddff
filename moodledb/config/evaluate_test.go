package config

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/moodledb/phpsource"
)

func TestPHPEvaluatesAFileThatComputes(t *testing.T) {
	t.Parallel()
	got, err := Read(t.Context(), fixture(t, "computed.php"), Options{PHP: testbed.PHP(t)})
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		File: fixture(t, "computed.php"), DBType: "mysqli", DBHost: "127.0.0.1", DBName: "moodle_prod", DBUser: "moodle", DBPass: "SECRET-8", Prefix: "mdl_",
		Wwwroot: "https://computed.example.org", Dataroot: "/srv/data", CacheDir: "/srv/data/cache", Dirroot: fixture(t, ""),
	}
	if diff := cmp.Diff(plain(want), plain(*got)); diff != "" {
		t.Error(diff)
	}
}

// byPHP is the result of php for a file that the reader could read too.
func byPHP(t *testing.T, path string, o Options, tenant map[string]string) *settings {
	t.Helper()
	s, err := evaluate(t.Context(), path, o, tenant, &phpsource.ComputedError{}, "")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range o.Overrides {
		s.fixed[name] = text
	}
	return s
}

// TestPHPAgreesWithTheReader lets php evaluate what the reader can read too: both must give the
// same.
func TestPHPAgreesWithTheReader(t *testing.T) {
	t.Parallel()
	php := testbed.PHP(t)
	for name, variables := range map[string]map[string]string{
		"installer.php": nil, "commented.php": nil, "split/site/config.php": nil, "array/config.php": nil, "forms.php": nil, "proxied.php": nil,
		"container.php": {"MOODLE_DB_PASS": "SECRET", "MOODLE_HOST": "m.example.org", "MOODLE_DB_PORT": "3311", "MOODLE_DB_SSL": "require"},
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{PHP: php, Environ: environment(variables), Wwwroot: "https://m.example.org:8443"}
			if os.Geteuid() == 0 && strings.HasPrefix(name, "split") { // root lets the owner of dataroot evaluate a file that includes others from elsewhere
				o.Overrides = map[string]string{"dataroot": dataOf(t, 65534), "cachedir": "/srv/cache"}
			}
			want, err := Read(t.Context(), fixture(t, name), Options{Environ: o.Environ, Wwwroot: o.Wwwroot, Overrides: o.Overrides})
			if err != nil {
				t.Fatal(err)
			}
			got, err := byPHP(t, fixture(t, name), o, nil).config(o)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(plain(*want), plain(*got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPHPLoadsNothingOfMoodleAndNothingOfVMoodle(t *testing.T) {
	t.Parallel()
	php := testbed.PHP(t)
	marks := t.TempDir()
	o := Options{PHP: php, Environ: []string{
		"SETUP_WAS_RUN=" + filepath.Join(marks, "setup"), "BOOTLIB_WAS_RUN=" + filepath.Join(marks, "bootlib"), "MNETKEYS_CFG=SECRET"}}
	tenant := map[string]string{"dbname": "sub", "dbpass": `it's \SECRET`, "dataroot": "/var/moodledata/sub", "wwwroot": "https://sub.example.org"}
	s := byPHP(t, fixture(t, "array/config.php"), o, tenant)
	got := map[string]string{}
	for _, name := range []string{"dbname", "dbpass", "dataroot", "wwwroot", "cachedir", "vmasterdbname", "dboptions.dbsocket"} {
		got[name] = s.value(name).Text()
	}
	want := map[string]string{"cachedir": "/var/moodledata/sub/cache", "vmasterdbname": "master", "dboptions.dbsocket": "/run/array.sock"}
	for name, text := range tenant {
		want[name] = text
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if left, _ := os.ReadDir(marks); len(left) > 0 {
		t.Errorf("php ran %s", left[0].Name())
	}
}

// The directory lib is a link and leads to a setup.php of another name, which must not be run
// either.
func TestPHPDoesNotLoadASetupThatALinkLeadsTo(t *testing.T) {
	t.Parallel()
	dir, elsewhere := shared(t), shared(t)
	mark := filepath.Join(dir, "mark")
	write(t, filepath.Join(elsewhere, "setup.php"), "<?php touch('"+mark+"'); $CFG->dbname = 'setup';")
	write(t, filepath.Join(dir, "config.php"), "<?php $CFG = new stdClass(); $CFG->dbname = strrev('emac'); require_once(__DIR__ . '/lib/setup.php');")
	if err := os.Symlink(elsewhere, filepath.Join(dir, "lib")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{filepath.Join(elsewhere, "setup.php"), filepath.Join(dir, "config.php")} {
		chmod(t, name, 0o644)
	}
	owned(t, dir)
	s := byPHP(t, filepath.Join(dir, "config.php"), Options{PHP: testbed.PHP(t), Overrides: map[string]string{"dataroot": dir}}, nil)
	if _, err := os.Stat(mark); err == nil || s.value("dbname").Text() != "came" {
		t.Errorf("dbname %q, setup.php was run: %t", s.value("dbname").Text(), err == nil)
	}
}

// computing is a config.php that only PHP can evaluate, with these lines before lib/setup.php.
func computing(t *testing.T, lines string) (path string) {
	t.Helper()
	path = filepath.Join(shared(t), "config.php")
	write(t, path, "<?php $CFG = new stdClass(); $CFG->dbtype = strrev('ilqsym'); $CFG->dbname = 'n'; $CFG->dbuser = 'u'; $CFG->wwwroot = 'http://x';\n$CFG->dataroot = '"+dataOf(t, 33)+"';\n"+
		lines+"\nrequire_once(__DIR__ . '/lib/setup.php');")
	lib := filepath.Join(filepath.Dir(path), "lib")
	write(t, filepath.Join(lib, "setup.php"), "<?php touch(__DIR__ . '/mark'); $CFG->dbpass = 'setup';")
	write(t, filepath.Join(lib, "returns.php"), "<?php return false;")
	for _, file := range []string{path, filepath.Join(lib, "setup.php"), filepath.Join(lib, "returns.php")} {
		chmod(t, file, 0o644)
	}
	chmod(t, lib, 0o777)
	return path
}

// An exception from a call about files must leave the substitute for lib/setup.php in place.
func TestPHPDoesNotLoadASetupBehindAnException(t *testing.T) {
	for _, throws := range []string{
		"new DirectoryIterator('/missing');", "new SplFileObject('/missing');", "new RecursiveDirectoryIterator('/missing');", "(new SplFileInfo('/missing'))->getMTime();",
		"set_error_handler(function () { throw new Exception('x'); }); file_get_contents('/missing');", "set_error_handler(function () { throw new Exception('x'); }); unlink('/missing');",
	} {
		path := computing(t, "try { "+throws+" } catch (Exception $e) { $CFG->dbpass = 'caught'; }")
		c, err := Read(t.Context(), path, Options{PHP: testbed.PHP(t)})
		if _, run := os.Stat(filepath.Join(filepath.Dir(path), "lib", "mark")); err != nil || c.DBPass != "caught" || run == nil {
			t.Errorf("%s: %v, %v, setup.php was run: %t", throws, c, err, run == nil)
		}
	}
}

// limited is a php with settings of its own.
func limited(t *testing.T, settings string) string {
	t.Helper()
	path := filepath.Join(shared(t), "php")
	write(t, path, "#!/bin/sh\nexec "+testbed.PHP(t)+" "+settings+" \"$@\"\n")
	chmod(t, path, 0o755)
	return path
}

func TestWhyPHPCannotSayWhatAFileHasIsTold(t *testing.T) {
	nested := func(depth int) string {
		return "$CFG->dboptions = " + strings.Repeat("array(1 => ", depth) + "strrev('x')" + strings.Repeat(")", depth) + ";"
	}
	for name, test := range map[string]struct{ lines, disabled, host, problem string }{
		"a file that depends on nothing":          {"", "putenv", "", ""},
		"a function that is needed":               {"", "stream_wrapper_register", "", "php.ini disables stream_wrapper_register()"},
		"a deep value":                            {nested(70), "", "", ""},
		"a value that is too deep":                {nested(90), "", "", "nested too deeply"},
		"a value in itself":                       {"$CFG->dboptions = array(); $CFG->dboptions['x'] = &$CFG->dboptions;", "", "", "nested too deeply"},
		"a value that is too large":               {"$CFG->dboptions = array(str_repeat('x', 2000000));", "", "", "larger than 1 MiB"},
		"an error for another request":            {"if (isset($_SERVER['HTTP_HOST'])) { throw new Exception('no vault'); }", "", "", "cannot be evaluated for another web request: "},
		"a site that is not there":                {"$all = array('a.example' => 'a'); $CFG->dbname = $all[$_SERVER['HTTP_HOST']] ?? null;", "", "https://b.example", "$CFG->dbname is not set: config.php may have no site for https://b.example"},
		"a text that is an object":                {"$CFG->dbpass = new ArrayObject;", "", "", "$CFG->dbpass is not a text"},
		"a mode that is an object":                {"$CFG->mnet_dispatcher_mode = new ArrayObject;", "", "", "$CFG->mnet_dispatcher_mode is not a text"},
		"options that are an object":              {"$CFG->dboptions = (object)array('dbport' => 1);", "", "", "$CFG->dboptions is not an array"},
		"an object in place of a stdClass":        {"$CFG = new ArrayObject((array)$CFG, ArrayObject::ARRAY_AS_PROPS);", "", "", "must be a stdClass"},
		"an end for a site that is not there":     {"if ($_SERVER['HTTP_HOST'] !== 'a.example') { die; }", "", "https://b.example", "ends here by exit"},
		"a return that is not that of the end":    {"if (strrev('x')) { return true; }", "", "", "ends here by return"},
		"a return of what the end would give":     {"if (strrev('x')) { return 1; }", "", "", "ends here by return"},
		"an included file that returns something": {"$x = include __DIR__ . '/lib/returns.php';", "", "", ""},
	} {
		path := computing(t, test.lines)
		_, err := Read(t.Context(), path, Options{PHP: limited(t, "-d disable_functions="+test.disabled), Wwwroot: test.host})
		if (err == nil) != (test.problem == "") || err != nil && (!errors.As(err, new(*Error)) || !strings.Contains(err.Error(), test.problem) || strings.Contains(err.Error(), "depends on")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPHPGetsNoSecretOfOursInArgumentsOrEnvironment(t *testing.T) {
	dir := t.TempDir()
	php, seen := filepath.Join(dir, "php"), filepath.Join(dir, "seen")
	write(t, php, "#!/bin/sh\n{ echo \"$@\"; env; } > "+seen+"\nexit 1\n")
	chmod(t, php, 0o700)
	t.Setenv("MNETKEYS_CFG", "dbpass=SECRET-env")
	t.Setenv("SITE_VARIABLE", "kept")
	o := Options{PHP: php, Overrides: map[string]string{"dbpass": "SECRET-flag"}}
	_, err := readFor(t.Context(), fixture(t, "computed.php"), o, map[string]string{"prefix": "SECRET-tenant"})
	var unusable *Error
	if !errors.As(err, &unusable) || !strings.Contains(unusable.Problem, "php fails: it does not answer") {
		t.Errorf("error %v", err)
	}
	text, err := os.ReadFile(seen)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "SECRET") || !strings.Contains(string(text), "SITE_VARIABLE=kept") {
		t.Errorf("php was given: %s", text)
	}
}

// TestPHPThatFails has the word SECRET in every source, as a password or as text that PHP quotes.
// PHP's own words are shown, with file and line.
func TestPHPThatFails(t *testing.T) { // alone: php has ten seconds for each case
	const lines = "<?php\n$CFG = new stdClass();\n$CFG->dbpass = 'SECRET';\n$CFG->dbtype = strrev('ilqsym');\n"
	garbled := filepath.Join(t.TempDir(), "php")
	write(t, garbled, "#!/bin/sh\nprintf \"<?php 'SECRET\" >&3\n")
	chmod(t, garbled, 0o700)
	tests := map[string]struct {
		php, source string
		line        int
		problem     string
	}{
		"no php there":                 {"/no/such/php", lines, 4, "calls strrev(), which only PHP can evaluate, and /no/such/php fails: it does not start"},
		"a program that is none":       {"/bin/true", lines, 4, "does not answer"},
		"a program of another answer":  {garbled, lines, 4, "its answer cannot be read"},
		"an undefined function":        {"", lines + "$CFG->dbtype = g('SECRET');", 5, "Error: Call to undefined function g()"},
		"a syntax error":               {"", "<?php\nf();\n$CFG->dbpass = ('SECRET';", 3, "ParseError: syntax error, unexpected token …"},
		"a constant without quotes":    {"", lines + "$CFG->dbname = SECRET;", 5, "Error: Undefined constant …"},
		"an exception with a password": {"", lines + "\n\nthrow new RuntimeException(\"no login with $CFG->dbpass\");", 7, "RuntimeException: no login with …"},
		"an exception":                 {"", lines + "throw new Exception('the vault is sealed');", 5, "Exception: the vault is sealed"},
		"a file that is not there":     {"", lines + "require __DIR__ . '/vendor/autoload.php';", 5, "/vendor/autoload.php"},
		"an error of its own":          {"", lines + "while (ob_get_level()) ob_end_flush(); trigger_error('no site', E_USER_ERROR);", 5, "no site"},
		"a script that ends at once":   {"", lines + "die('SECRET');", 0, "ends here by exit, before lib/setup.php"},
		"a script that returns":        {"", lines + "if (f()) { return; } function f() { return true; }", 0, "ends here by return, before lib/setup.php"},
		"too much memory":              {"", lines + "str_repeat('x', PHP_INT_MAX >> 8);", 5, "Allowed memory size of"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			php := test.php
			if php == "" {
				php = testbed.PHP(t)
			}
			path := filepath.Join(t.TempDir(), "config.php")
			write(t, path, test.source)
			_, err := Read(t.Context(), path, Options{PHP: php})
			var unusable *Error
			if !errors.As(err, &unusable) {
				t.Fatalf("error %v", err)
			}
			if !strings.Contains(unusable.Problem, test.problem) || unusable.Line != test.line || unusable.File != path || unusable.Hint() == "" {
				t.Errorf("%v, hint %q", unusable, unusable.Hint())
			}
			if broken := strings.HasPrefix(test.problem, "ParseError"); strings.Contains(unusable.Hint(), fmt.Sprintf("correct %s at line %d", path, test.line)) != broken || broken && strings.Contains(unusable.Hint(), "--php") {
				t.Errorf("hint %q", unusable.Hint())
			}
			if text := fmt.Sprintf("%v %+v %s", err, *unusable, unusable.Hint()); strings.Contains(text, "SECRET") {
				t.Errorf("content is shown: %s", text)
			}
		})
	}
}

// The output of config.php goes nowhere, and it finds everything that a script has which is run
// from a file.
func TestConfigThatWritesToTheStandardStreamsIsEvaluated(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config.php")
	write(t, path, "<?php $CFG = new stdClass(); $CFG->dbtype = strrev('ilqsym'); fwrite(STDERR, 'SECRET'); fwrite(STDOUT, 'SECRET'); echo 'SECRET'; print fgets(STDIN);\n"+
		"$CFG->dbname = 'n'; $CFG->dbuser = 'u'; $CFG->wwwroot = 'http://x'; $CFG->dataroot = '/d'; ob_end_flush(); $CFG->prefix = count($argv) . '_'; require_once(__DIR__ . '/lib/setup.php');")
	c, err := Read(t.Context(), path, Options{PHP: testbed.PHP(t)})
	if err != nil || c.DBName != "n" || c.Prefix != "1_" {
		t.Errorf("%v, %v", c, err)
	}
}

func TestPHPThatHangsEndsWithTheContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := Read(ctx, fixture(t, "computed.php"), Options{PHP: sleeper(t)})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

// hosts chooses its site by the name in the request, in the language that is read without php, or
// computing.
func hosts(t *testing.T, computes, environment bool) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.php")
	compare := "$_SERVER['HTTP_HOST'] === 'b.example'"
	if computes {
		compare = "in_array($_SERVER['HTTP_HOST'], ['b.example'])"
	}
	if environment {
		compare = strings.Replace(compare, "$_SERVER['HTTP_HOST']", "getenv('HTTP_HOST')", 1)
	}
	write(t, path, `<?php unset($CFG); global $CFG; $CFG = new stdClass();
$CFG->dbtype = 'mariadb'; $CFG->dbhost = 'h'; $CFG->dbuser = 'u'; $CFG->dbpass = 'p'; $CFG->prefix = 'm_'; $CFG->dataroot = '/d';
$scheme = isset($_SERVER['HTTPS']) && $_SERVER['HTTPS'] === 'on' ? 'https' : 'http';
if (`+compare+`) {
    $CFG->dbname = 'b';
    $CFG->wwwroot = $scheme . '://b.example';
} else {
    $CFG->dbname = 'a';
    $CFG->wwwroot = "$scheme://" . $_SERVER['SERVER_NAME'];
}
require_once(__DIR__ . '/lib/setup.php');`)
	return path
}

func TestASiteThatIsChosenByTheRequestsHostIsThatOfHost(t *testing.T) {
	t.Parallel()
	for i := range 4 {
		computes := i%2 == 1
		path, o := hosts(t, computes, i > 1), Options{}
		if computes {
			o.PHP = testbed.PHP(t)
		}
		for host, want := range map[string]string{
			"https://a.example": "a https://a.example", "https://b.example": "b https://b.example", "http://b.example": "b http://b.example", "https://c.example/": "a https://c.example",
		} {
			o.Wwwroot = host
			c, err := Read(t.Context(), path, o)
			if err != nil || c.DBName+" "+c.Wwwroot != want {
				t.Errorf("computes %t, %s: %v, %v", computes, host, c, err)
			}
		}
		o.Wwwroot = ""
		var unusable *Error
		if c, err := Read(t.Context(), path, o); !errors.As(err, &unusable) || !strings.Contains(unusable.Error(), "depends on the web request") || !strings.Contains(unusable.Hint(), "--host=URL") {
			t.Errorf("computes %t, without --host: %v, %v", computes, c, err)
		}
	}
}

// A config.php that reads the request, but sets nothing relevant by it, needs no --host if php can
// show that.
func TestARequestThatDecidesNothingNeedsNoHost(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config.php")
	write(t, path, `<?php $CFG = new stdClass(); $CFG->dbtype = 'mariadb'; $CFG->dbname = 'n'; $CFG->dbuser = 'u'; $CFG->wwwroot = 'https://x.example'; $CFG->dataroot = '/d';
if (!empty($_SERVER['HTTP_X_FORWARDED_PROTO']) && $_SERVER['HTTP_X_FORWARDED_PROTO'] === 'https') { $CFG->sslproxy = true; }
require_once(__DIR__ . '/lib/setup.php');`)
	c, err := Read(t.Context(), path, Options{PHP: testbed.PHP(t)})
	if err != nil || c.DBName != "n" {
		t.Errorf("%v, %v", c, err)
	}
	if c, err := Read(t.Context(), path, Options{}); err == nil {
		t.Errorf("without php: %v", c)
	}
	write(t, path, strings.Replace(source(path), "$CFG->sslproxy = true;", "$CFG->wwwroot = 'https://proxied.example';", 1))
	if c, err := Read(t.Context(), path, Options{PHP: testbed.PHP(t)}); err == nil || !strings.Contains(err.Error(), "depends on the web request") {
		t.Errorf("a proxy decides the wwwroot: %v, %v", c, err)
	}
}

// A guard against direct calls checks for a constant that only lib/setup.php defines; PHP and the
// reader read the file as it is meant.
func TestAGuardAgainstDirectCallsDoesNotStopTheReading(t *testing.T) {
	t.Parallel()
	const settings = "$CFG = new stdClass(); $CFG->dbtype = 'mysqli'; $CFG->dbname = 'n'; $CFG->dbuser = 'u'; $CFG->wwwroot = 'http://x'; $CFG->dataroot = '/d';"
	for name, test := range map[string]struct {
		source string
		dbname string // "": it is refused
	}{
		"by or":                       {"defined('MOODLE_INTERNAL') || die(); " + settings, "n"},
		"by if":                       {"if (!defined('MOODLE_INTERNAL')) { die('Direct access'); } " + settings, "n"},
		"that decides more than that": {settings + "if (defined('MOODLE_INTERNAL')) { $CFG->dbname = 'other'; }", "n"},
		"of something else":           {"defined('SOME_INTERNAL') || die(); " + settings, ""},
	} {
		for _, computes := range []string{"", "$x = strrev('x');"} {
			path := filepath.Join(t.TempDir(), "config.php")
			write(t, path, "<?php "+test.source+computes)
			o := Options{}
			if computes != "" {
				o.PHP = testbed.PHP(t)
			}
			c, err := Read(t.Context(), path, o)
			if (err == nil) != (test.dbname != "") || err == nil && c.DBName != test.dbname {
				t.Errorf("%s, computes %t: %v, %v", name, computes != "", c, err)
			}
		}
	}
}

func TestRootHasTheOwnerOfDatarootEvaluate(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	dir := shared(t)
	php, path := filepath.Join(dir, "php"), filepath.Join(dir, "config.php")
	// answers writes a php that says as whom it runs, and that dataroot is the given one.
	answers := func(dataroot string) {
		write(t, php, "#!/bin/sh\necho \"<?php \\$CFG = (object)array('dbtype' => 'mysqli', 'dbname' => '$(id -u)', 'dbuser' => 'u', 'wwwroot' => 'http://x', 'dataroot' => '"+dataroot+
			"'); \\$ended = array('how' => '');\" >&3\n")
		chmod(t, php, 0o755)
	}
	for name, test := range map[string]struct {
		owner          int    // of config.php
		literal, said  string // dataroot
		evaluated, err string
	}{
		"as config.php says":                                  {0, dataOf(t, 33), "", "33", ""},
		"root's":                                              {0, dataOf(t, 0), "", "0", ""},
		"computed, and then it is another's":                  {0, "", dataOf(t, 33), "33", ""},
		"another than config.php seems to say":                {0, dataOf(t, 34), dataOf(t, 33), "33", ""},
		"not there, of another user's config.php":             {33, "/no/such/dataroot", "", "", "root does not run this site's PHP code"},
		"root's, of another user's config.php":                {33, dataOf(t, 0), "", "", "root does not run this site's PHP code"},
		"computed, of another user's config.php":              {33, "", dataOf(t, 33), "", "root does not run this site's PHP code"},
		"as config.php says, which is yet another user's own": {34, dataOf(t, 33), "", "33", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if test.said == "" {
				test.said = test.literal
			}
			answers(test.said)
			write(t, path, "<?php $CFG = new stdClass();\n$CFG->dbtype = f();\n$CFG->dataroot = '"+test.literal+"';\n")
			chmod(t, path, 0o644)
			if err := os.Chown(path, test.owner, test.owner); err != nil {
				t.Fatal(err)
			}
			c, err := Read(t.Context(), path, Options{PHP: php})
			switch {
			case test.err == "" && (err != nil || c.DBName != test.evaluated):
				t.Errorf("%v, %v", c, err)
			case test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)):
				t.Errorf("%v, %v", c, err)
			}
		})
	}
}

// Root may only let code that root owns see its own directories: a file elsewhere that is left out
// silently would give another configuration.
func TestRootRefusesWhatItsOwnCodeCannotSee(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root's PHP is kept within directories")
	}
	secret := filepath.Join(t.TempDir(), "secret.php")
	write(t, secret, "<?php $CFG->dbpass = 'SECRET';")
	for name, line := range map[string]string{
		"included if it is there": "if (file_exists('" + secret + "')) { include '" + secret + "'; }", "included in silence": "@include '" + secret + "';",
		"by a pattern": "foreach (glob('" + secret + "') as $file) { include $file; }", "read": "$CFG->dbpass = trim(@file_get_contents('" + secret + "'));",
		"with an error handler":  "set_error_handler(function () { return true; }); $CFG->dbpass = file_get_contents('" + secret + "') ?: 'none';",
		"by an object":           "try { $f = new SplFileObject('" + secret + "'); } catch (Exception $e) { $CFG->dbpass = 'none'; }",
		"looked at by an object": "$CFG->dbpass = (new SplFileInfo('" + secret + "'))->isFile() ? 'there' : 'none';",
	} {
		path := filepath.Join(t.TempDir(), "config.php")
		write(t, path, "<?php $CFG = new stdClass(); $CFG->dbtype = strrev('ilqsym'); $CFG->dbname = 'n'; $CFG->dbuser = 'u'; $CFG->dbpass = 'default'; $CFG->wwwroot = 'http://x';\n"+
			"$CFG->dataroot = '"+dataOf(t, 0)+"';\n"+line+"\nrequire_once(__DIR__ . '/lib/setup.php');")
		c, err := Read(t.Context(), path, Options{PHP: testbed.PHP(t)})
		if !errors.As(err, new(*Error)) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}
}

// dataOf is a dataroot that a user owns.
func dataOf(t *testing.T, uid int) string {
	t.Helper()
	dir := t.TempDir()
	if os.Geteuid() == 0 {
		if err := os.Chown(dir, uid, uid); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func sleeper(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "php")
	write(t, path, "#!/bin/sh\nexec sleep 60\n")
	chmod(t, path, 0o700)
	return path
}
