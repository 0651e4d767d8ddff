package config

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"renew_mnetkeys/internal/testbed"
)

// traces are statements that leave a file MARK behind if they are run, each in a form that may give
// a setting its value.
var traces = map[string]string{
	"a function of PHP":         `file_put_contents('MARK', 'x');`,
	"a shell by backticks":      "`touch MARK`;",
	"a shell by its function":   `shell_exec('touch MARK');`,
	"a pipe":                    `fgets(popen('touch MARK; echo x', 'r'));`,
	"eval":                      `eval("return touch('MARK');");`,
	"a function of the file":    `own(); function own() { return (string)touch('MARK'); }`,
	"a function without a name": `(function () { return touch('MARK'); })();`,
	"a callback":                `array_map('touch', ['MARK']);`,
	"a function by its name":    `call_user_func('touch', 'MARK');`,
	"a constructor":             `new SplFileObject('MARK', 'w');`,
	"an included file":          `(include __DIR__ . '/included.php');`,
	"a suppressed call":         `@touch('MARK');`,
	"a condition":               `touch('MARK') ? 'a' : 'b';`,
}

// Each statement is tested alone and as the value of a setting; either way nothing of the file must
// be read. The php run, which no option names, does leave the file and so shows that the statement
// would.
func TestNothingInConfigPHPIsExecuted(t *testing.T) {
	t.Parallel()
	php := testbed.PHP(t)
	for name, trace := range traces {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			mark, path := filepath.Join(dir, "mark"), filepath.Join(dir, "config.php")
			trace := strings.ReplaceAll(trace, "MARK", mark)
			write(t, filepath.Join(dir, "included.php"), "<?php return touch('"+mark+"');")
			const settings = "<?php $CFG = new stdClass; $CFG->dbtype='mysqli'; $CFG->dbuser='u'; $CFG->wwwroot='http://x'; $CFG->dataroot='/d'; $CFG->dbname='n';\n"

			write(t, path, settings+trace)
			c, err := Read(t.Context(), path, Options{})
			var refused *Error
			if !errors.As(err, &refused) || refused.Line < 1 || refused.Hint() == "" {
				t.Errorf("alone: %v, error %v", c, err)
			}
			write(t, path, settings+"$CFG->dbname = "+trace)
			if c, err := Read(t.Context(), path, Options{}); !errors.As(err, &refused) || refused.Line < 1 {
				t.Errorf("as a value: %v, error %v", c, err)
			}
			if _, err := os.Stat(mark); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("it was executed: %v", err)
			}
			said, err := exec.CommandContext(t.Context(), php, path).CombinedOutput()
			if _, missing := os.Stat(mark); missing != nil {
				t.Errorf("php does not execute it either: %s, error %v", said, err)
			}
		})
	}
}

// noFiles put something at path that is not a file of at most 1 MiB.
var noFiles = map[string]func(path string) error{
	"a pipe":                   func(path string) error { return syscall.Mkfifo(path, 0o600) },
	"a directory":              func(path string) error { return os.Mkdir(path, 0o700) },
	"a device":                 func(path string) error { return os.Symlink("/dev/null", path) },
	"a file that is too large": func(path string) error { return os.WriteFile(path, make([]byte, 1<<20+1), 0o600) },
	"a link to itself":         func(path string) error { return os.Symlink(path, path) },
}

func TestWhatIsNoFileInPlaceOfConfigPHPIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	says := map[string]string{"a file that is too large": "larger than 1 MiB", "a link to itself": "too many levels"}
	for name, put := range noFiles {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, source := range map[string]string{"config.php": "", "including.php": "<?php include __DIR__ . '/config.php';"} {
				path := filepath.Join(dir, file)
				if source != "" {
					write(t, path, source)
				} else if err := put(path); err != nil {
					t.Fatal(err)
				}
			}
			want := says[name]
			if want == "" {
				want = "is not a regular file"
			}
			for file, want := range map[string]string{"config.php": want, "including.php": "only PHP can evaluate"} {
				refused := make(chan error, 1)
				go func() {
					_, err := Read(t.Context(), filepath.Join(dir, file), Options{})
					refused <- err
				}()
				select {
				case err := <-refused:
					var unusable *Error
					if !errors.As(err, &unusable) || !strings.Contains(err.Error(), want) {
						t.Errorf("%s: error %v", file, err)
					}
				case <-time.After(5 * time.Second):
					t.Fatalf("%s: it is waited for", file)
				}
			}
		})
	}
}

