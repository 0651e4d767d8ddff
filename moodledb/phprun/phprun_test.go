package phprun

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/moodledb/siteuser"
)

// script is a run with a php that is a shell script, in a directory that any user can enter.
func script(t *testing.T, php string) Script {
	t.Helper()
	dir, err := os.MkdirTemp("", "phprun")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := Script{PHP: filepath.Join(dir, "php"), Config: filepath.Join(dir, "config.php"), Dataroot: dir, Limit: 20 * time.Second}
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

// Processes that php has started end with it at the time limit. Otherwise a config.php that hangs
// in a command would leave one behind at each run.
func TestAtTheTimeLimitAllEnds(t *testing.T) {
	s := script(t, "sleep 61 & echo $! >&3; wait")
	s.Limit = time.Second
	answer, err := s.Run(t.Context())
	pid, notANumber := strconv.Atoi(strings.TrimSpace(string(answer)))
	if err != nil || notANumber != nil {
		t.Fatalf("%q, %v", answer, err)
	}
	for range 100 {
		if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("%d still runs", pid)
}

// A request is passed in both ways, and what it does not have is missing in the environment too.
func TestARequestIsInTheEnvironmentAndInTheServersArray(t *testing.T) {
	s := script(t, "")
	s.PHP = testbed.PHP(t)
	s.Request = map[string]string{"HTTP_HOST": `it's \ a`, "HTTPS": ""}
	s.Environ = []string{"PATH=" + os.Getenv("PATH"), "HTTPS=on", "HTTP_HOST=another"}
	s.Source = `<?php fwrite(fopen('php://fd/3', 'w'), $_SERVER['HTTP_HOST'] . '|' . getenv('HTTP_HOST') . '|' . (int)isset($_SERVER['HTTPS']) . '|' . (int)getenv('HTTPS') . '|' . (int)isset($request));`
	if answer, err := s.Run(t.Context()); string(answer) != `it's \ a|it's \ a|0|0|0` || err != nil {
		t.Errorf("%q, %v", answer, err)
	}
}

func TestAnswerIsWhatGoesToFileDescriptor3(t *testing.T) {
	tests := map[string]struct{ php, answer, err string }{
		"beside noise and a failure":      {"echo noise; echo noise >&2; printf answer >&3; exit 3", "answer", ""},
		"from a php that hangs then":      {"printf answer >&3; exec sleep 60", "answer", ""},
		"with a grandchild that stays":    {"printf answer >&3; sleep 30 &", "answer", ""},
		"nothing":                         {"echo SECRET", "", "it does not answer"},
		"nothing in time":                 {"echo SECRET; exec sleep 60", "", "no answer within 1s"},
		"nothing but the script, by cat":  {"tail -c 12 >&3", "<?php source", ""},
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

func TestRootBecomesTheOwnerOfDataroot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	s := script(t, `printf '%s:%s' "$(id -u)" "$(id -G)" >&3`)
	s.Dataroot = t.TempDir()
	for name, test := range map[string]struct {
		config, data int // their owners
		want         string
	}{
		"root's own":                     {0, 0, "0:0"},
		"root's code for the web server": {0, 33, "33:33"},
		"the web server's":               {33, 33, "33:33"},
		"somebody's code for the server": {54321, 33, "33:33"},
		"an account without a name":      {0, 54321, "54321:54321"},
		"the web server's code for root": {33, 0, ""},
		"nobody's code for root":         {54321, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, err := range []error{os.Chown(s.Config, test.config, test.config), os.Chown(s.Dataroot, test.data, test.data)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			answer, err := s.Run(t.Context())
			var unsafe *siteuser.UnsafeError
			if !strings.HasPrefix(string(answer), test.want) || errors.As(err, &unsafe) != (test.want == "") || test.want == "" && answer != nil {
				t.Errorf("ran as %s, error %v", answer, err)
			}
		})
	}
}

// TestRootDoesNotRunWhatAnotherUserHasWritten lets a config.php of root include a file of another
// user: it runs as the owner of dataroot, and if that is root, it does not run.
func TestRootDoesNotRunWhatAnotherUserHasWritten(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	php, err := exec.LookPath("php")
	if err != nil {
		testbed.Missing(t, "php is not installed")
	}
	const shows = `<?php $answer = fopen('php://fd/3', 'w'); fwrite($answer, 'ran as ' . posix_geteuid()); fclose($answer);`
	for name, test := range map[string]struct {
		data  int // owner of dataroot
		where func(s Script, elsewhere string) string
		want  string
	}{
		"beside config.php, for the web server":   {33, func(s Script, _ string) string { return filepath.Join(filepath.Dir(s.Config), "x.php") }, "ran as 33"},
		"beside config.php, for root":             {0, func(s Script, _ string) string { return filepath.Join(filepath.Dir(s.Config), "x.php") }, ""},
		"deep below config.php, for root":         {0, func(s Script, _ string) string { return filepath.Join(filepath.Dir(s.Config), "a/b/x.php") }, ""},
		"elsewhere, for the web server":           {33, func(_ Script, elsewhere string) string { return filepath.Join(elsewhere, "x.php") }, "ran as 33"},
		"elsewhere, for root":                     {0, func(_ Script, elsewhere string) string { return filepath.Join(elsewhere, "x.php") }, ""},
		"in dataroot, for root":                   {0, func(s Script, _ string) string { return filepath.Join(s.Dataroot, "x.php") }, ""},
		"in the configuration of caches for root": {0, func(s Script, _ string) string { return filepath.Join(s.Dataroot, "muc", "x.php") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := script(t, "")
			s.PHP, s.Source = php, `<?php require($argv[1]);`
			elsewhere, err := os.MkdirTemp("", "elsewhere")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(elsewhere) })
			s.Dataroot = filepath.Join(filepath.Dir(s.Config), "..", filepath.Base(elsewhere)+"-data")
			t.Cleanup(func() { _ = os.RemoveAll(s.Dataroot) })
			included := test.where(s, elsewhere)
			for _, err := range []error{
				os.Chmod(elsewhere, 0o755), os.Mkdir(s.Dataroot, 0o755), os.MkdirAll(filepath.Dir(included), 0o755), os.Chown(s.Dataroot, test.data, test.data),
				os.WriteFile(included, []byte(shows), 0o644), os.Chown(included, 33, 33),
				os.WriteFile(s.Config, []byte("<?php require('"+included+"');"), 0o644),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
			answer, err := s.Run(t.Context())
			if string(answer) != test.want || (err == nil) != (test.want != "") {
				t.Errorf("%s, error %v", answer, err)
			}
		})
	}
}
