package config

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

// sequences writes config.php files of random statements: most of them from the language that is
// read without php, some outside it, some that PHP itself refuses.
type sequences struct {
	*rand.Rand
	depth int
	tame  bool // only what is read without php, as far as that can be known without running it
}

func (g *sequences) of(choices ...string) string { return choices[g.IntN(len(choices))] }

// one runs one of the choices.
func (g *sequences) one(choices ...func() string) string { return choices[g.IntN(len(choices))]() }

func (g *sequences) variable() string { return g.of("$a", "$b", "$c", "$d") }

func (g *sequences) key() string {
	if g.tame {
		return g.of("'k'", "'x'", "0", "'1'", "'01'", `"k"`, "true")
	}
	return g.of("'k'", "'x'", "0", "1", "'1'", "'01'", "$a", "'k' . 'x'", "true", "null", "-1", `"k"`, `"$b"`)
}

func (g *sequences) place() string {
	if g.tame {
		return g.of("$a", "$b", "$CFG->dbpass", "$CFG->p", "$CFG->q", "$m['k']", "$CFG->m['k']", "$m["+g.key()+"]", "$CFG->m["+g.key()+"]")
	}
	return g.of("$a", "$b", "$c", "$d", "$CFG->dbpass", "$CFG->p", "$CFG->q", "$m['k']", "$m['x']", "$CFG->m['k']", "$CFG->m['k']['x']", "$m[]", "$CFG->m[]",
		"$m["+g.key()+"]", "$CFG->m["+g.key()+"]", "$n["+g.key()+"]["+g.key()+"]", "$o->p", "$CFG->o->p", "$_SERVER['X']")
}

func (g *sequences) literal() string {
	if g.tame {
		return g.of("'new'", "'x\\'y'", `"d\tq\x41\u{e9}"`, `"\$a"`, "'5'", "''", "'0'", "7", "010", "true", "false", "null", `"v$a"`, `"v{$b}w"`, `"$CFG->p-"`, `"\{$a}"`, "__DIR__",
			"PHP_EOL", "getenv('SET')", "getenv('EMPTY')", "getenv('NOT_SET')", "C_ONE", `"a[b]"`, "'a\nb'", "trim(file_get_contents(__DIR__ . '/secret.txt'))", "dirname(__FILE__)")
	}
	return g.of("'new'", "'old'", "'x\\'y'", `"d\tq\x41\u{e9}"`, `"\$a"`, "'5'", "'05'", "''", "'0'", "7", "0", "-3", "010", "0x1f", "true", "false", "null", "TRUE", "1.5", "E_ALL",
		`"v$a"`, `"v{$b}w"`, `"$m[k]"`, `"{$m['k']}"`, `"$CFG->p-"`, `"${a}"`, `"\{$a}"`, "__DIR__", "PHP_EOL", "'a' . 'b'", "[1, 'k' => 'v', 2]", "array('x' => array(1), 'k' => 'w')", "[]",
		"getenv('SET')", "getenv('EMPTY')", "getenv('NOT_SET')", `"a[b]"`, `"$ a"`, `"a\
b"`, "'a\nb'", "9223372036854775807", "C_ONE", "PHP_SAPI", "__FILE__", "'1e1'", "' 1'", "'1 '", "'abc'")
}

