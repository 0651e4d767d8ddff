package muc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/moodledb/phpsource"
	"renew_mnetkeys/rotate"
)

// forcedArray is a value of config.php.
func forcedArray(t testing.TB, php string) phpsource.Value {
	t.Helper()
	a, err := phpsource.Parse("/config.php", []byte("<?php $x = "+php+";"), phpsource.Env{})
	if err != nil {
		t.Fatal(err)
	}
	return a.Variable("x")
}

// served are the stores of core/config, lowest first.
func served(c *builtin) string {
	var all []string
	for _, s := range c.stores {
		d := s.describe()
		text := d.Store + " " + d.Plugin
		if d.Fallback {
			text += " fallback"
		}
		all = append(all, text)
	}
	return strings.Join(all, "; ")
}

func forcedRules(rules, overrides string) string {
	return `['stores' => ['mem' => ['type' => 'apcu', 'config' => ['prefix' => 'x']], 'disk' => ['type' => 'file', 'config' => ['path' => '/d']],
		'net' => ['type' => 'redis', 'config' => ['server' => 'S3cret']], 'odd' => ['config' => []],
		'default_application' => ['type' => 'redis', 'config' => ['server' => 'x']]],
		'rules' => ['application' => ` + rules + `, 'session' => [], 'request' => []], 'definitionoverrides' => ['core/config' => ` + overrides + `]]`
}

