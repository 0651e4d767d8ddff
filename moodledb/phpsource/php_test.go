package phpsource

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

// showScript prints each element of $v as the function exact does.
const showScript = `<?php
function exact($v) {
    if (is_null($v)) { return 'n'; }
    if (is_bool($v)) { return 'b' . (int)$v; }
    if (is_int($v)) { return 'i' . $v; }
    if (is_float($v)) { return 'd' . bin2hex(pack('E', $v)); }
    if (is_string($v)) { return 's' . base64_encode($v); }
    $all = array();
    foreach ($v as $key => $value) { $all[] = base64_encode($key) . ':' . exact($value); }
    return 'a(' . implode(',', $all) . ')';
}
error_reporting(E_ERROR | E_PARSE | E_COMPILE_ERROR);
$v = array();
include $argv[1];
foreach ($v as $key => $value) { echo $key, ' ', exact($value), "\n"; }
`

func exact(v Value) string {
	switch v.Kind() {
	case Null:
		return "n"
	case Bool:
		return fmt.Sprintf("b%d", v.num)
	case Int:
		return fmt.Sprintf("i%d", v.Int())
	case String:
		return "s" + base64.StdEncoding.EncodeToString([]byte(v.Text()))
	case Number:
		return "?"
	}
	var all []string
	for _, e := range v.Entries() {
		all = append(all, base64.StdEncoding.EncodeToString([]byte(e.Key))+":"+exact(e.Value))
	}
	return "a(" + strings.Join(all, ",") + ")"
}

// TestPHPAgrees evaluates generated expressions with PHP and with the reader. If the reader gives a
// value, it must be PHP's, to the bit.
func TestPHPAgrees(t *testing.T) {
	php := testbed.PHP(t)
	const count = 2000
	for _, seed := range testbed.Seeds(t, 2, 20) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			g := generator{rand.New(rand.NewPCG(seed, 1))}
			const before = "<?php\n$s = 'text'; $n = 7; $m = null; $l = ['k' => 'v', 'w', 'o' => ['p' => 'q']];\n"
			var b strings.Builder
			b.WriteString(before)
			code := make([]string, count)
			for i := range code {
				code[i] = g.expression(3)
				fmt.Fprintf(&b, "try { $v[%d] = %s; } catch (Throwable $e) { $v[%d] = 'thrown'; }\n", i, code[i], i)
			}
			dir := t.TempDir()
			file, script := filepath.Join(dir, "values.php"), filepath.Join(dir, "show.php")
			for name, text := range map[string]string{file: b.String(), script: showScript} {
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			out, err := exec.Command(php, "-n", "-d", "display_errors=1", script, file).Output()
			if err != nil {
				t.Fatalf("php: %v: %s", err, out)
			}
			rows := strings.Split(strings.TrimSpace(string(out)), "\n")
			if len(rows) != count {
				t.Fatalf("php gave %d values of %d", len(rows), count)
			}
			compare(t, before, code, rows)
		})
	}
}

func compare(t *testing.T, before string, code, php []string) {
	t.Helper()
	read := 0
	for i, row := range php {
		a, err := Parse("/v.php", []byte(before+"$v = "+code[i]+";"), Env{})
		if err != nil {
			continue
		}
		got := exact(a.Variable("v"))
		if strings.Contains(got, "?") {
			continue
		}
		read++
		if _, want, _ := strings.Cut(row, " "); got != want {
			t.Errorf("%s\n is  %s\n php %s", code[i], got, want)
		}
	}
	t.Logf("%d of %d were evaluated", read, len(code))
	if read < len(code)/4 {
		t.Errorf("only %d of %d were evaluated: the test proves little", read, len(code))
	}
}

// generator writes random PHP expressions.
type generator struct{ *rand.Rand }

func (g generator) of(choices ...string) string { return choices[g.IntN(len(choices))] }