func (g *sequences) expression() string {
	if g.depth > 3 || g.IntN(3) == 0 {
		return g.of(g.literal(), g.literal(), g.variable(), g.read())
	}
	g.depth++
	defer func() { g.depth-- }()
	e := g.expression
	if g.tame {
		return g.one(
			func() string { return e() + " . " + e() },
			func() string { return "(" + e() + ")" },
			func() string { return e() + " ?: " + e() },
			func() string { return e() + " ?? " + e() },
			func() string { return "(" + e() + " ? " + e() + " : " + e() + ")" },
			func() string { return "(" + e() + g.of(" === ", " !== ") + e() + ")" },
			func() string { return "(" + e() + g.of(" && ", " || ", " and ", " or ", " xor ") + e() + ")" },
			func() string { return g.of("!", "(string)", "(bool) ", "@") + e() },
			func() string { return g.of("isset(", "empty(") + g.read() + ")" },
			func() string { return "empty(" + e() + ")" },
			func() string { return "trim(" + e() + ")" },
			func() string { return "['k' => " + e() + ", " + e() + "]" + g.of("['k']", "[0]") },
			func() string {
				return g.of("defined('C_ONE')", "defined('C_NONE')", "CLI_SCRIPT", "file_exists(__DIR__ . '/set.inc')")
			},
		)
	}
	return g.one(
		func() string { return e() + g.of(" . ", ".", " . ") + e() },
		func() string { return "(" + e() + ")" },
		func() string { return e() + " ?: " + e() },
		func() string { return e() + " ?? " + e() },
		func() string { return "(" + e() + " ? " + e() + " : " + e() + ")" },
		func() string { return e() + " ? " + e() + " : " + e() },
		func() string { return e() + g.of(" == ", " === ", " != ", " !== ", " < ", " >= ", " <> ") + e() },
		func() string { return e() + g.of(" && ", " || ", " and ", " or ", " xor ") + e() },
		func() string { return e() + g.of(" + ", " - ", " * ", " / ", " % ", " | ", " & ", " ^ ") + e() },
		func() string {
			return g.of("!", "-", "(int)", "(string)", "(bool) ", "(array)", "@", "~", "( string )", "(float)", "+", "(object)") + e()
		},
		func() string { return "(" + g.variable() + " = " + e() + ")" },
		func() string { return g.of("isset(", "empty(") + g.read() + ")" },
		func() string { return "isset(" + g.read() + ", " + g.read() + ")" },
		func() string { return "empty(" + e() + ")" },
		func() string {
			return g.of("trim", "rtrim", "ltrim") + "(" + e() + g.of("", ", '/'", ", \"\\n\"", ", 'a..z'") + ")"
		},
		func() string { return "dirname(" + e() + g.of("", ", 2") + ")" },
		func() string { return "explode(',', " + e() + ")" + g.of("", "[0]") },
		func() string { return "[" + e() + ", " + g.key() + " => " + e() + "]" },
		func() string { return "['k' => " + e() + "]['k']" },
		func() string { return "intval(" + e() + ")" },
		func() string { return "sha1(" + e() + ")" },
		func() string { return "end(" + g.of("$m", "$a", "$CFG->m") + ")" },
		func() string {
			return g.of("defined('C_ONE')", "defined('C_TWO')", "defined('CLI_SCRIPT')", "CLI_SCRIPT", "define('C_TWO', "+e()+")", "C_TWO")
		},
		func() string {
			return g.of("file_exists", "is_file", "is_dir", "is_readable", "file_get_contents", "realpath") + "(" + g.path() + ")"
		},
		func() string { return "(include " + g.path() + ")" },
		func() string { return "property_exists($CFG, " + g.of("'p'", "'dbpass'", "'zz'") + ")" },
		func() string {
			return g.of("strrev("+e()+")", "strtoupper('new')", "fn() => 1", "$a++", "--$b", "new stdClass", "new ArrayObject", "clone $CFG", "$CFG", "'new'[1]", "$a[0]", "2 ** 3", "1 <=> 2", "$a instanceof stdClass", "print 'x'", "`echo new`", "die('x')", "throw new Exception('x')", "match(true) { default => 'new' }", "[...[1, 2]]", "$CFG?->p", "${'a'}", "$$a", "list($a) = ['x']", "static fn() => 2", "b'x'", "1_000", "PHP_VERSION", "$_ENV['SET']", "$GLOBALS['a']", "$argc", "new class {}", "Foo::BAR", "UNDEFINED_THING")
		},
	)
}

func (g *sequences) read() string {
	if g.tame {
		return g.of("$a", "$b", "$CFG->p", "$CFG->q", "$CFG->dbpass", "$undefined", "$undefined['x']", "$CFG->nope->nope")
	}
	return g.of("$a", "$b", "$c", "$CFG->p", "$CFG->q", "$CFG->dbpass", "$m['k']", "$m["+g.key()+"]", "$CFG->m['k']", "$CFG->m['k']['x']", "$n['k'][0]", "$undefined", "$undefined['x']->y",
		"$CFG->nope->nope", "$o->p", "$CFG->o->p", "$_SERVER['X']", "$CFG->m["+g.key()+"]", "$CFG->o", "$m")
}

func (g *sequences) path() string {
	if g.tame {
		return g.of("__DIR__ . '/set.inc'", "dirname(__FILE__) . '/early.inc'", "__DIR__ . '/cond.inc'")
	}
	return g.of("__DIR__ . '/set.inc'", "__DIR__ . '/ret.inc'", "__DIR__ . '/nope.inc'", "dirname(__FILE__) . '/secret.txt'", "__DIR__", "__DIR__ . '/early.inc'", "'set.inc'", "__DIR__ . '/./set.inc'", "__DIR__ . '/cond.inc'")
}

func (g *sequences) block() string {
	var b strings.Builder
	for range g.IntN(3) {
		b.WriteString(g.statement())
	}
	return b.String()
}

