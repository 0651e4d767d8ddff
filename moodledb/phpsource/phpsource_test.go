package phpsource

import (
	"fmt"
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
	case Unevaluated:
		return "? " + v.Why()
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
		"/srv/moodle/local.php":         `<?php $CFG->included = __FILE__; return ['secret' => 's3'];`,
		"/srv/moodle/leaves.php":        `<?php $CFG->before = 1; if (true) { return; } $CFG->after = 1;`,
		"/srv/moodle/sub/deeper.php":    `<?php require 'beside.php';`,
		"/srv/moodle/sub/beside.php":    `<?php $CFG->beside = __DIR__;`,
		"/srv/moodle/loop.php":          `<?php include __FILE__;`,
		"/srv/moodle/closure.php":       `<?php return fn() => 1;`,
		"/srv/moodle/lib/setup.php":     `<?php $CFG->setup = 'read';`,
		"/srv/moodle/hooked.php":        `<?php $CFG->dataroot = '/master';`,
		"/srv/moodle/more.php":          `<?php $CFG->more = $CFG->dataroot;`,
		"/run/secrets/db":               "pass\n",
		"/srv/moodle/lib/moodlelib.php": ``,
	}
	return Env{
		Constants: map[string]string{"CLI_SCRIPT": "1"},
		Getenv:    func(name string) string { return map[string]string{"DBHOST": "db.example.org", "PORT": "3307"}[name] },
		Read: func(path string) ([]byte, error) {
			if text, ok := files[path]; ok {
				return []byte(text), nil
			}
			return nil, os.ErrNotExist
		},
		Exists: func(path string) bool { _, ok := files[path]; return ok },
		Stop:   func(path string) bool { return strings.HasSuffix(path, "/lib/setup.php") },
		After: func(path string, a *Assignments) string {
			if path != "/srv/moodle/hooked.php" {
				return ""
			}
			a.Set(StringValue("/tenant"), "CFG", "dataroot")
			return "/srv/moodle/more.php"
		},
	}
}

