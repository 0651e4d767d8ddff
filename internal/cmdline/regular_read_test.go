package cmdline

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A link to a regular file counts as one.
func TestASmallFileIsReadThroughALinkAndALongOneIsNot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, link, long := filepath.Join(dir, "file"), filepath.Join(dir, "link"), filepath.Join(dir, "long")
	if err := errors.Join(os.WriteFile(file, []byte("secret\n"), 0o600), os.Symlink(file, link), os.WriteFile(long, make([]byte, smallFile+1), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{file, link} {
		if text, err := ReadSmall(name); err != nil || string(text) != "secret\n" {
			t.Errorf("%q, error %v", text, err)
		}
	}
	if _, err := ReadSmall(long); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("a file that is too long: %v", err)
	}
}