func (g generator) expression(depth int) string {
	if depth == 0 || g.IntN(3) == 0 {
		return g.literal()
	}
	sub := func() string { return g.expression(depth - 1) }
	switch g.IntN(14) {
	case 0, 1, 2:
		return sub() + g.of(" . ", " .") + " " + sub()
	case 3:
		return "(" + sub() + ")"
	case 4:
		return g.literal() + g.of(" + ", " - ", " * ", " / ", " % ", " | ", " & ", " ^ ") + "(" + g.literal() + ")" // arrays do not compile
	case 5:
		return "((" + sub() + ")" + g.of(" == ", " != ", " === ", " !== ", " < ", " >= ", " <> ") + "(" + sub() + "))"
	case 6:
		return sub() + g.of(" && ", " || ", " ?? ") + sub()
	case 7:
		return "(" + sub() + g.of(" and ", " or ", " xor ") + sub() + ")"
	case 8:
		return "((" + sub() + ") ? " + sub() + " : " + sub() + ")"
	case 9:
		return "((" + sub() + ") ?: " + sub() + ")"
	case 10:
		return g.of("!", "-", "+", "(int)", "(string) ", "(bool)", "( float )", "(array)") + "(" + g.literal() + ")"
	case 11:
		return g.call(sub)
	case 12:
		return g.of("isset($l['k'])", "isset($m)", "isset($l['o']['p'], $s)", "empty($n)", "empty($l['x'])", "$l['x'] ?? $s", "($w = 3)", "$l['o']['p']")
	}
	return g.array(sub)
}

func (g generator) call(sub func() string) string {
	switch g.IntN(5) {
	case 0:
		return "dirname('" + g.of("/a/b/c", "/a", "a", "", "/", "a/b/", "//a//b//") + "'" + g.of("", ", 2", ", 1") + ")"
	case 1:
		return g.of("trim", "rtrim", "ltrim") + "(" + g.text() + g.of("", ", '/ '", ", 'x'") + ")"
	case 2:
		return "str_replace('" + g.of("a", "te", "x") + "', '" + g.of("", "b", "aa") + "', " + g.text() + ")"
	case 3:
		return g.of("strtolower", "strtoupper", "strval") + "('" + g.of("Ab", "ÄB", "") + "')"
	}
	return g.of("intval(", "boolval(") + sub() + ")"
}

func (g generator) array(sub func() string) string {
	var b strings.Builder
	open, end := "[", "]"
	if g.IntN(2) == 0 {
		open, end = "array(", ")"
	}
	b.WriteString(open)
	for range g.IntN(5) {
		if g.IntN(2) == 0 {
			b.WriteString(g.of("'a'", "1", "'1'", "'01'", "true", "null", "2.7", `"k$n"`, "'9'", "''") + " => ")
		}
		b.WriteString(sub() + ", ")
	}
	b.WriteString(end)
	if g.IntN(4) == 0 {
		b.WriteString("[" + g.of("0", "1", "'a'", `"1"`) + "]")
	}
	return b.String()
}

func (g generator) literal() string {
	switch g.IntN(8) {
	case 0:
		return g.of("true", "FALSE", "null", "NULL", "$s", "$n", "$m", "$l['k']", "$l[0]", "$l['o']['p']", "__LINE__", "PHP_SAPI", "PHP_EOL")
	case 1:
		return g.of("0", "1", "42", "0x1F", "0b101", "0777", "1_000", "9223372036854775807", "9223372036854775808", "-5", "00", "-0")
	case 2:
		return g.of("1.5", ".5", "1e3", "6.02E23", "1e-7", "0.1", "100000.0", "1e15", "1.", "123456789.123456789", "1e14", "0.0001", "1e400")
	}
	return g.text()
}

func (g generator) text() string {
	var b strings.Builder
	switch g.IntN(5) {
	case 0, 1:
		for range g.IntN(6) {
			b.WriteString(g.of("a", "B ", `\\`, `\'`, `\n`, `"`, "$s", "\n", "é", "\xff", "12", "1e2", "?>", "/*", "#", "{$s}", "0", " "))
		}
		return "'" + b.String() + "'"
	case 2, 3:
		for range g.IntN(6) {
			b.WriteString(g.of("a", `\\`, `\"`, `\n\t`, `\x41`, `\101`, `\u{1F600}`, `\e`, `\$s`, "$s", "$ ", "{$s}", "{$l['k']}", "$l[k]", "$l[0]", "${s}", "{ $n }",
				"'", "\r\n", `\q`, `\777`, `\x`, "{$l['o']['p']}", "//", "$n$s", "$s[", "->x", "$m", "-$n->"))
		}
		s := b.String()
		if strings.Contains(s, "$s[") || strings.HasSuffix(s, "$") || strings.Contains(s, "$s->") || strings.Contains(s, "$m->") || strings.Contains(s, "$n->") {
			return `"plain"`
		}
		return `"` + s + `"`
	}
	return g.of("'1'", "'text'", "'10'", "'1.0'", "''", "'0'", "'abc'", "' 7'", "'-3'")
}