// TestValues assigns each expression to $CFG->x in /srv/moodle/config.php.
func TestValues(t *testing.T) {
	tests := []struct{ name, code, want string }{
		{"single quotes escape only themselves and the backslash", `'a\'b\\c\n$x'`, `"a'b\\c\\n$x"`},
		{"double quotes know the escapes of PHP", `"\n\t\r\v\e\f\\\$\"\101\x41\u{e9}\q"`, `"\n\t\r\v\x1b\f\\$\"AAé\\q"`},
		{"a variable is interpolated", `"$db-x"`, `"moodle-x"`},
		{"a property is interpolated one level deep", `"$CFG->dbtype->y"`, `"mysqli->y"`},
		{"a nullsafe property is interpolated one level deep", `"$CFG?->dbtype?->y$CFG->dbtype?->z"`, `"mysqli?->ymysqli?->z"`},
		{"a key that is a number or a variable", `"$list[0]$list[-1]$list[$k]$list[01]."`, `"ZA."`},
		{"an element is interpolated with an unquoted key", `"$list[a]$list[0]"`, `"AZ"`},
		{"braces interpolate any expression", `"{$CFG->opts['k']}/{$list['a']}"`, `"v/A"`},
		{"dollar and brace interpolate a name", `"${db}s"`, `"moodles"`},
		{"a dollar that starts no name is itself", `"a$ 5$"`, `"a$ 5$"`},
		{"strings are joined", `'a' . "b" . 1 . 1.5 . true . null`, `"ab11.51"`},
		{"a heredoc is interpolated and loses its indentation", "<<<EOT\n    a $db\n      b\n    EOT", `"a moodle\n  b"`},
		{"a nowdoc is not interpolated", "<<<'EOT'\n$db \\n\nEOT", `"$db \\n"`},
		{"an empty heredoc is empty", "<<<EOT\nEOT", `""`},
		{"__DIR__ and __FILE__", `__DIR__ . '|' . __FILE__`, `"/srv/moodle|/srv/moodle/config.php"`},
		{"dirname of the file", `dirname(__FILE__) . dirname(__FILE__, 2) . dirname('/a/')`, `"/srv/moodle/srv/"`},
		{"getenv of a variable that is set", `getenv('DBHOST')`, `"db.example.org"`},
		{"getenv of one that is not set", `getenv('NOSUCH')`, `false`},
		{"getenv with a default", `getenv('NOSUCH') ?: 'default'`, `"default"`},
		{"getenv compared with false", `getenv('NOSUCH') !== false ? getenv('NOSUCH') : 'd'`, `"d"`},
		{"the environment by $_ENV and $_SERVER", `$_ENV['DBHOST'] . ($_SERVER['PORT'] ?? 1) . ($_ENV['NO'] ?? 2)`, `"db.example.org33072"`},
		{"null coalescing", `$nothing ?? $CFG->no ?? 'd'`, `"d"`},
		{"a ternary", `$CFG->dbtype === 'mysqli' ? 'm' : 'p'`, `"m"`},
		{"arrays in both spellings", `array('a' => 1, 'b', 7 => [true, null], 'c')`, `[a: 1, 0: "b", 7: [0: true, 1: null], 8: "c"]`},
		{"array keys as PHP makes them", `['8' => 1, '08' => 2, true => 3, 1.9 => 4, null => 5, -3 => 6]`, `[8: 1, 08: 2, 1: 4, : 5, -3: 6]`},
		{"an array is spread", `[...['a', 'k' => 1], ...['b']]`, `[0: "a", k: 1, 1: "b"]`},
		{"an element that is not literal spoils no other", `['a' => foo(1, ')'), 'b' => 2, 'c' => function() { return [1, 2]; }, 'd' => 4]`,
			`[a: ? calls a function the reader does not run, b: 2, c: ? is written in a way the reader does not know, d: 4]`},
		{"an element of an array", `['a' => ['b' => 'c']]['a']['b']`, `"c"`},
		{"numbers", `[10, 0x1F, 0b11, 017, 0o17, 1_000, 1.5, .5, 1e3, 9223372036854775808]`,
			`[0: 10, 1: 31, 2: 3, 3: 15, 4: 15, 5: 1000, 6: 1.5, 7: 0.5, 8: 1000, 9: 9.2233720368548E+18]`},
		{"booleans and null in any case", `[TRUE, False, NULL]`, `[0: true, 1: false, 2: null]`},
		{"arithmetic", `[1 + 2 * 3, 7 % 4, 6 / 2, 7 / 2, -3, 02770 | 1, 1 - -1]`, `[0: 7, 1: 3, 2: 3, 3: 3.5, 4: -3, 5: 1529, 6: 2]`},
		{"casts", `[(int)'3306', (string)5, (bool)'0', (float)'1.5', (array)'a', (INTEGER) '7x']`, `[0: 3306, 1: "5", 2: false, 3: 1.5, 4: [0: "a"], 5: 7]`},
		{"an object of a list", `(object)['a' => 1]`, `{a: 1}`},
		{"constants by define and const", `A_HOST . B_HOST`, `"ab"`},
		{"a secret from a file", `trim(file_get_contents('/run/secrets/db'))`, `"pass"`},
		{"what an included file returns", `(require __DIR__ . '/local.php')['secret']`, `"s3"`},
		{"isset and empty", `[isset($db), isset($no), empty($db), empty($no), isset($CFG->opts['k'], $db)]`, `[0: true, 1: false, 2: false, 3: true, 4: true]`},
		{"logic", `[true && false, false || true, !true, true xor true, (false or true)]`, `[0: false, 1: true, 2: false, 3: false, 4: true]`},
		{"comparison", `[1 == '1', 'a' == 'b', null == '', 1 === 1.0, 2 > 1, '10' == '1e1', '1' != 2]`, `[0: true, 1: false, 2: true, 3: false, 4: true, 5: true, 6: true]`},
		{"an assignment within an assignment", `$CFG->y = 'z'`, `"z"`},
		{"an unknown function", `gethostname()`, `? calls a function the reader does not run`},
		{"an unknown function in a concatenation", `'http://' . php_uname('n')`, `? calls a function the reader does not run`},
		{"a constant defined elsewhere", `SECRET`, `? uses a constant that is not defined here`},
		{"the web request", `'https://' . $_SERVER['HTTP_HOST']`, `? depends on the web request`},
		{"a closure", `function () use ($db) { return 'a;'; }`, `? is written in a way the reader does not know`},
		{"an arrow function", `fn($x) => $x`, `? is written in a way the reader does not know`},
		{"a method call", `$db->connect('a')->x`, `? calls a function the reader does not run`},
		{"a static call", `Foo::bar('x')`, `? uses a class`},
		{"a command", "`hostname`", `? runs a command`},
		{"an object of another class", `new PDO('x')`, `{}`},
		{"a property of an object of another class", `(new PDO('x'))->y`, `? belongs to an object of another class`},
		{"a part of a list that is not known", `unknown()['a']`, `? calls a function the reader does not run`},
		{"constants of PHP itself", `DIRECTORY_SEPARATOR . PATH_SEPARATOR . PHP_EOL . PHP_SAPI . php_sapi_name()`, `"/:\nclicli"`},
		{"a constant by its name", `constant('A_HOST') . constant('PHP_EOL')`, `"a\n"`},
		{"a path without its dots, of what is there", `[realpath('/run/secrets/db'), realpath('/no')]`, `[0: "/run/secrets/db", 1: false]`},
		{"a path that starts nowhere", `[realpath('db'), file_exists('db'), file_get_contents('db')]`, `[0: ? asks for a file, 1: ? asks for a file, 2: ? reads a file]`},
		{"a secret from a file that is not there", `file_get_contents('/no')`, `? reads a file that cannot be read`},
		{"the directory above by no level", `dirname('/a', 0)`, `? asks for no directory`},
		{"a range of characters to trim", `trim('abc', 'a..c')`, `? trims characters the reader does not know`},
		{"a replacement in arrays", `str_replace(['a'], 'b', 'a')`, `? replaces in arrays`},
		{"a replacement of nothing", `str_replace('', 'b', 'a')`, `"a"`},
		{"an argument nobody understands", `trim('a' b)`, `? is written in a way the reader does not know`},
		{"casts of objects", `[(int)(object)['a' => 1], (bool)new stdClass, boolval(0)]`, `[0: 1, 1: true, 2: false]`},
		{"casts to lists", `[(array)null, (object)'a', (unset)$db]`, `[0: [], 1: {scalar: "a"}, 2: null]`},
		{"a cast of what is not known, and one that PHP does not make", `[(int)foo(), (string)[1]]`,
			`[0: ? calls a function the reader does not run, 1: ? is cast in a way the reader does not know]`},
		{"numbers beyond all numbers", `['' . (1e400 - 1e400), '' . -1e400, '' . 1e400]`, `[0: "NAN", 1: "-INF", 2: "INF"]`},
		{"signs, remainders and bits", `[+'5', 5 % -1, 6 ^ 3]`, `[0: 5, 1: 0, 2: 5]`},
		{"a remainder of a division by nothing", `1 % 0`, `? calculates what has no result`},
		{"operators nobody needs", `[2 ** 3, 1 <=> 2, 1 << 2]`, strings.Replace(`[0: ?, 1: ?, 2: ?]`, "?", "? uses an operator the reader does not know", 3)},
		{"numbers that are none", `[0xFFFFFFFFFFFFFFFFFF, 09]`, `[0: ? is a number too large, 1: ? is no number]`},
		{"what is counted", `[++$k, $k, $list['a']--, foo()]`, `[0: ? is counted, 1: ? is counted, 2: ? is counted, 3: ? calls a function the reader does not run]`},
		{"a call of a value", `['f'(1), $db('x'), (new A)->f(1)]`, strings.Replace(`[0: ?, 1: ?, 2: ?]`, "?", "? calls a function the reader does not run", 3)},
		{"a class by a value", `['A'::b(), $db::X]`, `[0: ? uses a class, 1: ? uses a class]`},
		{"an object of no name", `new class { }`, `? makes an object`},
		{"the end of a list", `[[1][], $list[]]`, `[0: ? reads [] of an array, 1: ? reads [] of an array]`},
		{"a part of a text", `['abc'[0], $db['x']]`, `[0: ? takes an unknown part, 1: ? takes a part of a string]`},
		{"a part whose name is not literal", `$list[foo()]`, `? depends on a name that is not literal`},
		{"a property by what is no name", `$CFG->'a'`, `? is written in a way the reader does not know`},
		{"more parts than any file has", `$db` + strings.Repeat(`['x']`, 101), `? is nested too deeply`},
		{"a list whose keys are not literal", `[[foo() => 1, 'a' => 2]['a'], [foo() => 1]['b']]`, `[0: 2, 1: ? may be an element whose key is not literal]`},
		{"a list of what is spread and not known", `[...foo(), ...['a' => 1]]['b']`, `? may be an element of a spread array`},
		{"elements without a comma", `[1 2, 3]`, `[0: ? is written in a way the reader does not know, 1: 3]`},
		{"isset of what a call gives", `[isset($db->f()), isset(FOO)]`, `[0: ? asks for what a call gives, 1: ? is written in a way the reader does not know]`},
		{"a bracket with two values", `('a' b)`, `? is written in a way the reader does not know`},
		{"all of the environment, and all of the request", `[$_SERVER, $_GET['x'], $_ENV[foo()]]`,
			`[0: ? depends on the whole environment, 1: ? depends on the web request, 2: ? depends on the whole environment]`},
		{"$GLOBALS of itself", `$GLOBALS['GLOBALS']`, `? uses $GLOBALS`},
		{"binary strings", `b'x' . B"y"`, `"xy"`},
		{"a name that ends with its namespace", `A\ `, `? uses a constant that is not defined here`},
		{"expressions inside a string that nobody understands", `["{$db b}", "${'x'}"]`,
			`[0: ? is written in a way the reader does not know, 1: ? is written in a way the reader does not know]`},
		{"a bracket inside a string that is no key", `"$db[ x"`, `"moodle[ x"`},
		{"what looks like a heredoc", `1 <<< 2`, `? is written in a way the reader does not know`},
		{"a heredoc with line ends of Windows", "<<<EOT\r\na\r\nb\r\nEOT", `"a\r\nb"`},
		{"what an included file returns and nobody understands", `require 'closure.php'`, `? is written in a way the reader does not know`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			source := `<?php define('A_HOST', 'a'); const B_HOST = 'b'; $db = 'moodle'; $k = 'a'; $list = ['a' => 'A', 'Z'];
				$CFG = new stdClass(); $CFG->dbtype = 'mysqli'; $CFG->opts = array('k' => 'v');
				$CFG->x = ` + test.code + ";\n$CFG->next = 'reached';"
			a, err := Parse("/srv/moodle/config.php", []byte(source), env())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, show(a.Variable("CFG").Get("x"))); diff != "" {
				t.Error(diff)
			}
			if got := a.Variable("CFG").Get("next").Text(); got != "reached" {
				t.Errorf("the statement behind was not read: %q", got)
			}
		})
	}
}

