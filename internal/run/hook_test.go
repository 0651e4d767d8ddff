package run

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/rotate"
)

// Whoever can change the program of a hook that root runs is root.
func TestRootRunsNoHookThatAnotherUserCanChange(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can let a file belong to another user")
	}
	hook := filepath.Join(t.TempDir(), "purge")
	if err := os.WriteFile(hook, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		mode    os.FileMode
		owner   int
		refused bool
	}{
		"root's":                   {0o755, 0, false},
		"one that all may write":   {0o777, 0, true},
		"one of another user":      {0o755, 4242, true},
		"root's in root's own way": {0o700, 0, false},
	} {
		if err := os.Chown(hook, c.owner, 0); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(hook, c.mode); err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{hook, "MODE=all " + hook + " now", "sh " + hook, "cd / && true"} {
			err := checkHooks(cmdline.Options{Command: cmdline.Renew, CacheHook: line})
			if want := c.refused && line == hook; want != (err != nil) && line != "MODE=all "+hook+" now" {
				t.Errorf("%s: %s: %v", name, line, err)
			}
			if err != nil && !strings.Contains(err.Error(), "--cache-hook: root does not run "+hook+", which another user can change") {
				t.Error(err)
			}
		}
	}
}

// Each link and each directory on the way can lead root elsewhere.
func TestRootFollowsNoLinkThatAnotherUserCanChange(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can let a file belong to another user")
	}
	dir := t.TempDir()
	in := func(names ...string) string { return filepath.Join(append([]string{dir}, names...)...) }
	if err := cmp.Or(os.Mkdir(in("bob"), 0o755), os.Mkdir(in("root"), 0o755), os.WriteFile(in("root", "purge"), []byte("#!/bin/sh\n"), 0o755),
		os.Symlink(in("root", "purge"), in("bob", "purge")), os.Symlink("bob/purge", in("purge")),
		os.Symlink("../root", in("bob", "hooks")), os.Symlink(in("bob", "hooks"), in("hooks")), os.Symlink("root", in("own")),
		os.Lchown(in("bob", "purge"), 4242, 4242), os.Chown(in("bob"), 4242, 4242)); err != nil {
		t.Fatal(err)
	}
	for path, refused := range map[string]bool{in("purge"): true, in("hooks", "purge"): true, in("own", "purge"): false, in("root", "purge"): false} {
		if err := checkHooks(cmdline.Options{Command: cmdline.Renew, CacheHook: path}); (err != nil) != refused {
			t.Errorf("%s: %v", path, err)
		}
	}
	found := hookFindings(cmdline.Options{Command: cmdline.Doctor, CacheHook: in("purge"), PreHook: in("none") + " && true"})
	if len(found) != 2 || found[0].Severity != rotate.SeverityError || found[1].Severity != rotate.SeverityWarning {
		t.Errorf("%+v", found)
	}
}

// On Debian the group staff may write to /usr/local, where hooks belong.
func TestRootRunsAHookThatAGroupCanChange(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can let a file belong to a group that it is not in")
	}
	hook := filepath.Join(t.TempDir(), "purge")
	if err := cmp.Or(os.WriteFile(hook, []byte("#!/bin/sh\n"), 0o755), os.Chown(hook, 0, 50), os.Chmod(hook, 0o775)); err != nil {
		t.Fatal(err)
	}
	if err := checkHooks(cmdline.Options{Command: cmdline.Renew, CacheHook: hook}); err != nil {
		t.Error(err)
	}
}