func (g *sequences) statement() string {
	if g.depth > 3 {
		return g.variable() + " = " + g.literal() + ";\n"
	}
	g.depth++
	defer func() { g.depth-- }()
	assign := func() string {
		if g.tame {
			return g.place() + g.of(" = ", " = ", " = ", " .= ") + g.expression() + ";\n"
		}
		return g.place() + g.of(" = ", " = ", " = ", " = ", " = ", " = ", " .= ", " ??= ", " += ") + g.expression() + ";\n"
	}
	switch g.IntN(44) {
	case 42, 43:
		return g.copies()
	case 40, 41: // PHP also compiles what it does not run
		tame := g.tame
		g.tame = false
		defer func() { g.tame = tame }()
		return "if (" + g.of("false", "0", "isset($zz)") + ") {\n" + g.statement() + g.expression() + ";\n}\n"
	case 0, 1, 2:
		return "if (" + g.expression() + ") {\n" + g.block() + "}" + g.of("", " else {\n"+g.block()+"}", " elseif ("+g.expression()+") { "+g.block()+"}", " else if ("+g.expression()+") { "+g.block()+"} else { "+g.block()+"}") + "\n"
	case 3:
		return "if (" + g.expression() + "):\n" + g.block() + g.of("", "elseif ("+g.expression()+"):\n"+g.block()) + g.of("", "else:\n"+g.block()) + "endif;\n"
	case 4:
		return "if (" + g.expression() + ") " + assign()
	case 5:
		return "unset(" + g.place() + g.of("", ", "+g.place()) + ");\n"
	case 6:
		return "define('" + g.of("C_ONE", "C_TWO", "C_TWO", "C_THREE") + "', " + g.expression() + ");\n"
	case 7:
		return g.of("include", "include_once", "require", "require_once", "@include") + " " + g.path() + ";\n"
	case 8:
		return g.variable() + " = " + g.of("include", "include_once") + " " + g.path() + ";\n"
	case 9:
		return g.variable() + " = " + g.place() + " = " + g.expression() + ";\n"
	case 10:
		return g.of("@ini_set('display_errors', '1');", "error_reporting(E_ALL);", "date_default_timezone_set('UTC');", "setlocale(LC_ALL, 'de_DE');", "umask(0022);", ";", "{ }", "global $CFG;", "global $zz;", "ini_set('precision', 3);", "ini_set('memory_limit', '1G');", "set_time_limit(0);", "?>\n<?php\n", "// x ?>\n<?php\n", "# y\n", "/* z */") + "\n"
	case 11:
		return g.expression() + ";\n"
	case 12:
		return g.variable() + " = " + g.of("new stdClass", "new stdClass()", "(object)['p' => 'v']", "(object) array()") + ";\n"
	case 13:
		if g.tame {
			return assign()
		}
		return g.of("$o", "$CFG->o", "$m['k']", "$CFG") + " = " + g.of("new stdClass()", "(object)['p' => 'v']", "$CFG", "$o") + ";\n"
	case 14:
		if g.tame || g.IntN(3) > 0 {
			return assign()
		}
		return g.beside()
	case 15:
		if g.tame || g.IntN(6) > 0 {
			return assign()
		}
		return g.of("exit;\n", "return;\n", "die('x');\n", "return 1;\n", "if ("+g.expression()+") { return; }\n", "if ("+g.expression()+") die;\n", g.expression()+" or die('x');\n", "if ("+g.expression()+") exit(1);\n")
	}
	return assign()
}

// copies changes one of two variables that contain the same arrays, and looks at the other.
func (g *sequences) copies() string {
	n := g.IntN(1e9)
	copied := g.of("$d = $n;", "$d['q'] = $n;", "$d = [$n, $n];", "$d = $n['k'];", fmt.Sprintf("define('C_%d', $n); $d = C_%d;", n, n), "$d = (object)['q' => $n];", "$CFG->d = $n; $d = $CFG->d;")
	one, other := "$n", g.of("$d", "$d['q']", "$d[0]", "$d[1]", "$d->q")
	if g.IntN(2) == 0 {
		one, other = other, one
	}
	inside := g.of("['k']['x']", "['k']['y']['z']", "['k']", "['x']", "['y']['z']")
	change := g.of("unset(%s);", "%s = 'changed';", "%s .= 'more';")
	return "$n = ['k' => ['x' => 'v', 'y' => ['z' => 'w']], 'x' => 'u']; " + copied + " " + fmt.Sprintf(change, one+inside) + " " +
		g.of("", fmt.Sprintf(change, other+g.of("['k']['y']['z']", "['k']['w']"))) + "\n$CFG->dbpass = $CFG->dbpass . (isset(" + other + inside + ") ? 'there' : 'gone');\n"
}

