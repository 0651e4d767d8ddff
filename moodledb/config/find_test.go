package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestFind(t *testing.T) {
	root := t.TempDir()
	const moodles, others = "<?php $CFG = new stdClass();", "<?php return ['db' => 1];"
	write(t, filepath.Join(root, "moodle/config.php"), moodles)
	write(t, filepath.Join(root, "moodle/lib/moodlelib.php"), "")
	write(t, filepath.Join(root, "moodle/local/vmoodle/config.php"), others)
	write(t, filepath.Join(root, "moodle/local/vmoodle/cli/x.php"), "")
	write(t, filepath.Join(root, "other/config.php"), others)
	write(t, filepath.Join(root, "plain/config.php"), moodles)
	write(t, filepath.Join(root, "public/config.php"), others)
	write(t, filepath.Join(root, "public/public/lib/moodlelib.php"), "")
	if err := os.MkdirAll(filepath.Join(root, "dir/config.php"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(root, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		explicit, env, workdir string
		usual                  []string
		want                   string // "" for an error
		problem                string
	}{
		"--config":                                     {explicit: "moodle/config.php", want: "moodle/config.php"},
		"--config with whatever name":                  {explicit: "moodle/lib/moodlelib.php", want: "moodle/lib/moodlelib.php"},
		"--config names Moodle's directory":            {explicit: "moodle", env: "other", want: "moodle/config.php"},
		"--config names nothing":                       {explicit: "moodle/none.php", env: "moodle", problem: "there is no such file (--config)"},
		"MOODLE_CONFIG":                                {env: "moodle/config.php", workdir: "plain", want: "moodle/config.php"},
		"MOODLE_CONFIG names nothing":                  {env: "none", workdir: "moodle", problem: "there is no such file (MOODLE_CONFIG)"},
		"the working directory":                        {workdir: "moodle", want: "moodle/config.php"},
		"upwards, past configurations of others":       {workdir: "moodle/local/vmoodle/cli", want: "moodle/config.php"},
		"without the library, by its content":          {workdir: "plain", want: "plain/config.php"},
		"beside the public directory of Moodle 5.1":    {workdir: "public", want: "public/config.php"},
		"the usual places, the first that is Moodle's": {workdir: "other", usual: []string{"none/config.php", "other/config.php", "dir/config.php", "fifo", "plain/config.php", "moodle/config.php"}, want: "plain/config.php"},
		"nowhere": {workdir: "other", usual: []string{"other/config.php"}, problem: "no config.php of Moodle in"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			under := func(path string) string { return filepath.Join(root, path) }
			absolute := func(path string) string {
				if path == "" {
					return ""
				}
				return under(path)
			}
			usual := make([]string, len(test.usual))
			for i, path := range test.usual {
				usual[i] = under(path)
			}
			env := func(name string) string { return map[string]string{"MOODLE_CONFIG": absolute(test.env)}[name] }
			got, err := findIn(absolute(test.explicit), env, under(test.workdir), usual)
			if test.want != "" {
				if err != nil || got != under(test.want) {
					t.Errorf("%s, %v", got, err)
				}
				return
			}
			var unusable *Error
			if !errors.As(err, &unusable) || !strings.Contains(unusable.Problem, test.problem) || !strings.Contains(unusable.Hint(), "--config=PATH") {
				t.Errorf("%s, %v", got, err)
			}
		})
	}
	t.Run("a relative --config starts at the working directory", func(t *testing.T) {
		got, err := findIn("../moodle", func(string) string { return "" }, filepath.Join(root, "other"), nil)
		if err != nil || got != filepath.Join(root, "moodle/config.php") {
			t.Errorf("%s, %v", got, err)
		}
	})
}

func TestReadExplainsWhatItCannotOpen(t *testing.T) {
	tests := map[string]struct{ path, problem, hint string }{
		"no file":     {filepath.Join(t.TempDir(), "config.php"), "there is no such file", "--config=PATH"},
		"a directory": {t.TempDir(), "is not a regular file", ""},
		"a device":    {"/dev/zero", "is not a regular file", ""},
		"a huge file": {filepath.Join(t.TempDir(), "huge.php"), "is larger than 1 MiB", ""},
	}
	write(t, tests["a huge file"].path, "<?php //"+strings.Repeat("x", 1<<20))
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Read(t.Context(), test.path, Options{PHP: "/no/such/php"})
			var unusable *Error
			if !errors.As(err, &unusable) || unusable.Problem != test.problem || !strings.Contains(unusable.Hint(), test.hint) {
				t.Errorf("%v", err)
			}
		})
	}
}

// The hint never suggests root, because the PHP code may be anyone's.
func TestAConfigThatCannotBeReadNamesTheUserWhoCan(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give files away")
	}
	for name, test := range map[string]struct {
		uid, gid int
		mode     os.FileMode
		hint     string
	}{
		"its owner":               {33, 33, 0o400, "sudo -u www-data"},
		"its group":               {0, 33, 0o640, "sudo -u www-data"},
		"everybody, in principle": {0, 0, 0o644, "sudo -u www-data"},
		"an account by number":    {54321, 0, 0o400, "sudo -u #54321"},
		"root alone":              {0, 0, 0o600, "make it readable for the web server's user"},
	} {
		path := filepath.Join(t.TempDir(), "config.php")
		write(t, path, "<?php")
		if err := errors.Join(os.Chown(path, test.uid, test.gid), os.Chmod(path, test.mode)); err != nil {
			t.Fatal(err)
		}
		err := unreadable(path, &os.PathError{Op: "open", Path: path, Err: syscall.EACCES})
		if err.Problem != "cannot be read by this user" || !strings.Contains(err.Hint(), test.hint) || strings.Contains(err.Hint(), "-u root") {
			t.Errorf("%s: %v, hint %q", name, err, err.Hint())
		}
	}
}

func TestReadInADirectoryThatIsGone(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	var unusable *Error
	if _, err := Read(t.Context(), "config.php", Options{}); !errors.As(err, &unusable) || unusable.File != "config.php" {
		t.Errorf("got %v", err)
	}
}
