package phpsource

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// show writes a value so that a test can compare it.
func show(v Value) string {
	switch v.kind {
	case Null:
		return "null"
	case Number:
		return "a number"
	case String:
		return fmt.Sprintf("%q", v.text)
	case Bool:
		return fmt.Sprint(v.Truth())
	case Array, Object:
		var b strings.Builder
		b.WriteString(map[Kind]string{Array: "[", Object: "{"}[v.kind])
		for i, e := range v.Entries() {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(e.Key + ": " + show(e.Value))
		}
		return b.String() + map[Kind]string{Array: "]", Object: "}"}[v.kind]
	}
	return v.Text()
}

func env() Env {
	files := map[string]string{
		"/srv/moodle/local.php":      `<?php $CFG->included = __FILE__; return ['secret' => 's3'];`,
		"/srv/moodle/leaves.php":     `<?php $CFG->before = 1; if (true) { return; } $CFG->after = 1;`,
		"/srv/moodle/loop.php":       `<?php include __FILE__;`,
		"/srv/moodle/computes.php":   "<?php\n\nforeach ([1] as $x) {}",
		"/srv/moodle/exits.php":      "<?php\nexit;",
		"/srv/moodle/outside.php":    "<?php $CFG->a = 1; ?>\n",
		"/srv/moodle/lib/setup.php":  `<?php $CFG->setup = 'read';`,
		"/srv/moodle/more.php":       `<?php $CFG->more = $CFG->dataroot; $local = 1;`,
		"/run/secrets/db":            "pass\n",
		"/srv/moodle/unreadable.php": "",
	}
	return Env{
		Constants: map[string]Value{"CLI_SCRIPT": BoolValue(true)},
		Getenv: func(name string) (string, bool) {
			text, ok := map[string]string{"DBHOST": "db.example.org", "PORT": "3307", "EMPTY": ""}[name]
			return text, ok
		},
		Server: map[string]Value{"HTTP_HOST": StringValue("h.example:8080"), "HTTPS": {}},
		Read: func(path string) ([]byte, error) {
			if path == "/srv/moodle/unreadable.php" {
				return nil, os.ErrPermission
			}
			if text, ok := files[path]; ok {
				return []byte(text), nil
			}
			return nil, os.ErrNotExist
		},
		Stat: func(path string) (fs.FileInfo, error) {
			if _, ok := files[path]; !ok {
				return nil, os.ErrNotExist
			}
			return os.Stat("testdata/muc.php")
		},
		Real: func(path string) string { return path },
		Stop: func(path string, _ *Assignments) bool { return strings.HasSuffix(path, "/lib/setup.php") },
		Call: func(name string, a *Assignments) (string, bool) {
			if name != "boot" {
				return "", false
			}
			a.Set(StringValue("/tenant"), "CFG", "dataroot")
			return "/srv/moodle/more.php", true
		},
	}
}