// beside is what the reader leaves to PHP, or what PHP refuses.
func (g *sequences) beside() string {
	e := g.expression()
	return g.of("foreach (['k' => "+e+"] as $a => $b) { $CFG->$a = $b; }\n", "for ($i = 0; $i < 2; $i++) { $a .= 'x'; }\n", "$a = &$b;\n", "while (false) { $a = 'x'; }\n",
		"switch ("+e+") { case 'new': $a = 1; break; default: $b = 2; }\n", "try { $a = "+e+"; } catch (Exception $e) { }\n", "[$a, $b] = ['x', 'y'];\n",
		"$f = function () use (&$a) { $a = 'closed'; }; $f();\n", "function f"+fmt.Sprint(g.IntN(1e9))+"() { return 1; }\n", "$k = 'p'; $CFG->$k = "+e+";\n", "${'a'} = "+e+";\n", "echo "+e+";\n",
		"$a = <<<EOT\n  x $b\n  EOT;\n", "goto done; $a = 1; done: $b = 2;\n", "static $s = 1;\n", "const C_FOUR = 'c';\n", "$GLOBALS['a'] = "+e+";\n", "putenv('SET=changed');\n",
		"do { $a = 1; } while (false);\n", "declare(ticks=1);\n", "$a++;\n", "$c = $CFG; $c->p = 'alias';\n", "foreach ([1] as $CFG->p) {}\n", "extract(['a' => 'e']);\n",
		"#[Attr]\n", "$a = ;\n", "$a = 'unclosed;\n", "if (true { }\n", "use Foo\\Bar;\n", "else { }\n", "}\n", "<?php\n", "?> text <?php\n", "?><?= $a ?><?php\n", "$this->x = 1;\n", "list('k' => $a) = $m;\n",
		"parse_str('a=p', $m);\n", "preg_match('/(.)/', 'z', $m);\n", "chdir('/');\n", "class K"+fmt.Sprint(g.IntN(1e9))+" { public $x = 1; }\n", "abstract;\n", "label: $a = 1;\n")
}

// file writes a whole config.php. The password is the value that counts.
func (g *sequences) file() string {
	g.tame = g.IntN(3) > 0
	var b strings.Builder
	b.WriteString(g.of("<?php\n", "<?php  // Moodle configuration file\n", "<?PHP\n") + g.of("unset($CFG);\nglobal $CFG;\n", "") + "$CFG = new stdClass();\n$CFG->dbpass = 'first'; define('C_ONE', 'one');\n")
	b.WriteString(g.of("", "$a = 'new'; $b = '5'; $m = ['k' => 'v', 2];\n"))
	for range 1 + g.IntN(8) {
		b.WriteString(g.statement())
	}
	b.WriteString(g.of("", "", "$CFG->dbpass = "+g.expression()+";\n", "$CFG->dbpass = 'p' . "+g.read()+";\n", "$CFG->dbpass .= '|' . $a . '|' . $b;\n"))
	b.WriteString(g.of("", "require_once(__DIR__ . '/lib/setup.php');\n", "require_once __DIR__.'/lib/setup.php';\n$CFG->dbpass = 'behind';\n", "return require_once(__DIR__ . '/lib/setup.php');\n"))
	return b.String()
}

// surroundings writes what generated files include.
func surroundings(t testing.TB, dir string) {
	t.Helper()
	for name, text := range map[string]string{
		"set.inc": "<?php $a = 'set'; $CFG->p = 'inc';", "ret.inc": "<?php\nreturn ['k' => 'returned', 'p' => 'x'];", "secret.txt": "s3cr3t\n",
		"early.inc": "<?php if (isset($CFG->p)) { return 'early'; }\n$b = 'late';\n?>\n", "cond.inc": "<?php if (empty($a)): $a = 'cond'; endif; return $a;",
		"lib/setup.php": "<?php define('ORACLE_SETUP', 1); exit;",
	} {
		write(t, filepath.Join(dir, name), text)
		chmod(t, filepath.Join(dir, name), 0o644)
	}
	chmod(t, filepath.Join(dir, "lib"), 0o755)
}

// The tool reads a sequence of statements as PHP does, with and without php, or it refuses.
func TestGeneratedSequencesAreReadAsPHPDoesOrRefused(t *testing.T) {
	t.Parallel()
	d, seed := newDifferential(t), testbed.Seed(t)
	count := 80
	if testbed.Long() {
		count = 2000
	}
	dirs := []string{shared(t), shared(t), shared(t)}
	g := &sequences{Rand: rand.New(rand.NewPCG(seed, 0))}
	files := make([]string, count)
	for i := range files {
		dir := dirs[i%len(dirs)]
		surroundings(t, dir)
		files[i] = filepath.Join(dir, fmt.Sprintf("config%d.php", i))
		write(t, files[i], g.file())
		chmod(t, files[i], 0o644)
	}
	alone := make([]bool, count)
	inParallel(count, func(i int) {
		alone[i] = d.compare(t, files[i], []string{"PATH=/usr/bin:/bin", "SET=set", "EMPTY=", bare}, "")
	})
	read := 0
	for _, yes := range alone {
		if yes {
			read++
		}
	}
	t.Logf("%d of %d were read without php", read, count)
	if read < count/5 {
		t.Errorf("only %d of %d were read without php: the test shows little", read, count)
	}
}
