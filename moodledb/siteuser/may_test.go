package siteuser

import (
	"os"
	"path/filepath"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

func TestWhatTheWebServersUserMayDo(t *testing.T) {
	if os.Geteuid() != 0 {
		testbed.Missing(t, "only root can give files away")
	}
	dir := passable(t)
	for name, mode := range map[string]os.FileMode{"open/file": 0o644, "open/own": 0o600, "closed/file": 0o644, "open/written": 0o666, "open/group": 0o660} {
		path := filepath.Join(dir, name)
		for _, err := range []error{os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o600), os.Chmod(path, mode)} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for link, target := range map[string]string{"open/in": "../closed/file", "open/out": filepath.Join(dir, "open/file"), "open/loop": "loop", "open/dangling": "nothing", "way": "open", "inside": "closed"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{os.Chmod(filepath.Join(dir, "closed"), 0o700), os.Chown(filepath.Join(dir, "open/own"), 54321, 0), os.Chown(filepath.Join(dir, "open/group"), 0, 54322)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string][3]bool{ // look, read, write
		"open/file": {true, true, false}, "open/own": {true, true, true}, "open/written": {true, true, true}, "open/group": {true, true, true},
		"open/nothing": {true, true, false}, "open/file/below": {true, true, false}, "open": {true, true, false}, "open/": {true, true, false},
		"closed": {true, false, false}, "closed/file": {}, "closed/nothing": {}, "open/in": {}, "open/out": {true, true, false},
		"open/loop": {true, true, false}, "open/dangling": {true, true, false}, "way/file": {true, true, false}, "inside/file": {}, "way/../closed/file": {}, "open/../open/own": {true, true, true},
	} {
		path := dir + "/" + name
		if got := [3]bool{stranger.May(path, Look), stranger.May(path, Read), stranger.May(path, Write)}; got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
