package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"renew_mnetkeys/internal/testbed"
)

func fixture(t testing.TB, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", "sites", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// environment is one of these variables.
func environment(variables map[string]string) []string {
	environ := []string{"PATH=" + os.Getenv("PATH"), bare}
	for name, text := range variables {
		environ = append(environ, name+"="+text)
	}
	return environ
}

// TestRead reads testdata/sites without php.
func TestRead(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		file    string
		options Options
		want    Config
	}{
		"what Moodle's installer writes": {file: "installer.php", want: Config{
			DBType: "mariadb", DBHost: "localhost", DBName: "moodle", DBUser: "moodleuser", DBPass: "SECRET-1", Prefix: "mdl_",
			DBSocket: "/run/mysqld/other.sock", Wwwroot: "https://moodle.example.org", Dataroot: "/var/moodledata", CacheDir: "/var/moodledata/cache",
			Dirroot: fixture(t, ""),
		}},
		"comments, decoys and every setting we use": {file: "commented.php", want: Config{
			DBType: "mysqli", DBHost: "db.example.org", DBName: "moodle", DBUser: "username", DBPass: "#not//a/*comment*/?>SECRET-2", Prefix: "m311_",
			DBPort: 3307, SSL: "require", ConnectTimeout: 5 * time.Second,
			Wwwroot: "http://localhost/moodle", Dataroot: "/home/example/moodledata", CacheDir: "/var/cache/moodle", AltCacheConfigPath: "/etc/moodle/muc.php",
			Forced: map[string]string{"noreplyaddress": "noreply@example.org", "mnetkeylifetime": "56"}, Dirroot: fixture(t, ""),
		}},
		"an image without its environment has the defaults": {file: "container.php", options: Options{Environ: environment(map[string]string{"MOODLE_DB_PASS": "p"})}, want: Config{
			DBType: "mariadb", DBHost: "mariadb", DBName: "moodle", DBUser: "moodle", DBPass: "p", Prefix: "mdl_", DBPort: 3306,
			Wwwroot: "http://localhost:8080", Dataroot: "/var/www/moodledata", CacheDir: "/var/www/moodledata/cache-shared", Dirroot: fixture(t, ""),
		}},
		"an image with its environment": {file: "container.php", options: Options{Environ: environment(map[string]string{
			"MOODLE_DB_TYPE": "mysqli", "MOODLE_DB_HOST": "db", "MOODLE_DB_NAME": "n", "MOODLE_DB_USER": "u", "MOODLE_DB_PASS": "SECRET", "MOODLE_DB_PREFIX": "x_",
			"MOODLE_DB_PORT": "3310", "MOODLE_DB_COLLATION": "utf8mb4_bin", "MOODLE_DB_SSL": "verify-full", "MOODLE_HOST": "m.example.org/", "POD": "7",
		})}, want: Config{
			DBType: "mysqli", DBHost: "db", DBName: "n", DBUser: "u", DBPass: "SECRET", Prefix: "x_", DBPort: 3310, SSL: "verify-full",
			Wwwroot: "https://m.example.org", Dataroot: "/var/www/moodledata", CacheDir: "/var/www/moodledata/cache-7", Dirroot: fixture(t, ""),
		}},
		"every way to write a value": {file: "forms.php", want: Config{
			DBType: "auroramysql", DBHost: "db.example.org:3310", DBName: "moodle_db", DBUser: "moodle_db", DBPass: `it's "SECRET-5" $here \n`, Prefix: "m_",
			DBPort: 3306, DBSocket: "1", Wwwroot: "https://3306.example.org/db", Dataroot: "/srv/moodledata", CacheDir: "/srv/moodledata/cache", Dirroot: fixture(t, ""),
		}},
		"a wwwroot that depends on the request, and --host": {file: "proxied.php", options: Options{Wwwroot: "https://proxied.example.org/"}, want: Config{
			DBType: "mariadb", DBHost: "127.0.0.1", DBName: "bitnami_moodle", DBUser: "bn_moodle", DBPass: "SECRET-7", Prefix: "mdl_",
			Wwwroot: "https://proxied.example.org", Dataroot: "/bitnami/moodledata", CacheDir: "/bitnami/moodledata/cache", Dirroot: fixture(t, ""),
		}},
		"a configuration in several files": {file: "split/site/config.php", want: Config{
			DBType: "mariadb", DBHost: "p:db.example.org", DBName: "split", DBUser: "split", DBPass: "SECRET-9$",
			Wwwroot: "https://split.example.org", Dataroot: "/srv/split", CacheDir: "/srv/split/cache", Dirroot: "/usr/share/moodle/public",
		}},
		"the master of an array": {file: "array/config.php", want: Config{
			DBType: "mariadb", DBHost: "localhost", DBName: "master", DBUser: "master", DBPass: "SECRET-10", Prefix: "mdl_",
			DBPort: 3306, DBSocket: "/run/array.sock", SSL: "require",
			Wwwroot: "https://master.example.org", Dataroot: "/var/moodledata/master", CacheDir: "/var/moodledata/master/cache", Dirroot: fixture(t, "array"),
			Register: &Register{DBType: "mariadb", DBHost: "localhost", DBName: "master", DBUser: "register", DBPass: "SECRET-11", Prefix: "mdl_"},
		}},
		"the command line replaces what is not literal": {file: "computed.php", options: Options{Overrides: map[string]string{
			"dbname": "moodle_prod", "dbpass": "p", "dbhost": "127.0.0.1", "wwwroot": "https://computed.example.org", "dataroot": "/srv/data", "cachedir": "/c",
			"dboptions.dbport": "3307", "dirroot": "/d", "altcacheconfigpath": "", "mnetkeylifetime": "7", "vmasterdbname": "",
			"dbtype": "mysqli", "dbuser": "moodle", "prefix": "mdl_", "noreplyaddress": "", "mnet_dispatcher_mode": "strict", "forced_plugin_settings": "",
			"alternative_cache_factory_class": "",
		}}, want: Config{
			DBType: "mysqli", DBHost: "127.0.0.1", DBName: "moodle_prod", DBUser: "moodle", DBPass: "p", Prefix: "mdl_", DBPort: 3307,
			Wwwroot: "https://computed.example.org", Dataroot: "/srv/data", CacheDir: "/c", Dirroot: "/d", Forced: map[string]string{"mnetkeylifetime": "7", "noreplyaddress": "", "mnet_dispatcher_mode": "strict"},
		}},
		"what derives from a replaced value stays, as php would have it": {file: "container.php", options: Options{Overrides: map[string]string{"dataroot": "/elsewhere", "dboptions.dbsocket": "/s", "dbpass": ""}}, want: Config{
			DBType: "mariadb", DBHost: "mariadb", DBName: "moodle", DBUser: "moodle", Prefix: "mdl_", DBPort: 3306, DBSocket: "/s",
			Wwwroot: "http://localhost:8080", Dataroot: "/elsewhere", CacheDir: "/var/www/moodledata/cache-shared", Dirroot: fixture(t, ""),
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Read(t.Context(), fixture(t, test.file), test.options)
			if err != nil {
				t.Fatal(err)
			}
			test.want.File = fixture(t, test.file)
			if diff := cmp.Diff(plain(test.want), plain(*got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// plain makes a Config comparable field by field: cmp would print it redacted.
func plain(c Config) any {
	type fields Config
	type register Register
	f := fields(c)
	f.options, f.ofRequest = Options{}, false
	if len(f.Forced) == 0 {
		f.Forced = nil
	}
	var r *register
	if f.Register != nil {
		copied := register(*f.Register)
		r, f.Register = &copied, nil
	}
	return []string{fmt.Sprintf("%#v", f), fmt.Sprintf("%#v", r)}
}

// TestReadSaysWhatIsMissing reads sources in which the other settings are literal. Each contains
// the word SECRET.
func TestReadSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	const before = "<?php $CFG = new stdClass(); // SECRET\n"
	with := func(lines ...string) string {
		all := map[string]string{"dbtype": "'mysqli'", "dbhost": "'db'", "dbname": "'n'", "dbuser": "'u'", "dbpass": "'SECRET'", "prefix": "'mdl_'",
			"wwwroot": "'https://x.example'", "dataroot": "'/d'"}
		var b strings.Builder
		for _, line := range lines {
			if name, gone := strings.CutPrefix(line, "no "); gone {
				delete(all, name)
				continue
			}
			b.WriteString(line + "\n")
			name, _, _ := strings.Cut(strings.TrimPrefix(line, "$CFG->"), " ")
			delete(all, name)
		}
		for name, value := range all {
			b.WriteString("$CFG->" + name + " = " + value + ";\n")
		}
		return before + b.String()
	}
	tests := map[string]struct {
		source  string
		line    int
		setting string
		problem string // in the problem
		hint    string // in the hint
	}{
		"a wwwroot from the request":             {with(`$CFG->wwwroot = 'https://' . $_SERVER['HTTP_HOST'] . 'SECRET';`), 2, "", "depends on the web request", "--host=URL"},
		"a password from a function":             {with(`$CFG->dbpass = decrypt('SECRET');`), 2, "", "calls decrypt(), which only PHP can evaluate", "--cfg NAME=VALUE"},
		"a name by a constant of elsewhere":      {with("\n", `$CFG->dbname = SECRET;`), 4, "", "constant that is not known here", "--php=PATH"},
		"a setting in a block nobody can decide": {with("if (gethostname() == 'SECRET') {\n  $CFG->dataroot = 'SECRET';\n}", "no dataroot"), 2, "", "calls gethostname()", "dataroot"},
		"what we do not use":                     {with(`$CFG->anything = f('SECRET');`), 2, "", "calls f()", "dbtype, dbhost, dbname"},
		"a setting that is not there":            {with("no dbname"), 0, "dbname", "is not set", "--cfg dbname=VALUE"},
		"an include nobody can see":              {with("require find('SECRET') . '/config.php';", "no dbname"), 2, "", "calls find()", "--php=PATH"},
		"an include that is gone":                {with("\n", "require '/no/such/SECRET.php';", "no dataroot"), 4, "", "requires a file that does not exist", "--php=PATH"},
		"a file that ends itself":                {with("if (true) {\n  die('SECRET');\n}"), 3, "", "ends here by exit", "under which condition"},
		"a key that is forced": {with(`$CFG->forced_plugin_settings = ['mnet' => ['openssl' => 'SECRET']];`), 2, "forced_plugin_settings", "sets the MNet key itself",
			"remove mnet openssl"},
		"an environment variable that is not set": {with(`$CFG->dbuser = getenv('SECRET');`), 2, "dbuser", "is empty; does it come from an environment variable",
			"--cfg dbuser=VALUE"},
		"a password from a variable that is not set": {with(`$CFG->dbpass = getenv('SECRET');`), 2, "dbpass", "is empty; does it come from an environment variable",
			"--cfg dbpass=@FILE"},
		"no configuration at all":        {"<?php // SECRET\n$x = ['x'];", 0, "dbtype", "it is not Moodle's config.php", "--config=PATH"},
		"an empty file":                  {"", 0, "", "contains no PHP code", "--config=PATH"},
		"a text that is an array":        {with(`$CFG->dbname = ['SECRET'];`), 2, "dbname", "is not a text", "--cfg dbname"},
		"a prefix that is SQL":           {with("$CFG->prefix = 'mdl`; SECRET';"), 2, "prefix", "letters, digits and underscores", ""},
		"a prefix that is too long":      {with("$CFG->prefix = 'SECRET" + strings.Repeat("x", 30) + "';"), 2, "prefix", "at most 30", ""},
		"a wwwroot that is no URL":       {with("$CFG->wwwroot = 'SECRET.example.org';"), 2, "wwwroot", "not an http or https URL", "--host=URL"},
		"a wwwroot without host":         {with("$CFG->wwwroot = 'https://' . getenv('SECRET');"), 2, "wwwroot", "not an http or https URL", "--host=URL"},
		"a port that is none":            {with("$CFG->dboptions['dbport'] = 700000; // SECRET"), 2, "dboptions.dbport", "not a port number", ""},
		"a host that is a path":          {with("$CFG->dbhost = '/SECRET/mysqld.sock';"), 2, "dbhost", "not a host name", "localhost for the unix socket"},
		"a host whose port is a path":    {with("$CFG->dbhost = 'localhost:/SECRET/mysqld.sock';"), 2, "dbhost", "port number", "HOST:PORT"},
		"a file that is not PHP":         {before + "\n$CFG->dbpass = 'SECRET;", 3, "", "a string that does not end", "--php=PATH"},
		"an include that is not PHP":     {with("include __DIR__ . '/broken.php';"), 2, "", "only PHP can evaluate", "--php=PATH"},
		"a register with a wrong prefix": {with("$CFG->vmasterdbname = 'SECRET'; $CFG->vmasterprefix = 'x-SECRET';"), 2, "vmasterprefix", "letters", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "config.php")
			write(t, path, test.source)
			write(t, filepath.Join(dir, "broken.php"), "<?php\n$a = array('SECRET';")
			_, err := Read(t.Context(), path, Options{})
			var unusable *Error
			if !errors.As(err, &unusable) {
				t.Fatalf("error %v, want an Error", err)
			}
			if unusable.Line != test.line || unusable.Setting != test.setting {
				t.Errorf("line %d, setting %q: %v", unusable.Line, unusable.Setting, err)
			}
			if !strings.Contains(unusable.Problem, test.problem) || !strings.Contains(unusable.Hint(), test.hint) {
				t.Errorf("problem %q, hint %q", unusable.Problem, unusable.Hint())
			}
			if text := fmt.Sprintf("%v %+v %s", err, *unusable, unusable.Hint()); strings.Contains(text, "SECRET") {
				t.Errorf("content is shown: %s", text)
			}
		})
	}
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestReadNamesADatabaseThatIsNotServed(t *testing.T) {
	t.Parallel()
	_, err := Read(t.Context(), fixture(t, "sqlsrv.php"), Options{})
	var unsupported *UnsupportedDBError
	if !errors.As(err, &unsupported) || unsupported.DBType != "sqlsrv" {
		t.Errorf("error %v", err)
	}
}

func TestReadRefusesAnOverrideThatWouldDoNothing(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"dbpasswort", "dboptions.dbcollation"} {
		_, err := Read(t.Context(), fixture(t, "installer.php"), Options{Overrides: map[string]string{name: "SECRET"}})
		var unusable *Error
		if !errors.As(err, &unusable) || unusable.Setting != name || strings.Contains(err.Error()+unusable.Hint(), "SECRET") {
			t.Errorf("error %v", err)
		}
	}
}

func TestConfigPrintsWithoutPasswords(t *testing.T) {
	t.Parallel()
	c, err := Read(t.Context(), fixture(t, "array/config.php"), Options{Overrides: map[string]string{"dataroot": "SECRET-12"}})
	if err != nil {
		t.Fatal(err)
	}
	row := TenantRow{Wwwroot: "https://t.example.org", DBPass: "SECRET-13"}
	holders := []any{c, *c, c.Register, *c.Register, c.options, &c.options, row, &row, []*Config{c}, []TenantRow{row}, struct{ C Config }{*c}, struct{ C *Config }{c}}
	for _, holder := range holders {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t"} {
			if got := fmt.Sprintf(verb, holder); strings.Contains(got, "SECRET") || strings.Contains(got, fmt.Sprintf("%x", "SECRET")) {
				t.Errorf("%s of %T: %s", verb, holder, got)
			}
		}
		encoded, err := json.Marshal(holder)
		if err != nil || strings.Contains(string(encoded), "SECRET") {
			t.Errorf("JSON of %T: %s, %v", holder, encoded, err)
		}
	}
	if got := fmt.Sprint(c); !strings.Contains(got, "https://master.example.org") {
		t.Errorf("a Config does not say which: %s", got)
	}
}

func TestSSLAndSocketOptions(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		options string
		want    Config
	}{
		"nothing":                            {`[]`, Config{}},
		"verify-full":                        {`['ssl' => 'verify-full']`, Config{SSL: "verify-full"}},
		"ssl switched off":                   {`['ssl' => false]`, Config{}},
		"ssl disabled":                       {`['ssl' => 'disable']`, Config{SSL: "disable"}},
		"ssl true, which no Moodle has":      {`['ssl' => true]`, Config{SSL: "prefer"}},
		"a socket by default":                {`['dbsocket' => true]`, Config{DBSocket: "1"}},
		"a socket by number":                 {`['dbsocket' => 1]`, Config{DBSocket: "1"}},
		"no socket":                          {`['dbsocket' => false]`, Config{}},
		"no socket by number":                {`['dbsocket' => 0]`, Config{}},
		"a schema":                           {`['dbschema' => 'moodle', 'dbhandlesoptions' => false, 'fetchbuffersize' => 0]`, Config{DBSchema: "moodle"}},
		"a schema that is not sent":          {`['dbschema' => 'moodle', 'dbhandlesoptions' => true]`, Config{}},
		"a socket by path":                   {`['dbsocket' => '/a/b.sock']`, Config{DBSocket: "/a/b.sock"}},
		"an empty port":                      {`['dbport' => '']`, Config{}},
		"a port as text":                     {`['dbport' => '3307']`, Config{DBPort: 3307}},
		"a time limit":                       {`['connecttimeout' => '2']`, Config{ConnectTimeout: 2 * time.Second}},
		"a time limit below nothing":         {`['connecttimeout' => -2]`, Config{}},
		"what we do not use may be anything": {`['dbpersist' => null, 'readonly' => ['latency' => 0.5], 'dbport' => 1]`, Config{DBPort: 1}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config.php")
			write(t, path, "<?php $CFG = new stdClass(); $CFG->dbtype='mysqli'; $CFG->dbname='n'; $CFG->dbuser='u'; $CFG->wwwroot='http://x'; $CFG->dataroot='/d'; $CFG->dboptions = "+test.options+";")
			c, err := Read(t.Context(), path, Options{})
			if err != nil {
				t.Fatal(err)
			}
			got := Config{DBPort: c.DBPort, DBSocket: c.DBSocket, DBSchema: c.DBSchema, SSL: c.SSL, ConnectTimeout: c.ConnectTimeout}
			if diff := cmp.Diff(plain(test.want), plain(got), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSymbolicLinksAreResolvedAsPHPDoes(t *testing.T) {
	t.Parallel()
	root := shared(t)
	write(t, filepath.Join(root, "srv/moodle-4.1/config.php"), "<?php $CFG = new stdClass(); $CFG->dbtype='mysqli'; $CFG->dbname='n'; $CFG->dbuser='u'; $CFG->wwwroot='http://x';"+
		"$CFG->dataroot = dirname(__DIR__) . '/data'; require __DIR__ . '/more.php';")
	write(t, filepath.Join(root, "srv/shared/more.php"), "<?php $CFG->cachedir = __DIR__ . '/cache';")
	for link, target := range map[string]string{"moodle": "srv/moodle-4.1", "srv/moodle-4.1/more.php": "../shared/more.php"} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"srv/moodle-4.1/config.php", "srv/shared/more.php"} {
		chmod(t, filepath.Join(root, name), 0o644)
	}
	write(t, filepath.Join(root, "srv/data/x"), "") // whose owner evaluates
	owned(t, filepath.Join(root, "srv/data"))
	c, err := Read(t.Context(), filepath.Join(root, "moodle/config.php"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := []string{c.File, c.Dataroot, c.CacheDir, c.Dirroot}
	want := []string{"moodle/config.php", "srv/data", "srv/shared/cache", "srv/moodle-4.1"}
	for i := range want {
		want[i] = filepath.Join(real(root), want[i])
	}
	want[0] = filepath.Join(root, "moodle/config.php")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	evaluated, err := byPHP(t, filepath.Join(root, "moodle/config.php"), Options{PHP: testbed.PHP(t), Overrides: map[string]string{"dataroot": c.Dataroot}}, nil).config(Options{})
	if err != nil || evaluated.CacheDir != c.CacheDir || evaluated.Dirroot != c.Dirroot {
		t.Errorf("php has %v, %v", evaluated, err)
	}
}