// Whoever may write config.php must not learn from it, through a database host of his own, what
// only root may read.
func TestRootReadsNothingForConfigPHPThatItsUserMayNotRead(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		testbed.Missing(t, "only root can read what another may not")
	}
	for name, line := range map[string]string{
		"the content of a file": "$CFG->dbuser = trim(file_get_contents('FILE'));",
		"what a file sets":      "require 'FILE';",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path, file := filepath.Join(dir, "config.php"), filepath.Join(dir, "other")
			source := "<?php $CFG = new stdClass(); $CFG->dbtype='mariadb'; $CFG->dbhost='h'; $CFG->dbname='d'; $CFG->dbuser='u'; $CFG->dbpass='p'; $CFG->prefix='m_';" +
				"$CFG->wwwroot='http://a.example'; $CFG->dataroot='/d'; " + strings.ReplaceAll(line, "FILE", file)
			for _, err := range []error{os.WriteFile(path, []byte(source), 0o600), os.Chown(path, 54321, 54321),
				os.WriteFile(file, []byte("<?php $CFG->dbuser = 'SECRET';"), 0o600)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			c, err := Read(t.Context(), path, Options{})
			if err == nil && strings.Contains(c.DBUser, "SECRET") || err != nil && strings.Contains(err.Error(), "SECRET") {
				t.Errorf("it was read: %v", err)
			}
			if err := os.Chown(path, 0, 0); err != nil {
				t.Fatal(err)
			}
			if c, err := Read(t.Context(), path, Options{}); err != nil || !strings.Contains(c.DBUser, "SECRET") {
				t.Errorf("not read for a config.php of root's: %v", err)
			}
		})
	}
}

// If root reads for the web server, it must not see what the web server does not see.
func TestRootLeavesToPHPWhatTheOwnerOfDatarootSeesOtherwise(t *testing.T) {
	if os.Geteuid() != 0 {
		testbed.Missing(t, "only root can look where another may not")
	}
	dir, hidden := shared(t), t.TempDir()
	secret := filepath.Join(hidden, "secret.php")
	write(t, secret, "<?php $CFG->dbpass = 'SECRET'; return 'SECRET';")
	for _, err := range []error{os.Chmod(hidden, 0o700), os.Symlink(secret, filepath.Join(dir, "link"))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, expression := range map[string]string{
		"exists": "file_exists('FILE') ? 'SECRET' : 'default'", "is a file": "is_file('FILE') ? 'SECRET' : 'default'", "below": "is_dir('FILE/..') ? 'SECRET' : 'default'",
		"can be read": "is_readable('FILE') ? 'SECRET' : 'default'", "its place": "realpath('FILE') ?: 'default'", "its content": "@file_get_contents('FILE') ?: 'default'", "included": "(@include 'FILE') ?: 'default'",
	} {
		for _, file := range []string{secret, filepath.Join(dir, "link")} {
			path := filepath.Join(dir, "config.php")
			write(t, path, "<?php $CFG = new stdClass(); $CFG->dbtype = 'mysqli'; $CFG->dbname = 'n'; $CFG->dbuser = 'u'; $CFG->wwwroot = 'http://x';\n$CFG->dataroot = '"+dataOf(t, 33)+"';\n"+
				"$x = "+strings.ReplaceAll(expression, "FILE", file)+"; $CFG->dbpass = $x; require_once(__DIR__ . '/lib/setup.php');")
			chmod(t, path, 0o644)
			if c, err := Read(t.Context(), path, Options{}); !errors.As(err, new(*Error)) {
				t.Errorf("%s, %s: %v, %v", name, file, c, err)
			}
			c, err := Read(t.Context(), path, Options{PHP: testbed.PHP(t)})
			if err != nil || c.DBPass != "default" {
				t.Errorf("%s, %s, with php: %v, %v", name, file, c, err)
			}
		}
	}
}
