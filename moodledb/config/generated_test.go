package config

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"renew_mnetkeys/internal/testbed"
)

// configs writes random config.php files, in the style of real ones.
type configs struct{ *rand.Rand }

func (g configs) of(choices ...string) string { return choices[g.IntN(len(choices))] }

// literal is a string literal of text, which must need no quoting.
func (g configs) literal(text string) string {
	switch g.IntN(5) {
	case 0:
		return `"` + text + `"`
	case 1:
		at := g.IntN(len(text) + 1)
		return "'" + text[:at] + "' " + g.of(".", " . ", "\n  . ") + " '" + text[at:] + "'"
	case 2:
		return "('" + text + "')"
	case 3:
		return g.of("trim", "ltrim", "rtrim") + "('" + text + "')"
	}
	return "'" + text + "'"
}

// expression gives text in some way.
func (g configs) expression(text string) string {
	switch g.IntN(8) {
	case 0:
		return "getenv('NOT_SET_" + fmt.Sprint(g.IntN(9)) + "') ?: " + g.literal(text)
	case 1:
		return "isset($nothing['NOT_SET']) ? 'no' : " + g.literal(text)
	case 2:
		return "(getenv('NOT_SET') !== false ? getenv('NOT_SET') : " + g.literal(text) + ")"
	case 3:
		return "array('x' => " + g.literal(text) + ")['x']"
	case 4:
		return "dirname('" + text + "/x')"
	}
	return g.literal(text)
}

// assign sets a name of $CFG to text, directly or indirectly.
func (g configs) assign(name, text string) string {
	value := g.expression(text)
	switch g.IntN(9) {
	case 0:
		return fmt.Sprintf("$v = %s;\n$CFG->%s = $v;\n", value, name)
	case 1:
		return fmt.Sprintf("define('C_%s', %s);\n$CFG->%s = C_%s;\n", name, value, name, name)
	case 2:
		return fmt.Sprintf("if (%s) {\n  $CFG->%s = 'not this';\n} else {\n  $CFG->%s = %s;\n}\n", g.of("false", "!empty($nothing)", "0 > 1", "defined('NOT_THERE')"), name, name, value)
	case 3:
		return fmt.Sprintf("$CFG->%s = 'before';\nif (%s) $CFG->%s = %s;\n", name, g.of("true", "isset($CFG)", "empty($nothing)", "1 === 1"), name, value)
	case 4:
		return fmt.Sprintf("$part = '%s';\n$CFG->%s = \"%s{$part}\";\n", text[len(text)/2:], name, text[:len(text)/2])
	case 5:
		return fmt.Sprintf("$all = ['k' => ['%s' => %s]];\n$CFG->%s = $all['k']['%s'];\n", name, value, name, name)
	case 6:
		return fmt.Sprintf("$CFG->%s = '%s';\n$CFG->%s .= '%s';\n", name, text[:len(text)/2], name, text[len(text)/2:])
	case 7:
		if g.IntN(6) == 0 {
			return fmt.Sprintf("$CFG->%s = <<<%s\n%s\nEND;\n", name, g.of("END", "'END'", `"END"`), text)
		}
	}
	return fmt.Sprintf("$CFG->%s = %s;\n", name, value)
}

func (g configs) comment() string {
	return g.of("", "", "// $CFG->dbname = 'commented';\n", "# $CFG->dbname = 'commented';\n", "/* $CFG->dbname = 'commented';\n*/\n", "// ends here ?>\n<?php\n", "\n\n")
}

func (g configs) word() string {
	return g.of("moodle", "m", "prod-1", "a.b", "x_y") + g.of("", "7", "-z")
}

func (g configs) file() string {
	settings := [][2]string{
		{"dbtype", g.of("mysqli", "mariadb", "auroramysql")}, {"dbhost", g.of("127.0.0.1", "db.example.org", "10.0.0.7")}, {"dbname", g.word()}, {"dbuser", g.word()},
		{"dbpass", g.word()}, {"prefix", g.of("mdl_", "m2_")}, {"wwwroot", "https://" + g.of("moodle.example.org", "m.test:8443", "x.test/sub")}, {"dataroot", "/srv/" + g.word()},
	}
	if g.IntN(2) == 0 {
		settings = append(settings, [2]string{g.of("cachedir", "noreplyaddress", "altcacheconfigpath"), "/srv/" + g.word()})
	}
	g.Shuffle(len(settings), func(i, j int) { settings[i], settings[j] = settings[j], settings[i] })
	var b strings.Builder
	b.WriteString(g.of("<?php\n", "<?php  // Moodle configuration file\n\n") + g.of("unset($CFG);\nglobal $CFG;\n", "") + g.of("$CFG = new stdClass();\n", "$CFG = new \\stdClass;\n"))
	for _, s := range settings {
		b.WriteString(g.comment() + g.assign(s[0], s[1]))
	}
	port := fmt.Sprint(1024 + g.IntN(60000))
	switch g.IntN(24) { // the reader leaves 5 and 6 to PHP
	case 0, 1, 2, 3, 4:
		fmt.Fprintf(&b, "$CFG->dboptions = array('dbpersist' => 0, 'dbport' => %s, 'dbsocket' => '',);\n", g.of(port, "'"+port+"'", "(int) '"+port+"'"))
	case 5:
		fmt.Fprintf(&b, "$CFG->dboptions = [];\n$CFG->dboptions['dbport'] = %s;\n$CFG->dboptions += ['dbport' => 1, 'connecttimeout' => 5];\n", port)
	case 6:
		fmt.Fprintf(&b, "$options = ['dbport' => 1] ; $CFG->dboptions = array_merge($options, ['dbport' => %s]);\n", port)
	}
	b.WriteString("$CFG->mnetkeylifetime = " + g.of("28", "'14'", "7 * 3", "28", "(int) '9'", "12 + 2", g.of("14", "14", "PHP_VERSION_ID > 1 ? 30 : 28")) + ";\n")
	b.WriteString(g.of("require_once(__DIR__ . '/lib/setup.php');\n", "require_once(dirname(__FILE__) . '/lib/setup.php'); // no end\n", "require_once __DIR__.'/lib/setup.php';\n?>"))
	return b.String()
}

// PHP must read a config.php as the reader does. If the reader says that it cannot, PHP is asked,
// which is fine; but the reader must read most of them.
func TestPHPReadsAGeneratedConfigAsWeDo(t *testing.T) {
	t.Parallel()
	php, seed := testbed.PHP(t), testbed.Seed(t)
	g := configs{rand.New(rand.NewPCG(seed, 0))}
	count, read := 25, 0
	if testbed.Long() {
		count = 1000
	}
	path := filepath.Join(t.TempDir(), "config.php")
	o := Options{PHP: php, Environ: []string{"PATH=" + os.Getenv("PATH"), bare}, Wwwroot: "https://host.example"}
	for i := range count {
		source := g.file()
		write(t, path, source)
		want, err := byPHP(t, path, o, nil).config(o)
		if err != nil {
			t.Fatalf("file %d: what php says: %v\n%s", i, err, source)
		}
		ours, err := Read(t.Context(), path, Options{Environ: o.Environ, Wwwroot: o.Wwwroot})
		if err != nil {
			continue
		}
		read++
		if diff := cmp.Diff(plain(*want), plain(*ours)); diff != "" {
			t.Errorf("file %d, what php reads (-) and what we read (+):\n%s\n%s", i, diff, source)
		}
	}
	t.Logf("%d of %d were read without php", read, count)
	if read < count/4 {
		t.Errorf("only %d of %d were read: the test proves little", read, count)
	}
}
