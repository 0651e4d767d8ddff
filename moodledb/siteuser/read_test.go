package siteuser

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

// stranger is a user whom this machine does not know.
var stranger = User{54321, 54322}

// passable lets all users enter a temporary directory, whose own directory belongs to the tester.
func passable(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for at := dir; at != os.TempDir() && at != "/"; at = filepath.Dir(at) {
		if err := os.Chmod(at, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestRootReadsNoFileThatTheUserMayNotRead(t *testing.T) {
	if os.Geteuid() != 0 {
		testbed.Missing(t, "only root can read what another may not")
	}
	for name, c := range map[string]struct {
		uid, gid  int
		mode      fs.FileMode
		directory fs.FileMode
		read      bool
	}{
		"the user's own":                           {54321, 0, 0o400, 0o755, true},
		"the user's own, closed to the user":       {54321, 0, 0o044, 0o755, false},
		"of the user's group":                      {0, 54322, 0o640, 0o755, true},
		"of the user's group, which may not":       {0, 54322, 0o604, 0o755, false},
		"for all":                                  {0, 0, 0o644, 0o755, true},
		"root's alone":                             {0, 0, 0o600, 0o755, false},
		"for all, in a directory of root's":        {0, 0, 0o644, 0o700, false},
		"for all, in one that can only be entered": {0, 0, 0o644, 0o711, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(passable(t), "secrets")
			file, link := filepath.Join(dir, "password"), filepath.Join(passable(t), "link")
			for _, err := range []error{os.Mkdir(dir, 0o700), os.WriteFile(file, []byte("secret"), 0o600), os.Symlink(file, link),
				os.Chown(file, c.uid, c.gid), os.Chmod(file, c.mode), os.Chmod(dir, c.directory)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			for _, path := range []string{file, link} {
				text, err := stranger.ReadFile(path, 1<<20)
				if c.read && (err != nil || string(text) != "secret") || !c.read && (!errors.Is(err, fs.ErrPermission) || len(text) > 0) {
					t.Errorf("%s: %q, error %v", filepath.Base(path), text, err)
				}
				if text, err := (User{}).ReadFile(path, 1<<20); err != nil || string(text) != "secret" {
					t.Errorf("%s, for root: %q, error %v", filepath.Base(path), text, err)
				}
			}
		})
	}
}

func TestWhatIsNoFileIsNotRead(t *testing.T) {
	dir := t.TempDir()
	pipe, huge := filepath.Join(dir, "pipe"), filepath.Join(dir, "huge")
	for _, err := range []error{syscall.Mkfifo(pipe, 0o600), os.WriteFile(huge, make([]byte, 1<<20+1), 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for path, says := range map[string]string{
		pipe: "is not a regular file", dir: "is not a regular file", "/dev/zero": "is not a regular file",
		huge: "is larger than 1 MiB", filepath.Join(dir, "missing"): "no such file",
	} {
		if text, err := (User{}).ReadFile(path, 1<<20); err == nil || !strings.Contains(err.Error(), says) || len(text) > 0 {
			t.Errorf("%s: %q, error %v", path, text, err)
		}
	}
}