// TestStatements reads each code behind `<?php $CFG = new stdClass();` and looks at $CFG.
func TestStatements(t *testing.T) {
	const undecidedWhy = `? is assigned under a condition that cannot be decided here`
	tests := []struct{ name, code, want string }{
		{"comments of all three kinds", "# a ' \n// b \" \n/* c ; */ $CFG->a /* d */ = /* e */ 1 // f\n;", `{a: 1}`},
		{"a comment ends before the end of PHP", "$CFG->a = 1; // x ?> 'text' <?php\n$CFG->b = 2;", `{a: 1, b: 2}`},
		{"an element is assigned before its array", `$CFG->o['p'] = 1; $CFG->o['q']['r'] = 2; $CFG->o[] = 3;`, `{o: [p: 1, q: [r: 2], 0: 3]}`},
		{"arrays are copied when they are assigned", `$a = [1]; $CFG->a = $a; $a[] = 2; $CFG->b = $a;`, `{a: [0: 1], b: [0: 1, 1: 2]}`},
		{"nested arrays are copied too", `define('D', [[1]]); $a = [[1]]; $b = $a; $b[0][] = 2; $c = [...$a]; $c[0][] = 3; $d = D; $d[0][] = 4; $CFG->x = [$a, $b, $c, D];`,
			`{x: [0: [0: [0: 1]], 1: [0: [0: 1, 1: 2]], 2: [0: [0: 1, 1: 3]], 3: [0: [0: 1]]]}`},
		{"compound assignments", `$CFG->a = 'x'; $CFG->a .= 'y'; $CFG->n = 1; $CFG->n += 2; $CFG->d ??= 'd'; $CFG->a ??= 'z';`, `{a: "xy", n: 3, d: "d"}`},
		{"a property by a name in a variable", `$n = 'x'; $CFG->$n = 1; $CFG->{'y' . $n} = 2;`, `{x: 1, yx: 2}`},
		{"unset", `$CFG->a = 1; unset($CFG->a); $CFG->b = $CFG->a ?? 'gone';`, `{a: null, b: "gone"}`},
		{"a fresh $CFG", `$CFG->a = 1; unset($CFG); global $CFG; $CFG = new \stdClass; $CFG->b = 2;`, `{b: 2}`},
		{"an if that holds", `if ($CFG->x ?? true) { $CFG->a = 1; } else { $CFG->a = 2; }`, `{a: 1}`},
		{"an if that does not", `if (isset($NO)) { $CFG->a = 1; return; } $CFG->a = 2;`, `{a: 2}`},
		{"elseif in both spellings", `if (0) $CFG->a = 1; elseif (1) $CFG->a = 2; else $CFG->a = 3; if (0) {} else if (0) {} else { $CFG->b = 4; }`, `{a: 2, b: 4}`},
		{"an if with colons", `if (0): $CFG->a = 1; elseif (1): $CFG->a = 2; $CFG->b = 3; else: $CFG->a = 4; endif; $CFG->c = 5;`, `{a: 2, b: 3, c: 5}`},
		{"a condition nobody can decide", `$CFG->a = 1; if (foo()) { $CFG->a = 2; return; } $CFG->b = 3;`, `{a: ` + undecidedWhy + `, b: 3}`},
		{"else of such a condition", `if (foo()) { } else { $CFG->a = 2; }`, `{a: ` + undecidedWhy + `}`},
		{"a branch behind such a condition", `if (foo()) { } elseif (true) { $CFG->a = 2; } else { $CFG->b = 1; }`, `{a: ` + undecidedWhy + `}`},
		{"a condition of the web request keeps what was assigned before", `$CFG->a = 1; if ($_SERVER['HTTP_HOST'] == 'x') { $CFG->a = 2; $CFG->b = 3; }`,
			`{a: 1, b: ? is assigned for certain web requests only}`},
		{"a condition of the web request with an else keeps nothing, for one of them runs", `$CFG->a = 1; if ($_SERVER['HTTP_HOST'] == 'x') { $CFG->a = 2; } else { $CFG->a = 3; }`,
			`{a: ? is assigned otherwise for each web request}`},
		{"a condition of the web request and something unknown", `$CFG->a = 1; if (isset($_SERVER['HTTPS'])) { if (foo()) $CFG->a = 2; }`, `{a: ` + undecidedWhy + `}`},
		{"the right side of and", `defined('NO') && $CFG->a = 1; defined('CLI_SCRIPT') and $CFG->b = 2; foo() || $CFG->c = 3;`, `{b: 2, c: ` + undecidedWhy + `}`},
		{"an assignment in a condition", `if (($h = getenv('DBHOST')) !== false) { $CFG->a = $h; }`, `{a: "db.example.org"}`},
		{"loops", `foreach ([1] as $k => $v) { $CFG->a = 1; } while (foo()) $CFG->b = 2; for ($i = 0; $i < 1; $i++): $CFG->c = 3; endfor; do { $CFG->d = 4; } while (0); $CFG->i = $i;`,
			`{a: ` + undecidedWhy + `, b: ` + undecidedWhy + `, c: ` + undecidedWhy + `, d: ` + undecidedWhy + `, i: ` + undecidedWhy + `}`},
		{"switch", `$CFG->b = 1; switch (foo()) { case 'x': $CFG->a = 1; break; default: $CFG->a = 2; } $CFG->c = 3;`, `{b: 1, a: ` + undecidedWhy + `, c: 3}`},
		{"try", `try { $CFG->a = 1; } catch (Exception $e) { $CFG->a = 2; } finally { $CFG->b = 3; }`, `{a: 1, b: 3}`},
		{"functions and classes are not run", `function f($a = ['x']): array { global $CFG; $CFG->a = 1; } final class C extends D { function g() { $CFG->a = 2; } } f(); $CFG->b = 1;`, `{b: 1}`},
		{"namespaces, use, declare", `declare(strict_types=1); use A\B; $CFG->a = \dirname('/x/y');`, `{a: "/x"}`},
		{"a call as a statement", `ini_set('a', 'b;'); @error_reporting(E_ALL | E_STRICT); $CFG->a = 1;`, `{a: 1}`},
		{"a statement nobody understands", `$x = fn() => [1; $CFG->a = 1;`, ``},
		{"a list taken apart", `$h = 'a'; [$h, $p] = foo(); list('k' => $q) = foo(); $CFG->a = $h; $CFG->q = $q;`, `{a: ? is a part of an array, q: ? is a part of an array}`},
		{"a reference", `$a = 'x'; $CFG->a =& $a;`, `{a: ? is a reference}`},
		{"names that are computed", `$CFG->a = 1; foreach ($x as $k => $v) { $CFG->$k = $v; }`, `{a: 1}`},
		{"text outside PHP", "1; ?>\n$CFG->a = 2;\n<?= 'x' ?>\n<?php $CFG->b = 3;", `{b: 3}`},
		{"an include by a literal path", `require_once(__DIR__ . '/local.php');`, `{included: "/srv/moodle/local.php"}`},
		{"an include once is read once", `require_once 'local.php'; unset($CFG->included); include_once __DIR__ . '/local.php';`, `{included: null}`},
		{"a return leaves only its file", `include 'leaves.php'; $CFG->c = 1;`, `{before: 1, c: 1}`},
		{"a relative path starts at the file", `require 'sub/deeper.php';`, `{beside: "/srv/moodle/sub"}`},
		{"lib/setup.php ends the reading", `require_once("$CFG->dirroot" . __DIR__ . '/lib/setup.php'); $CFG->a = 1;`, `{}`},
		{"a file behind file_exists", `if (file_exists(__DIR__ . '/local.php')) { include __DIR__ . '/local.php'; } if (is_readable('/no')) { $CFG->a = 1; }`, `{included: "/srv/moodle/local.php"}`},
		{"a hook sets values and names a file", `require 'hooked.php'; $CFG->cachedir = $CFG->dataroot . '/cache';`, `{dataroot: "/tenant", more: "/tenant", cachedir: "/tenant/cache"}`},
		{"a branch behind one that was taken", `if (1) { $CFG->a = 1; } elseif (foo()) { $CFG->a = 2; } else { $CFG->a = 3; }`, `{a: 1}`},
		{"else and a word that is not if", `if (0) $CFG->a = 1; else require 'local.php';`, `{included: "/srv/moodle/local.php"}`},
		{"conditions nobody understands", `if foo; $CFG->a = 1; if ($x y) { $CFG->b = 2; }`, `{a: 1, b: ` + undecidedWhy + `}`},
		{"XML in the text outside PHP", "1; ?>\n<?xml version='1.0'?>\n<?php $CFG->b = 3;", `{b: 3}`},
		{"$CFG by $GLOBALS", `$GLOBALS['CFG']->a = 1;`, `{a: 1}`},
		{"a default for what is not known", `$CFG->a = foo(); $CFG->a ??= 'd';`, `{a: ? calls a function the reader does not run}`},
		{"unset in a branch", `$CFG->a = 1; $CFG->b = 2; if (0) { unset($CFG->a); } if (foo()) { unset($CFG->b); }`, `{a: 1, b: ` + undecidedWhy + `}`},
		{"an element of what is not known", `$CFG->o = foo(); $CFG->o['p'] = 1; $CFG->q = $CFG->o['q'];`, `{o: [p: 1], q: ? calls a function the reader does not run}`},
		{"a statement without its end", `if (1) { $CFG->a = 1; foo } $CFG->b = 2;`, `{a: 1, b: 2}`},
		{"an if without its branch", `{ if (1) } $CFG->a = 1;`, `{a: 1}`},
		{"functions by reference and functions without a name", `function &f() { $CFG->a = 1; } function () { $CFG->a = 2; }; $CFG->b = 3;`, `{b: 3}`},
		{"a namespace, with and without its brackets", `namespace A; $CFG->a = 1; namespace B { $CFG->b = 2; }`, `{a: 1, b: 2}`},
		{"a constant that nobody understands", `const X = fn() => 1; $CFG->a = X;`, `{a: ? is written in a way the reader does not know}`},
		{"a constant keeps its first value", `define('X', 1); define('X', 2); $CFG->a = X;`, `{a: 1}`},
		{"constants of branches", `if (0) define('X', 1); if (foo()) define('Y', 1); $CFG->a = defined('X'); $CFG->b = Y;`,
			`{a: false, b: ? is defined under a condition that cannot be decided here}`},
		{"what follows __halt_compiler is no PHP", `$CFG->a = 1; __halt_compiler(); $CFG->b = '`, `{a: 1}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a, err := Parse("/srv/moodle/config.php", []byte(`<?php $CFG = new stdClass(); `+test.code), env())
			if test.want == "" {
				if err == nil {
					t.Fatal("no error")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, show(a.Variable("CFG"))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFixedValuesStandWhateverTheSourceAssigns(t *testing.T) {
	e := env()
	e.Fixed = map[string]string{"dbname": "other", "dboptions.dbport": "3307"}
	source := `<?php unset($CFG); $CFG = new stdClass(); $CFG->dbname = secret(); $CFG->x = "$CFG->dbname.sql"; $CFG->dboptions = ['dbport' => 1, 'ssl' => 'require'];`
	a, err := Parse("/c.php", []byte(source), e)
	if err != nil {
		t.Fatal(err)
	}
	cfg := a.Variable("CFG")
	got := []string{show(cfg.Get("dbname")), show(cfg.Get("dboptions")), show(cfg.Get("x"))}
	want := []string{`"other"`, `[dbport: "3307", ssl: "require"]`, `"other.sql"`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestUnreadNamesTheIncludesThatCouldNotBeFollowed(t *testing.T) {
	source := "<?php\nrequire '/no/such.php';\n\ninclude $dir . foo();\ninclude '/optional.php';\nif (0) require '/skipped.php';"
	a, err := Parse("/c.php", []byte(source), env())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, u := range a.Unread() {
		got = append(got, fmt.Sprintf("%s:%d %s", u.At().File, u.At().Line, u.Why()))
	}
	want := []string{"/c.php:2 includes a file that cannot be read", "/c.php:4 includes a file whose path is not literal"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWithoutFilesToReadAnIncludeIsNamed(t *testing.T) {
	a, err := Parse("/c.php", []byte("<?php\n$CFG->x = 'y';\ninclude 'more.php';"), Env{})
	if err != nil {
		t.Fatal(err)
	}
	unread := a.Unread()
	if len(unread) != 1 || unread[0].At().Line != 3 || unread[0].Why() != "includes a file that is not read" {
		t.Errorf("unread: %v", unread)
	}
	if x := a.Variable("CFG").Get("x"); x.Text() != "y" || x.Why() != "" {
		t.Errorf("%v: %s", x, x.Why())
	}
}

func TestValuesKnowTheirPlace(t *testing.T) {
	source := "<?php\n\n$CFG->a =\n  'x';\n$CFG->b = [\n  'p' => 1,\n  'q' => foo(),\n];\n$s = <<<E\n\n\nE;\n$CFG->c = 1;\n"
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
	a, err := Parse(file, source, Env{})
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
