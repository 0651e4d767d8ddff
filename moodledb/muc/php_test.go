package muc

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"renew_mnetkeys/internal/printable"
	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/moodledb/siteuser"
)

const databasePassword = "S3cret-of-the-database"

// site is the site that php loads: the stub's own site with wwwroot "", or a tenant.
func (s stub) site(php, wwwroot, fault string) phpSite {
	own := wwwroot == ""
	if own {
		wwwroot = "http://main.example.test"
	}
	return phpSite{PHP: php, ConfigFile: s.config, Wwwroot: wwwroot, Tenant: !own, Dataroot: s.dataroot, Environ: s.environ(fault)}
}

// stub is the site of testdata/moodle, with what it was asked to drop.
type stub struct{ config, dataroot string }

func newStub(t *testing.T) stub {
	t.Helper()
	config, err := filepath.Abs("testdata/moodle/config.php")
	if err != nil {
		t.Fatal(err)
	}
	return stub{config, t.TempDir()}
}

func (s stub) environ(fault string) []string {
	return append(os.Environ(), "STUB_DATAROOT="+s.dataroot, "STUB_DBPASS="+databasePassword, "STUB_FAULT="+fault, "MNETKEYS_TEST=ours")
}

func TestDropByPHPDropsBothEntriesOfTheRightSite(t *testing.T) {
	php := testbed.PHP(t)
	for _, test := range []struct{ name, wwwroot, site, fault string }{
		{"config.php's own site", "", "http://main.example.test", ""},
		{"a tenant of the array", "http://child.example.test", "http://child.example.test", ""},
		{"a tenant given with a slash", "http://child.example.test/", "http://child.example.test", ""},
		{"a site that writes much while it loads", "", "http://main.example.test", "noise"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStub(t)
			if err := s.site(php, test.wwwroot, test.fault).drop(t.Context()); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(filepath.Join(s.dataroot, "seen.json"))
			if err != nil {
				t.Fatal(err)
			}
			var seen map[string]any
			if err := json.Unmarshal(text, &seen); err != nil {
				t.Fatal(err)
			}
			want := map[string]any{
				"site": test.site, "definition": "core/config", "identifiers": []any{}, "keys": []any{"mnet", "core"},
				"dbpass": databasePassword, // a variable that config.php may need
				"ours":   false,            // MNETKEYS_ variables are not for the site
			}
			if diff := cmp.Diff(want, seen); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDropByPHPSaysWhatWentWrongWithoutWhatPHPWrote(t *testing.T) {
	php := testbed.PHP(t)
	broken := filepath.Join(t.TempDir(), "it's broken.php")
	if err := os.WriteFile(broken, []byte("<?php\n$CFG->dbpass = 'S3cret'"+"-of-the-database';\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, config, wwwroot, fault, problem string }{
		{"the database refuses", "", "", "no database", "dml_connection_exception at "},
		{"a fatal error", "", "", "fatal", "fatal error at "},
		{"a config.php that does not parse", broken, "", "", "ParseError at " + broken + ":2"},
		{"no config.php", filepath.Join(t.TempDir(), "config.php"), "", "", "RuntimeException at "},
		{"an unknown tenant", "", "http://other.example.test", "", "the site ended the script while it was loading"},
		{"a tenant of what is no array", "", "http://child.example.test", "no array", "config.php has loaded another site"},
		{"another site of the environment", "", "", "another site", "config.php has loaded another site"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newStub(t)
			config := test.config
			if config == "" {
				config = s.config
			}
			err := stub{config, s.dataroot}.site(php, test.wwwroot, test.fault).drop(t.Context())
			var failed *PHPError
			if !errors.As(err, &failed) || !strings.HasPrefix(failed.Problem, test.problem) || failed.Hint() == "" {
				t.Errorf("want a PHPError %q, got %v", test.problem, err)
			}
			if err != nil && strings.Contains(err.Error(), "cret") {
				t.Errorf("the error shows a secret: %v", err)
			}
			if _, err := os.Stat(filepath.Join(s.dataroot, "seen.json")); err == nil {
				t.Error("something was dropped")
			}
		})
	}
}

// A config.php that chooses its site by the name in the request must choose the one that was read.
func TestPHPLoadsTheSiteOfTheHostThatWasRead(t *testing.T) {
	php := testbed.PHP(t)
	for host, request := range map[string]map[string]string{
		"http://main.example.test": nil, "http://b.example.test": {"HTTP_HOST": "b.example.test"}, "https://b.example.test": {"HTTP_HOST": "b.example.test", "HTTPS": "on"},
		"https://c.example.test": {"HTTP_HOST": "b.example.test", "HTTPS": "on"},
	} {
		s := newStub(t)
		site := s.site(php, "", "by host")
		site.Wwwroot, site.Request = host, request
		_, checked := site.check(t.Context())
		_, read := site.cached(t.Context())
		_, described := site.describe(t.Context())
		for _, err := range []error{checked, read, described, site.drop(t.Context())} {
			if other := host == "https://c.example.test"; (err != nil) != other || other && !strings.Contains(err.Error(), "config.php has loaded another site") {
				t.Errorf("%s: %v", host, err)
			}
		}
	}
}

// Moodle's own scripts have these streams, so a config.php may write to them.
func TestASiteThatWritesToTheStandardStreamsIsLoaded(t *testing.T) {
	s := newStub(t)
	if _, err := s.site(testbed.PHP(t), "", "streams").check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAnswersOfPHPAreShownOnOneShortLine(t *testing.T) {
	if got := printable.Line("ParseError at /srv/a\x1b\nb.php:2"+strings.Repeat("x", 1000), answerLimit); !strings.HasPrefix(got, "ParseError at /srv/a b.php:2") || utf8.RuneCountInString(got) != answerLimit {
		t.Errorf("%q", got)
	}
}

func TestDropByPHPWithoutPHPIsAPHPError(t *testing.T) {
	s := newStub(t)
	var failed *PHPError
	if err := s.site("/no/such/php", "", "").drop(t.Context()); !errors.As(err, &failed) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestDropByPHPEndsWithItsContext(t *testing.T) {
	php, s := testbed.PHP(t), newStub(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for range 1000 {
			if _, err := os.Stat(filepath.Join(s.dataroot, "hanging")); err == nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		cancel()
	}()
	start := time.Now()
	if err := s.site(php, "", "hang").drop(ctx); !errors.Is(err, context.Canceled) || time.Since(start) > 15*time.Second {
		t.Errorf("after %s: %v", time.Since(start), err)
	}
}

func TestDropByPHPRunsAnotherUsersSiteAsThatUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	php := testbed.PHP(t)
	dir, err := os.MkdirTemp("", "site") // t.TempDir is closed to others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.CopyFS(dir, os.DirFS("testdata/moodle")); err != nil {
		t.Fatal(err)
	}
	s := stub{filepath.Join(dir, "config.php"), filepath.Join(dir, "moodledata")}
	for _, err := range []error{os.Mkdir(s.dataroot, 0), os.Chmod(s.dataroot, 0o777), os.Chmod(dir, 0o755), os.Chmod(s.config, 0o644)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, uid := range []int{33, 54321} {
		if err := os.Chown(s.dataroot, uid, uid); err != nil {
			t.Fatal(err)
		}
		if err := s.site(php, "", "").drop(t.Context()); err != nil {
			t.Fatal(err)
		}
		seen := filepath.Join(s.dataroot, "seen.json")
		info, err := os.Stat(seen)
		if err != nil {
			t.Fatal(err)
		}
		if wrote := info.Sys().(*syscall.Stat_t).Uid; wrote != uint32(uid) {
			t.Errorf("the site of user %d was run by user %d", uid, wrote)
		}
		if err := os.Remove(seen); err != nil {
			t.Fatal(err)
		}
	}
	// The dataroot belongs to root and all users may write to it, as many manuals advise: so its
	// files can be anyone's.
	if err := os.Chown(s.dataroot, 0, 0); err != nil {
		t.Fatal(err)
	}
	var failed *PHPError
	if err := s.site(php, "", "").drop(t.Context()); !errors.As(err, &failed) || !errors.As(err, new(*siteuser.UnsafeError)) || !strings.Contains(failed.Hint(), "sudo -u") {
		t.Errorf("root's dataroot that all may write to: %v", err)
	}
	if _, err := os.Stat(filepath.Join(s.dataroot, "seen.json")); err == nil {
		t.Error("it was run")
	}
}