func TestForcedStoresAreThoseOfTheFirstRuleThatIsMet(t *testing.T) {
	const net = "default_application file fallback; net redis"
	for _, test := range []struct{ name, rules, overrides, want string }{
		{"no rule", `[]`, `[]`, "default_application file"},
		{"a rule for all, first store read first", `[['stores' => ['mem', 'net', 'disk']]]`, `[]`, "default_application file fallback; disk file; net redis; mem apcu"},
		{"by the definition's name", `[['conditions' => ['name' => 'core/config'], 'stores' => ['net']], ['stores' => ['disk']]]`, `[]`, net},
		{"not by another's", `[['conditions' => ['name' => 'core/string'], 'stores' => ['disk']], ['stores' => ['net']]]`, `[]`, net},
		{"not for local stores", `[['conditions' => ['canuselocalstore' => true], 'stores' => ['disk']], ['stores' => ['net']]]`, `[]`, net},
		{"for local stores by an override", `[['conditions' => ['canuselocalstore' => true], 'stores' => ['net']], ['stores' => ['disk']]]`, `['canuselocalstore' => true]`, net},
		{"all conditions", `[['conditions' => ['mode' => 1, 'simpledata' => true, 'component' => 'core', 'area' => 'config'], 'stores' => ['net']]]`, `[]`, net},
		{"by identity", `[['conditions' => ['mode' => '1'], 'stores' => ['disk']], ['conditions' => ['simpledata' => 1], 'stores' => ['disk']], ['stores' => ['net']]]`, `[]`, net},
		{"an override that says no", `[['conditions' => ['staticacceleration' => true], 'stores' => ['disk']], ['stores' => ['net']]]`, `['staticacceleration' => false]`, net},
		{"no rule that is met", `[['conditions' => ['canuselocalstore' => true], 'stores' => ['disk']]]`, `[]`, "default_application file"},
		{"a store that is not there", `[['stores' => ['gone', 'net', 'net']]]`, `[]`, net},
		{"the default store is Moodle's", `[['stores' => ['default_application', 'net']]]`, `[]`, "net redis; default_application file"},
		{"no conditions at all", `[['conditions' => [], 'stores' => ['net']]]`, `[]`, net},
		{"a condition that depends on the release", `[['conditions' => ['newthing' => true], 'stores' => ['disk']]]`, `[]`, `error condition "newthing"`},
		{"an override of what names entries", `[['stores' => ['net']]]`, `['simplekeys' => true]`, `error overrides "simplekeys"`},
		{"the rules of old releases", `['local' => ['disk'], 'non-local' => ['net']]`, `[]`, "error without stores"},
		{"a store without type", `[['stores' => ['odd']]]`, `[]`, `error store "odd" without type`},
		{"no rules of the mode", `null`, `[]`, "error no rules"},
	} {
		t.Run(test.name, func(t *testing.T) {
			where := newSite(t).location()
			where.Factory, where.ForcedCache = "tool_forcedcache_cache_factory", forcedArray(t, forcedRules(test.rules, test.overrides))
			c, err := open(where, options{})
			if problem, refused := strings.CutPrefix(test.want, "error "); refused {
				var config *ConfigError
				if !errors.As(err, &config) || !strings.Contains(err.Error(), problem) || strings.Contains(err.Error(), "S3cret") {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := served(c); got != test.want {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestAFactoryIsMoodlesOwnUnderEachOfItsNames(t *testing.T) {
	for class, want := range map[string]string{
		"": "", "0": "", "cache_factory": "", `\Cache_Factory`: "", `core_cache\factory`: "", `\core_cache\factory`: "",
		"cache_factory_disabled": "cache_factory_disabled", `local_x\factory`: `local_x\factory`,
	} {
		if got := factoryOf(class); got != want {
			t.Errorf("%q: got %q", class, got)
		}
		s := newSite(t)
		s.configure("redis-4.1")
		where := s.location()
		where.Factory = class
		_, err := open(where, options{})
		var unknown *FactoryError
		if errors.As(err, &unknown) != (want != "") {
			t.Errorf("%q: %v", class, err)
		}
	}
}

func TestForcedEntriesAreDroppedUnderTheNameOfASiteThatIsNotKnownYet(t *testing.T) {
	s := newSite(t)
	where := s.location()
	where.Factory = "tool_forcedcache_cache_factory"
	where.ForcedCachePath = s.write("forced.json", `{"stores": {"disk": {"type": "file", "config": {"path": "`+s.root+`/fast"}}}, "rules": {"application": [{"stores": ["disk"]}]}}`)
	var gone []string
	for _, site := range []string{"unknown", md5Hex(identifier)} {
		entries, _ := s.warm("fast/core_config", site)
		gone = append(gone, entries...)
	}
	c, err := open(where, options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.drop(t.Context(), rotate.ScopeEntry); err != nil {
		t.Fatal(err)
	}
	s.absent(gone...)
}

func TestForcedFilesThatCannotBeUsedAreRefused(t *testing.T) {
	const good = `{"stores": {}, "rules": {"application": []}}`
	array := forcedArray(t, forcedRules("[]", "[]"))
	for name, test := range map[string]struct {
		text, path string
		array      phpsource.Value
		says       string
	}{
		"neither":           {says: "is not set"},
		"both":              {text: good, array: array, says: "one of them only"},
		"a relative path":   {path: "forced.json", says: "relative path"},
		"no file":           {path: "/nowhere/forced.json", says: "no such file"},
		"no JSON":           {text: `{"stores": "S3cret"`, says: "is not JSON"},
		"more than JSON":    {text: good + "S3cret", says: "is not JSON"},
		"a comma too many":  {text: `{"stores": {},}`, says: "is not JSON"},
		"another encoding":  {text: "{\"stores\": \"\xff\"}", says: "is not JSON"},
		"a placeholder":     {text: `{"stores": {"a": {"type": "redis", "config": {"server": "{{redis}}"}}}}`, says: "placeholder"},
		"only a text":       {text: `"S3cret"`, says: "has no stores"},
		"a nest of lists":   {text: strings.Repeat("[", 5000) + strings.Repeat("]", 5000), says: "too deep"},
		"a directory":       {path: "/", says: "not a regular file"},
		"a nest not closed": {text: strings.Repeat("[", 20000), says: "is not JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			where := s.location()
			where.Factory, where.ForcedCache, where.ForcedCachePath = "tool_forcedcache_cache_factory", test.array, test.path
			if test.text != "" {
				where.ForcedCachePath = s.write("forced.json", test.text)
			}
			_, err := open(where, options{})
			var config *ConfigError
			if !errors.As(err, &config) || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "S3cret") {
				t.Errorf("%v", err)
			}
		})
	}
}

// PHP itself says how json_decode reads a file.
func TestJSONIsReadAsPHPDoes(t *testing.T) {
	const source = `{"a": {"1": "x", "b": [1, -2, true, false, null, "it's \\ \u00e9 $x"]}, "": [], "n": 12345678901234567890, "f": 1.5, "a2": {"z": 1, "y": 2, "z": 3}}`
	literal, err := jsonAsPHP([]byte(source))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "x.json")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("$a = json_decode(file_get_contents('%s'), true); $b = %s; $b['n'] = (float) $b['n']; $b['f'] = (float) $b['f']; exit($a === $b ? 0 : 1);", file, literal)
	if out, err := exec.Command(testbed.PHP(t), "-r", script).CombinedOutput(); err != nil {
		t.Errorf("%s: %v %s", literal, err, out)
	}
}

func TestAConfigurationThatIsComputedIsLeftToPHP(t *testing.T) {
	const array = `$configuration = array('stores' => array('r' => array('name' => 'r', 'plugin' => 'redis', 'configuration' => array('server' => %s))));`
	for name, test := range map[string]struct {
		source string
		line   int // 0: it is read
	}{
		"as Moodle writes it":        {"<?php defined('MOODLE_INTERNAL') || die();\n " + fmt.Sprintf(array, `'getenv("X") $CFG->x // no comment'`), 0},
		"with comments":              {"<?php // getenv('X')\n# $CFG->y\n/* if (x) */ " + fmt.Sprintf(array, `"127.0.0.1"`), 0},
		"with brackets":              {"<?php $configuration = ['stores' => [], 'siteidentifier' => null];\n", 0},
		"a setting of config.php":    {"<?php global $CFG;\n" + fmt.Sprintf(array, "$CFG->redis"), 1},
		"one without global":         {"<?php\n" + fmt.Sprintf(array, "$CFG->redis"), 2},
		"one within a text":          {"<?php\n" + fmt.Sprintf(array, `"$CFG->redis:6379"`), 2},
		"the environment":            {"<?php\n\n" + fmt.Sprintf(array, "getenv('X')"), 3},
		"a constant":                 {"<?php\n" + fmt.Sprintf(array, "REDIS"), 2},
		"a second thought":           {"<?php\n" + fmt.Sprintf(array, "'a'") + "\nif (true) { $configuration['stores'] = array(); }", 3},
		"an include after the array": {"<?php\n" + fmt.Sprintf(array, "'a'") + "\n@include 'more.php';", 3},
		"the output of a command":    {"<?php\n" + fmt.Sprintf(array, "`hostname`"), 2},
		"a comment that a tag ends":  {"<?php // x ?><?php " + fmt.Sprintf(array, "$CFG->redis"), 1},
		"code behind a comment":      {"<?php\n" + fmt.Sprintf(array, "'a'") + "\n/* x */ $configuration['x'] = $y;", 3},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.write("muc/config.php", test.source)
			_, err := open(s.location(), options{})
			var config *ConfigError
			switch {
			case test.line == 0 && err != nil:
				t.Error(err)
			case test.line > 0 && (!errors.As(err, &config) || config.Line != test.line):
				t.Errorf("%v", err)
			}
		})
	}
}

func TestRedisCredentialsAreThoseOfPhpredis(t *testing.T) {
	for php, want := range map[string][2]string{
		"'p'": {"", "p"}, "''": {}, "null": {}, "array('p')": {"", "p"}, "array('u', 'p')": {"u", "p"},
		"array('user' => 'u', 'pass' => 'p')": {"u", "p"}, "array('pass' => 'p', 'user' => 'u')": {"u", "p"}, "array('pass' => 'p')": {"", "p"},
	} {
		user, password := credentials(forcedArray(t, php))
		if diff := cmp.Diff(want, [2]string{user, password}); diff != "" {
			t.Errorf("%s: %s", php, diff)
		}
	}
}

func TestRedisStoreSignsInAsItsUser(t *testing.T) {
	server := testbed.Redis(t, "main")
	if err := server.Client.Do(t.Context(), "ACL", "SETUSER", "moodle", "on", ">S3cret", "~lms_*", "+@all").Err(); err != nil {
		t.Fatal(err)
	}
	hash := "lms_" + definitionHash()
	for php, works := range map[string]bool{"array('moodle', 'S3cret')": true, "array('user' => 'moodle', 'pass' => 'S3cret')": true, "array('moodle', 'wrong')": false, "'S3cret'": false} {
		fill(t, server.Client, hash)
		s := newSite(t)
		s.configure("redis-4.1", "127.0.0.1:6379", server.Addr, `'it\'s \\secret\\'`, php)
		_, err := s.open().drop(t.Context(), rotate.ScopeDefinition)
		if left := length(t, server.Client, hash); (err == nil) != works || (left == 0) != works {
			t.Errorf("%s: %d left, %v", php, left, err)
		}
		if err != nil && strings.Contains(err.Error(), "S3cret") {
			t.Error(err)
		}
	}
}
