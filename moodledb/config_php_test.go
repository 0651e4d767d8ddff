package moodledb

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

	"renew_mnetkeys/testbed"
)

func TestPHPEvaluatesWhatIsNotLiteral(t *testing.T) {
	got, err := ReadConfig(t.Context(), fixture(t, "computed.php"), ReadOptions{PHP: testbed.PHP(t)})
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

// TestPHPAgreesWithTheReader has php evaluate what the reader can read too: both must give the same.
func TestPHPAgreesWithTheReader(t *testing.T) {
	php := testbed.PHP(t)
	for name, variables := range map[string][]string{
		"installer.php": nil, "commented.php": nil, "split/site/config.php": nil, "array/config.php": nil,
		"container.php": {"MOODLE_DB_PASS=SECRET", "MOODLE_HOST=m.example.org", "MOODLE_DB_PORT=3311", "MOODLE_DB_SSL=require"},
	} {
		t.Run(name, func(t *testing.T) {
			set := map[string]string{}
			for _, variable := range variables {
				key, value, _ := strings.Cut(variable, "=")
				set[key] = value
			}
			o := ReadOptions{PHP: php, Environ: append(variables, "PATH="+os.Getenv("PATH")), Getenv: environment(set)}
			path := fixture(t, name)
			if os.Geteuid() == 0 && strings.HasPrefix(name, "split") { // root lets the owner of dataroot evaluate what includes files from elsewhere
				o.Overrides = map[string]string{"dataroot": dataOf(t, 65534), "cachedir": "/srv/cache"}
			}
			read, err := readSource(path, o, nil)
			if err != nil {
				t.Fatal(err)
			}
			evaluated, err := evaluate(t.Context(), path, o, nil, read)
			if err != nil {
				t.Fatal(err)
			}
			want, err := read.config(o)
			if err != nil {
				t.Fatal(err)
			}
			got, err := evaluated.config(o)
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
	php := testbed.PHP(t)
	marks := t.TempDir()
	o := ReadOptions{PHP: php, Environ: []string{
		"SETUP_WAS_RUN=" + filepath.Join(marks, "setup"), "BOOTLIB_WAS_RUN=" + filepath.Join(marks, "bootlib"), "MNETKEYS_CFG=SECRET"}}
	path := fixture(t, "array/config.php")
	tenant := map[string]string{"dbname": "sub", "dbpass": `it's \SECRET`, "dataroot": "/var/moodledata/sub", "wwwroot": "https://sub.example.org"}
	s, err := evaluate(t.Context(), path, o, tenant, nil)
	if err != nil {
		t.Fatal(err)
	}
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

func TestPHPGetsNoSecretOfOursInArgumentsOrEnvironment(t *testing.T) {
	dir := t.TempDir()
	php, seen := filepath.Join(dir, "php"), filepath.Join(dir, "seen")
	write(t, php, "#!/bin/sh\n{ echo \"$@\"; env; } > "+seen+"\nexit 1\n")
	if err := os.Chmod(php, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MNETKEYS_CFG", "dbpass=SECRET-env")
	t.Setenv("SITE_VARIABLE", "kept")
	o := ReadOptions{PHP: php, Overrides: map[string]string{"dbpass": "SECRET-flag"}}
	_, err := readConfig(t.Context(), fixture(t, "computed.php"), o, map[string]string{"prefix": "SECRET-tenant"})
	var unusable *ConfigError
	if !errors.As(err, &unusable) || !strings.Contains(unusable.Hint, "php cannot evaluate it") {
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

// TestPHPThatFails: the word SECRET stands in every source.
func TestPHPThatFails(t *testing.T) {
	const lines = "<?php\n$CFG->dbtype = f('SECRET');\n"
	garbled := filepath.Join(t.TempDir(), "php")
	write(t, garbled, "#!/bin/sh\nprintf \"<?php 'SECRET\" >&3\n")
	if err := os.Chmod(garbled, 0o700); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct{ php, source, problem string }{
		"no php there":                {"/no/such/php", lines, "does not start"},
		"a program that is none":      {"/bin/true", lines, "does not answer"},
		"a program of another answer": {garbled, lines, "its answer cannot be read"},
		"an undefined function":       {"", lines + "$CFG->dbtype = g('SECRET');", "it ends with an error at"},
		"a syntax error":              {"", "<?php\n$CFG->dbpass = ('SECRET';", "it ends with an error at"},
		"an exception":                {"", "<?php\n$CFG = new stdClass;\nthrow new Exception('SECRET');\n$CFG->dbtype = f();", "it ends with an error at"},
		"a script that ends at once":  {"", "<?php\nrequire f('SECRET');\ndie('SECRET');", ""},
		"a script that prints":        {"", "<?php\n$CFG = new stdClass;\n$CFG->dbtype = strrev('ilqsym'); echo 'SECRET'; fwrite(STDERR, 'SECRET');", ""},
		"a script that closes it all": {"", "<?php\n$CFG = new stdClass;\n$CFG->dbtype = strrev('ilqsym'); while (ob_get_level()) ob_end_flush(); trigger_error('SECRET', E_USER_ERROR);", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			php := test.php
			if php == "" {
				php = testbed.PHP(t)
			}
			path := filepath.Join(t.TempDir(), "config.php")
			write(t, path, test.source)
			_, err := ReadConfig(t.Context(), path, ReadOptions{PHP: php})
			var unusable *ConfigError
			if !errors.As(err, &unusable) {
				t.Fatalf("error %v", err)
			}
			if !strings.Contains(unusable.Hint, test.problem) {
				t.Errorf("hint %q", unusable.Hint)
			}
			if text := fmt.Sprintf("%v %+v %s", err, *unusable, unusable.Hint); strings.Contains(text, "SECRET") {
				t.Errorf("content is shown: %s", text)
			}
		})
	}
}

func TestPHPThatHangsEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := ReadConfig(ctx, fixture(t, "computed.php"), ReadOptions{PHP: sleeper(t)})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

// TestPHPIsNotAskedForWhatAWebRequestDecides: it would answer with the address of a command line.
func TestPHPIsNotAskedForWhatAWebRequestDecides(t *testing.T) {
	php := testbed.PHP(t)
	computed, err := os.ReadFile(fixture(t, "proxied.php"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "config.php")
	write(t, path, strings.Replace(string(computed), "'bitnami_moodle'", "strrev('bd')", 1))
	for name, file := range map[string]string{"nothing else is computed": fixture(t, "proxied.php"), "something else is computed": path} {
		t.Run(name, func(t *testing.T) {
			_, err := ReadConfig(t.Context(), file, ReadOptions{PHP: php})
			var unusable *ConfigError
			if !errors.As(err, &unusable) || unusable.Setting != "wwwroot" || unusable.Hint != "say which site with --host=URL" {
				t.Errorf("error %v", err)
			}
			c, err := ReadConfig(t.Context(), file, ReadOptions{PHP: php, Wwwroot: "https://proxied.example.org"})
			if err != nil || c.Wwwroot != "https://proxied.example.org" {
				t.Errorf("%v, %v", c, err)
			}
		})
	}
}

func TestPHPRunsAnotherUsersFileAsThatUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	dir, err := os.MkdirTemp("/tmp", "php") // not below a directory that only root can enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	php, path := filepath.Join(dir, "php"), filepath.Join(dir, "config.php")
	write(t, php, "#!/bin/sh\necho \"<?php \\$CFG->dbtype = 'mysqli'; \\$CFG->dbname = '$(id -u)'; \\$CFG->dbuser = 'u'; \\$CFG->wwwroot = 'http://x'; \\$CFG->dataroot = '/d';\" >&3\n")
	write(t, path, "<?php $CFG->dbtype = f();")
	for _, err := range []error{os.Chmod(dir, 0o755), os.Chmod(php, 0o755), os.Chmod(path, 0o644)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, uid := range []int{0, 33} {
		write(t, path, "<?php $CFG->dbtype = f(); $CFG->dataroot = '"+dataOf(t, uid)+"';")
		c, err := ReadConfig(t.Context(), path, ReadOptions{PHP: php})
		if err != nil || c.DBName != fmt.Sprint(uid) {
			t.Errorf("dataroot of %d: %v, %v", uid, c, err)
		}
	}
	for name, config := range map[string]string{"that is not there": "/no/such/dataroot", "of root's": dataOf(t, 0)} {
		write(t, path, "<?php $CFG->dbtype = f(); $CFG->dataroot = '"+config+"';")
		if err := os.Chown(path, 33, 33); err != nil {
			t.Fatal(err)
		}
		if c, err := ReadConfig(t.Context(), path, ReadOptions{PHP: php}); err == nil {
			t.Errorf("another user's config.php with a dataroot %s was run as user %s", name, c.DBName)
		}
	}
}

// dataOf is a dataroot of a user's.
func dataOf(t *testing.T, uid int) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chown(dir, uid, uid); err != nil {
		t.Fatal(err)
	}
	return dir
}

func sleeper(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "php")
	write(t, path, "#!/bin/sh\nexec sleep 60\n")
	if err := os.Chmod(path, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}