// TestValues assigns each expression to $CFG->x in /srv/moodle/config.php. For an unknown result,
// the reason is expected.
func TestValues(t *testing.T) {
	tests := []struct{ name, code, want string }{
		{"single quotes escape only themselves and the backslash", `'a\'b\\c\n$x'`, `"a'b\\c\\n$x"`},
		{"double quotes know the escapes of PHP", `"\n\t\r\v\e\f\\\$\"\101\x41\u{e9}\q"`, `"\n\t\r\v\x1b\f\\$\"AAé\\q"`},
		{"a brace behind a backslash opens nothing", `"\{$db}"`, `"\\{moodle}"`},
		{"a variable is interpolated", `"$db-x"`, `"moodle-x"`},
		{"a property is interpolated one level deep", `"$CFG->dbtype->y"`, `"mysqli->y"`},
		{"a nullsafe property, which is text to PHP 7", `"$CFG?->dbtype"`, `? has ?-> inside a string`},
		{"a key that is a number or a variable", `"$list[0]$list[-1]$list[$k]"`, `"ZA"`},
		{"a key that starts with 0", `"$list[01]"`, `? has a [ behind a variable inside a string`},
		{"a bracket that opens no key", `"$db[ x"`, `? has a [ behind a variable inside a string`},
		{"braces interpolate a place", `"{$CFG->opts['k']}/{$list['a']}"`, `"v/A"`},
		{"braces around more", `"{$db . 'x'}"`, `? has an expression inside a string`},
		{"dollar and brace", `"${db}s"`, `? has ${ inside a string`},
		{"a dollar that starts no name is itself", `"a$ 5$"`, `"a$ 5$"`},
		{"strings are joined", `'a' . "b" . 1 . true . null`, `"ab11"`},
		{"a float joined", `'a' . 1.5`, `? uses . on values of which it is not known here`},
		{"a heredoc", "<<<EOT\na\nEOT", `? has a heredoc`},
		{"__DIR__ and __FILE__", `__DIR__ . '|' . __FILE__`, `"/srv/moodle|/srv/moodle/config.php"`},
		{"__LINE__", `__LINE__`, `? uses __line__`},
		{"dirname of the file", `dirname(__FILE__) . dirname(__FILE__, 2) . dirname('/a/')`, `"/srv/moodle/srv/"`},
		{"getenv of a variable that is set", `getenv('DBHOST')`, `"db.example.org"`},
		{"getenv of one that is set and empty", `getenv('EMPTY')`, `""`},
		{"getenv of one that is not set", `getenv('NOSUCH')`, `false`},
		{"getenv with a default", `getenv('NOSUCH') ?: getenv('EMPTY') ?: 'default'`, `"default"`},
		{"all of the environment", `[getenv(), 1]`, `? calls getenv()`},
		{"the environment by $_ENV, which depends on php.ini", `$_ENV['DBHOST'] ?? 1`, `? uses $_ENV`},
		{"null coalescing", `$nothing ?? $CFG->no ?? 'd'`, `"d"`},
		{"a ternary", `$CFG->dbtype === 'mysqli' ? 'm' : 'p'`, `"m"`},
		{"a ternary in a ternary", `true ? false ? 'a' : 'b' : 'c'`, `"b"`},
		{"a ternary behind a ternary, which PHP 8 refuses", `true ? 'a' : 'b' ? 'c' : 'd'`, `? has ? that is not known here`},
		{"comparisons in a row, which PHP refuses", `1 == 1 == 1`, `? has == that is not known here`},
		{"a sum beside a dot, which versions read differently", `'a' . 1 + 2`, `? has + or - beside . without brackets`},
		{"a sum in brackets", `'a' . (1 + 2)`, `"a3"`},
		{"arrays in both spellings", `array('a' => 1, 'b', 7 => [true, null], 'c')`, `[a: 1, 0: "b", 7: [0: true, 1: null], 8: "c"]`},
		{"array keys as PHP makes them", `['8' => 1, '08' => 2, true => 3, null => 5, -3 => 6]`, `[8: 1, 08: 2, 1: 3, : 5, -3: 6]`},
		{"counting on from a negative key, which versions do differently", `[-5 => 'a', 'b']`, `? counts on from a key that is not known here`},
		{"an array that is spread", `[...['a']]`, `? has ... that is not known here`},
		{"an element of an array", `['a' => ['b' => 'c']]['a']['b']`, `"c"`},
		{"integers", `[10, 0x1F, 017, -3]`, `[0: 10, 1: 31, 2: 15, 3: -3]`},
		{"a float is carried", `[1.5, E_ALL | E_STRICT, E_ALL & ~E_NOTICE]`, `[0: a number, 1: a number, 2: a number]`},
		{"a number that is none", `09`, `? has a number that is not known here`},
		{"a number that does not fit", `9223372036854775808`, `? has a number that is not known here`},
		{"a sum that does not fit", `9223372036854775807 + 1`, `? uses + on values of which it is not known here`},
		{"booleans and null in any case", `[TRUE, False, NULL]`, `[0: true, 1: false, 2: null]`},
		{"arithmetic", `[1 + 2 * 3, 02770 | 1, 1 - -1, 6 ^ 3, ~5, 0777 & 070]`, `[0: 7, 1: 1529, 2: 2, 3: 5, 4: -6, 5: 56]`},
		{"a division, which can give a float", `6 / 2`, `? uses / on values of which it is not known here`},
		{"arithmetic of strings", `'5' + 1`, `? uses + on values of which it is not known here`},
		{"casts", `[(int)'3306', (string)5, (bool)'0', (array)'a', (INTEGER) '7x', (int)'x']`, `[0: 3306, 1: "5", 2: false, 3: [0: "a"], 4: 7, 5: 0]`},
		{"a cast that is gone, where it is not run", `true ?: (unset)$db`, `? has a cast that PHP 8 does not know`},
		{"a cast of a string that is a float", `(int)'1e2'`, `? converts a value in a way that is not known here`},
		{"an object of a list", `(object)['a' => 1]`, `{a: 1}`},
		{"constants by define", `MDL_HOST`, `"a"`},
		{"a secret from a file", `trim(file_get_contents('/run/secrets/db'))`, `"pass"`},
		{"a secret from a file that is not there", `file_get_contents('/no')`, `false`},
		{"a file by a path that starts nowhere", `file_get_contents('db')`, `? calls file_get_contents()`},
		{"what an included file returns", `(require __DIR__ . '/local.php')['secret']`, `"s3"`},
		{"isset and empty", `[isset($db), isset($no), empty($db), empty($no), isset($CFG->opts['k'], $db), isset($no, $db)]`,
			`[0: true, 1: false, 2: false, 3: true, 4: true, 5: false]`},
		{"logic", `[true && false, false || true, !true, (false or true)]`, `[0: false, 1: true, 2: false, 3: true]`},
		{"comparison", `[1 == '1', 'a' == 'b', null == '', 2 > 1, '1' != 2, 1 === '1']`, `[0: true, 1: false, 2: true, 3: true, 4: true, 5: false]`},
		{"a comparison that versions do differently", `'abc' == 0`, `? uses == on values of which it is not known here`},
		{"a comparison of numbers in strings", `'10' == '1e1'`, `? uses == on values of which it is not known here`},
		{"an assignment within an assignment", `$CFG->y = 'z'`, `"z"`},
		{"an assignment beside an operator", `$db . ($db = 'x')`, `? assigns within an expression`},
		{"an unknown function", `gethostname()`, `? calls gethostname()`},
		{"a constant defined elsewhere", `SECRET`, `? uses a constant that is not known here`},
		{"the web request", `'http://' . $_SERVER['HTTP_HOST'] . (isset($_SERVER['HTTPS']) ? 's' : '')`, `"http://h.example:8080"`},
		{"the web request by the environment", `[getenv('HTTP_HOST'), getenv('HTTPS')]`, `[0: "h.example:8080", 1: false]`},
		{"what is not known of it by the environment", `getenv('HTTP_COOKIE')`, `? uses $_SERVER or its like, which depends on the web request`},
		{"what is not known of the web request", `$_SERVER['HTTP_X_FORWARDED_PROTO']`, `? uses $_SERVER or its like, which depends on the web request`},
		{"a closure", `function () { return 'a;'; }`, `? uses function`},
		{"a method call", `$db->connect('a')->x`, `? has ( that is not known here`},
		{"a static call", `Foo::bar('x')`, `? uses a class`},
		{"a command", "`hostname`", `? runs a command in backticks`},
		{"an object of another class", `new PDO('x')`, `? makes an object`},
		{"constants of PHP itself", `DIRECTORY_SEPARATOR . PHP_EOL . PHP_SAPI . php_sapi_name()`, `"/\nclicli"`},
		{"a range of characters to trim", `trim('abc', 'a..c')`, `? calls trim()`},
		{"a list, and its last element", `[explode(':', '1.2.3.4:80'), end($list)]`, `[0: [0: "1.2.3.4", 1: "80"], 1: "Z"]`},
		{"whether a property is there", `[property_exists($CFG, 'dbtype'), property_exists($CFG, 'no')]`, `[0: true, 1: false]`},
		{"a digest", `sha1('abc')`, `"a9993e364706816aba3e25717850c26c9cd0d89d"`},
		{"what is counted", `$k++`, `? has ++ that is not known here`},
		{"an object as a value", `$CFG`, `? uses an object as a value`},
		{"$GLOBALS", `$GLOBALS['db']`, `? uses $GLOBALS`},
		{"the arguments of the command line", `isset($argv)`, `? uses $argv`},
		{"a name that is computed", `$CFG->$k`, `? uses a computed name`},
		{"names of the global namespace", `[\getenv('DBHOST'), \PHP_EOL, \TRUE]`, `[0: "db.example.org", 1: "\n", 2: true]`},
		{"a name of the global namespace where none can be", `$CFG->\dbtype`, `? uses a computed name`},
		{"a magic name of the global namespace, which is none", `\__DIR__`, `? uses a namespace`},
		{"a part of a text", `$db[0]`, `? takes a part of what has none`},
		{"the end of a list", `$list[]`, `? uses [] of an array without assigning to it`},
		{"the end of a list that is not asked for", `false ? isset($list[]) : 1`, `? uses [] of an array without assigning to it`},
		{"a namespace", `\A\b()`, `? uses a namespace`},
		{"an attribute", "#[A]\n1", `? has an attribute`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			source := `<?php define('MDL_HOST', 'a'); $db = 'moodle'; $k = 'a'; $list = ['a' => 'A', 'Z'];
				$CFG = new stdClass(); $CFG->dbtype = 'mysqli'; $CFG->opts = array('k' => 'v');
				$CFG->x = ` + test.code + ";"
			a, err := Parse("/srv/moodle/config.php", []byte(source), env())
			if diff := cmp.Diff(test.want, result(a, err, "x")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// result is a property of $CFG, all of it for "", or why nothing is known.
func result(a *Assignments, err error, name string) string {
	var computed *ComputedError
	var ended *EndError
	switch {
	case errors.As(err, &computed):
		return "? " + computed.Problem
	case errors.As(err, &ended):
		return "! " + ended.By
	case name == "":
		return show(a.Variable("CFG"))
	}
	return show(a.Variable("CFG").Get(name))
}

// TestStatements reads each code after `<?php $CFG = new stdClass();` and looks at $CFG.
func TestStatements(t *testing.T) {
	tests := []struct{ name, code, want string }{
		{"comments of all three kinds", "# a ' \n// b \" \n/* c ; */ $CFG->a /* d */ = /* e */ 1 // f\n;", `{a: 1}`},
		{"a comment ends before the end of PHP", "$CFG->a = 1; // x ?> \n<?php\n$CFG->b = 2;", `{a: 1, b: 2}`},
		{"a comment ends at a carriage return", "// x\r$CFG->a = 1;", `{a: 1}`},
		{"an element is assigned before its array", `$CFG->o['p'] = 1; $CFG->o['q']['r'] = 2; $CFG->o[] = 3;`, `{o: [p: 1, q: [r: 2], 0: 3]}`},
		{"arrays are copied when they are assigned", `$a = [1]; $CFG->a = $a; $a[] = 2; $CFG->b = $a;`, `{a: [0: 1], b: [0: 1, 1: 2]}`},
		{"nested arrays are copied too", `define('MDL_D', [[1]]); $a = [[1]]; $b = $a; $b[0][] = 2; $d = MDL_D; $d[0][] = 4; $CFG->x = [$a, $b, MDL_D];`,
			`{x: [0: [0: [0: 1]], 1: [0: [0: 1, 1: 2]], 2: [0: [0: 1]]]}`},
		{"compound assignments", `$CFG->a = 'x'; $CFG->a .= 'y'; $CFG->n = 1; $CFG->n += 2; $CFG->d ??= 'd'; $CFG->a ??= 'z';`, `{a: "xy", n: 3, d: "d"}`},
		{"unset", `$CFG->a = 1; unset($CFG->a); $CFG->b = $CFG->a ?? 'gone'; $CFG->o = [1, 2]; unset($CFG->o[0], $CFG->no); $CFG->o[] = 3;`, `{b: "gone", o: [1: 2, 2: 3]}`},
		{"a fresh $CFG", `$CFG->a = 1; unset($CFG); global $CFG; $CFG = new \stdClass; $CFG->b = 2;`, `{b: 2}`},
		{"no $CFG at all", `unset($CFG); $CFG->a = 1;`, `? assigns a property of what is not an object`},
		{"an if that holds", `if ($CFG->x ?? true) { $CFG->a = 1; } else { $CFG->a = 2; }`, `{a: 1}`},
		{"an if that does not", `if (isset($NO)) { $CFG->a = 1; return; } $CFG->a = 2;`, `{a: 2}`},
		{"elseif in both spellings", `if (0) $CFG->a = 1; elseif (1) $CFG->a = 2; else $CFG->a = 3; if (0) {} else if (0) {} else { $CFG->b = 4; }`, `{a: 2, b: 4}`},
		{"an if with colons", `if (0): $CFG->a = 1; elseif (1): $CFG->a = 2; $CFG->b = 3; else: $CFG->a = 4; endif; $CFG->c = 5;`, `{a: 2, b: 3, c: 5}`},
		{"an if of both spellings, which PHP refuses", `if (0): else if (1): endif;`, `? uses if`},
		{"a condition nobody can decide", `$CFG->a = 1; if (foo()) { $CFG->b = 2; }`, `? calls foo()`},
		{"a call in a branch that is not taken", `if (isset($NO)) { foo(); } $CFG->a = 1;`, `{a: 1}`},
		{"what is not known in a branch that is not taken", `if (isset($NO)) { foreach ($a as $b) {} } $CFG->a = 1;`, `? uses foreach`},
		{"the right side of and", `defined('NO_SUCH') && $CFG->a = 1; defined('CLI_SCRIPT') and $CFG->b = 2;`, `{b: 2}`},
		{"a strict comparison of CLI_SCRIPT", `if (CLI_SCRIPT === true) { $CFG->a = 1; }`, `{a: 1}`},
		{"an assignment in a condition", `if (($h = getenv('DBHOST')) !== false) { $CFG->a = $h; }`, `{a: "db.example.org"}`},
		{"an unset of nothing in a branch that is not taken", `if (0) { unset($a[]); }`, `? uses [] of an array without assigning to it`},
		{"a loop", `while (false) {}`, `? uses while`},
		{"a switch", `switch (1) {}`, `? uses switch`},
		{"a function", `function f() {}`, `? uses function`},
		{"a reference", `$a = 'x'; $CFG->a =& $a;`, `? makes a reference`},
		{"an alias of an object", `$a = $b = new stdClass();`, `? makes an alias of an object`},
		{"an object in an array", `$a['x'] = new stdClass();`, `? puts an object into an array`},
		{"an object in an array that is written out", `$CFG->a = ['x' => (object)['p' => 1]];`, `{a: [x: {p: 1}]}`},
		{"a copy of an array with an object", `$a['y'] = ['x' => new stdClass()]; $b = $a;`, `? uses an object as a value`},
		{"a list taken apart", `[$h, $p] = ['a', 'b'];`, `? takes an array apart`},
		{"harmless calls", `ini_set('display_errors', '1'); @error_reporting(E_ALL | E_STRICT); umask(0022); setlocale(LC_ALL, 'de_DE'); $CFG->a = 1;`, `{a: 1}`},
		{"a harmless call for what is not", `ini_set('open_basedir', '/');`, `? calls ini_set() in a way that is not known here`},
		{"a harmless call as a value", `$CFG->a = ini_set('display_errors', '1');`, `? calls ini_set()`},
		{"a call that changes the environment", `putenv('A=b');`, `? calls putenv()`},
		{"text outside PHP", "?>\ntext <?php $CFG->b = 3;", `? has text outside <?php … ?>`},
		{"an echo tag", "?>\n<?= 1 ?>", `? has text outside <?php … ?>`},
		{"a short tag", "?>\n<? $CFG->a = 1;", `? has text outside <?php … ?>`},
		{"white space outside PHP", "?>\n \n<?php $CFG->b = 3 ?>\n", `{b: 3}`},
		{"an include by a path that is known", `require_once(__DIR__ . '/local.php');`, `{included: "/srv/moodle/local.php"}`},
		{"an include once is read once", `require_once __DIR__ . '/local.php'; unset($CFG->included); $x = include_once __DIR__ . '/local.php'; $CFG->x = $x;`, `{x: true}`},
		{"an include that is not there", `$x = @include __DIR__ . '/none.php'; $CFG->x = $x;`, `{x: false}`},
		{"a require that is not there", `require __DIR__ . '/none.php';`, `? requires a file that does not exist`},
		{"an include that may not be read", `include __DIR__ . '/unreadable.php';`, `? reads a file that cannot be read`},
		{"a relative path, which is looked for in several places", `include 'local.php';`, `? includes a file whose path is not known here`},
		{"a return leaves only its file", `include __DIR__ . '/leaves.php'; $CFG->c = 1;`, `{before: 1, c: 1}`},
		{"a file that ends outside PHP", `include __DIR__ . '/outside.php';`, `{a: 1}`},
		{"an include beside an operator", `$CFG->a = 'x' . (include __DIR__ . '/local.php');`, `? includes a file within an expression`},
		{"a return of the outermost file", `$CFG->a = 1; return;`, `! return`},
		{"an exit of two values, which PHP refuses", `if (0) { exit(1, 2); }`, `? has , that is not known here`},
		{"an exit", `include __DIR__ . '/exits.php'; $CFG->a = 1;`, `! exit`},
		{"a guard that holds", `defined('CLI_SCRIPT') || die('no'); if (!defined('CLI_SCRIPT')) { exit(1); } $CFG->a = 1;`, `{a: 1}`},
		{"lib/setup.php ends the reading", `$CFG->a = 1; require_once(__DIR__ . '/lib/setup.php'); foreach ($x as $y) { $CFG->a = 2; }`, `{a: 1}`},
		{"lib/setup.php in a return", `if (true) { $CFG->a = 1; return require_once(__DIR__ . '/lib/setup.php'); } $CFG->a = 2;`, `{a: 1}`},
		{"what PHP refuses behind lib/setup.php", `if (1) { require_once(__DIR__ . '/lib/setup.php'); } $a = = 5;`, `? has = where a value must be`},
		{"two values behind lib/setup.php", `return require_once(__DIR__ . '/lib/setup.php'); 5 5;`, `? has two values without an operator`},
		{"anything else behind lib/setup.php", `$CFG->a = 1; require_once(__DIR__ . '/lib/setup.php'); $CFG->a = 2; unset($CFG->a); f(); exit; function f() {} $a = <<<X`, `{a: 1}`},
		{"a bracket too many behind lib/setup.php", `require_once(__DIR__ . '/lib/setup.php'); }`, `? has a closing bracket without an opening one`},
		{"a character that is no PHP behind lib/setup.php", "require_once(__DIR__ . '/lib/setup.php'); $a = \x00;", `? has a character that is not PHP`},
		{"no end of the statement", `require_once(__DIR__ . '/lib/setup.php')`, `? has a bracket or a statement that does not end`},
		{"a string without end behind lib/setup.php", `require_once(__DIR__ . '/lib/setup.php'); $a = 'x`, `? has a string that does not end`},
		{"a function of the caller's", `$local = 0; boot(); $CFG->cachedir = $CFG->dataroot . '/cache'; $CFG->l = $local;`, `{dataroot: "/tenant", more: "/tenant", cachedir: "/tenant/cache", l: 0}`},
		{"a constant keeps its first value", `define('MDL_X', 1); define('MDL_X', 2); $CFG->a = MDL_X;`, `{a: 1}`},
		{"a constant that PHP may have", `define('PHP_VERSION', 'x');`, `? calls define()`},
		{"the request as the file sets it", `if (empty($_SERVER['HTTPS'])) { $_SERVER['HTTPS'] = 'on'; } $CFG->a = $_SERVER['HTTPS'];`, `{a: "on"}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a, err := Parse("/srv/moodle/config.php", []byte(`<?php $CFG = new stdClass(); `+test.code), env())
			if diff := cmp.Diff(test.want, result(a, err, "")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnErrorNamesTheFileAndTheLineOfTheConstruct(t *testing.T) {
	for source, want := range map[string]Position{
		"<?php\n\n$a = 'x' .\n  foo('y');":                                  {"/srv/moodle/config.php", 4},
		"<?php\n$CFG = new stdClass();\ninclude __DIR__ . '/computes.php';": {"/srv/moodle/computes.php", 3},
		"<?php\n\n  include 'relative.php';":                                {"/srv/moodle/config.php", 3},
		"<?php\n$a = 'x';\n$b = SECRET;":                                    {"/srv/moodle/config.php", 3},
	} {
		var computed *ComputedError
		if _, err := Parse("/srv/moodle/config.php", []byte(source), env()); !errors.As(err, &computed) || computed.Position != want {
			t.Errorf("%q: %v, want %v", source, err, want)
		}
	}
}

func TestWithoutARequestItsPartsAreNamed(t *testing.T) {
	e := env()
	e.Server = nil
	for name, of := range map[string]bool{"HTTP_HOST": true, "HTTPS": true, "SERVER_NAME": true, "DB_PASS": false} {
		var computed *ComputedError
		if _, err := Parse("/c.php", []byte("<?php $a = $_SERVER['"+name+"'];"), e); !errors.As(err, &computed) || computed.Request != of {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWithoutSurroundingsNothingOfThemIsKnown(t *testing.T) {
	for _, code := range []string{"getenv('A')", "file_get_contents('/a')", "file_exists('/a')", "include '/a'", "$_SERVER['HTTP_HOST']", "realpath('/a')"} {
		if a, err := Parse("/c.php", []byte("<?php $a = "+code+";"), Env{}); err == nil {
			t.Errorf("%s is %s", code, show(a.Variable("a")))
		}
	}
}

func TestValuesKnowTheirPlace(t *testing.T) {
	source := "<?php\n$CFG = new stdClass();\n$CFG->a =\n  'x';\n$CFG->b = [\n  'p' => 1,\n  'q' => 2,\n];\n\n\n\n\n$CFG->c = 1;\n"
	a, err := Parse("/c.php", []byte(source), Env{})
	if err != nil {
		t.Fatal(err)
	}
	cfg := a.Variable("CFG")
	for v, line := range map[*Value]int{ref(cfg.Get("a")): 3, ref(cfg.Get("b")): 5, ref(cfg.Get("b").Get("q")): 7, ref(cfg.Get("c")): 13} {
		if v.At() != (Position{"/c.php", line}) {
			t.Errorf("%v is not on line %d", *v, line)
		}
	}
}

func ref(v Value) *Value { return &v }

// TestMUCConfig reads what Moodle's cache_config_writer writes.
func TestMUCConfig(t *testing.T) {
	file := filepath.Join("testdata", "muc.php")
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	a, err := Parse(file, source, Env{Constants: map[string]Value{"MOODLE_INTERNAL": BoolValue(true)}})
	if err != nil {
		t.Fatal(err)
	}
	c := a.Variable("configuration")
	got := []string{
		c.Get("siteidentifier").Text(),
		c.Get("stores").Get("default_application").Get("plugin").Text(),
		c.Get("stores").Get("redis").Get("configuration").Get("server").Text(),
		fmt.Sprint(c.Get("stores").Get("redis").Get("configuration").Get("serializer").Int()),
		fmt.Sprint(c.Get("stores").Get("redis").Get("mappingsonly").Truth()),
		fmt.Sprint(len(c.Get("stores").Entries()), len(c.Get("modemappings").Entries())),
		c.Get("definitionmappings").Entries()[0].Key,
	}
	want := []string{"5d41402abc4b2a76b9719d911017c592", "file", "127.0.0.1:6379", "1", "false", "4 3", "1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
