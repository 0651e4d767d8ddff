package phprun

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// script is a run by a php that is a shell script, in a directory that any user can enter.
func script(t *testing.T, php string) Script {
	t.Helper()
	dir, err := os.MkdirTemp("", "phprun")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := Script{PHP: filepath.Join(dir, "php"), Config: filepath.Join(dir, "config.php"), Limit: 20 * time.Second}
	for _, err := range []error{
		os.WriteFile(s.PHP, []byte("#!/bin/sh\n"+php), 0o755), os.WriteFile(s.Config, nil, 0o644),
		os.Chmod(dir, 0o755), os.Chmod(s.PHP, 0o755), os.Chmod(s.Config, 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestAnswerIsWhatGoesToFileDescriptor3(t *testing.T) {
	tests := map[string]struct{ php, answer, err string }{
		"beside noise and a failure":      {"echo noise; echo noise >&2; printf answer >&3; exit 3", "answer", ""},
		"from a php that hangs then":      {"printf answer >&3; exec sleep 60", "answer", ""},
		"with a grandchild that stays":    {"printf answer >&3; sleep 30 &", "answer", ""},
		"nothing":                         {"echo SECRET", "", "it does not answer"},
		"nothing in time":                 {"echo SECRET; exec sleep 60", "", "no answer within 1s"},
		"nothing but the script, by cat":  {"cat >&3", "<?php source", ""},
		"of arguments, config.php first":  {`while [ "$1" != -- ]; do shift; done; printf '%s|' "$2" "$3" >&3`, "CONFIG|one|", ""},
		"of settings":                     {`echo "$@" | grep -c -- '-d zend.exception_ignore_args=1 .*-d a=b --' >&3`, "1\n", ""},
		"the directory of config.php":     {`test -f config.php && printf there >&3`, "there", ""},
		"the environment but for our own": {`env | grep -e SITE -e KEYS >&3`, "SITE=kept\n", ""},
		"more than is read":               {"head -c 2000000 /dev/zero | tr '\\0' x >&3", strings.Repeat("x", MaxAnswer), ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := script(t, test.php)
			s.Source, s.Args, s.Settings, s.Limit = "<?php source", []string{"one"}, []string{"a=b"}, time.Second
			s.Environ = []string{"PATH=" + os.Getenv("PATH"), "SITE=kept", "MNETKEYS_CFG=SECRET"}
			started := time.Now()
			answer, err := s.Run(t.Context())
			said := ""
			if err != nil {
				said = err.Error()
			}
			if string(answer) != strings.ReplaceAll(test.answer, "CONFIG", s.Config) || said != test.err {
				t.Errorf("%.100q, error %v", answer, err)
			}
			if took := time.Since(started); took > 15*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestNoEnvironmentMeansOurOwn(t *testing.T) {
	t.Setenv("SITE_VARIABLE", "kept")
	t.Setenv("MNETKEYS_CFG", "SECRET")
	answer, err := script(t, "env | grep -e SITE_VARIABLE -e MNETKEYS_CFG >&3").Run(t.Context())
	if string(answer) != "SITE_VARIABLE=kept\n" || err != nil {
		t.Errorf("%q, %v", answer, err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	started := time.Now()
	if answer, err := script(t, "printf answer >&3; exec sleep 60").Run(ctx); !errors.Is(err, context.DeadlineExceeded) || answer != nil || time.Since(started) > 15*time.Second {
		t.Errorf("%q, error %v", answer, err)
	}
}

func TestRunWithoutPHP(t *testing.T) {
	s := script(t, "")
	s.PHP = "/no/such/php"
	if _, err := s.Run(t.Context()); !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "it does not start: ") {
		t.Errorf("error %v", err)
	}
}

func TestRootBecomesTheUserThatTheSiteIsFor(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	s := script(t, `printf '%s:%s' "$(id -u)" "$(id -G)" >&3`)
	tests := map[string]struct {
		uid, gid int
		mode     os.FileMode
		want     string // the answer starts so
	}{
		"root's own":                     {0, 0, 0o644, "0:0"},
		"the web server's":               {33, 33, 0o644, "33:33"},
		"root's, for the server's group": {0, 33, 0o640, "33:33"},
		"an account without a name":      {54321, 54322, 0o644, "54321:54322"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, err := range []error{os.Chown(s.Config, test.uid, test.gid), os.Chmod(s.Config, test.mode)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			answer, err := s.Run(t.Context())
			if err != nil || !strings.HasPrefix(string(answer), test.want) {
				t.Errorf("ran as %s, error %v", answer, err)
			}
		})
	}
}
