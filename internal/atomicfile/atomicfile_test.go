package atomicfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// content is the content of the only file in a directory.
func content(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	hidden, _ := filepath.Glob(filepath.Join(dir, ".*"))
	if err != nil || len(files) != 1 || len(hidden) != 0 {
		t.Fatalf("%q, %q, error %v", files, hidden, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAFileIsReplacedOrLeftAsItWas(t *testing.T) {
	ill := errors.New("no more")
	for name, c := range map[string]struct {
		write func(io.Writer) error
		want  string
		err   error
	}{
		"what can be written":     {func(w io.Writer) error { _, err := io.WriteString(w, "new"); return err }, "new", nil},
		"what ends in the middle": {func(w io.Writer) error { _, _ = io.WriteString(w, "ne"); return ill }, "old", ill},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "page.html")
			if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := Check(path); err != nil || content(t, dir) != "old" {
				t.Errorf("check: %v", err)
			}
			if err := Replace(path, c.write); !errors.Is(err, c.err) || content(t, dir) != c.want {
				t.Errorf("%q, error %v", content(t, dir), err)
			}
			info, err := os.Stat(path)
			if mode := map[string]fs.FileMode{"new": 0o644, "old": 0o600}[c.want]; err != nil || info.Mode() != mode {
				t.Errorf("%v, error %v", info.Mode(), err)
			}
		})
	}
}

func TestWhatStandsInTheWayIsNamedAndTheFileBesideIsNot(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "page.html", "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "missing", "page.html"): "cannot be written in the directory " + filepath.Join(dir, "missing") + ": no such file or directory",
		filepath.Join(dir, "page.html"):            "cannot be put in its place: file exists",
	} {
		err := Replace(path, func(io.Writer) error { return nil })
		var known *Error
		if !errors.As(err, &known) || err.Error() != want {
			t.Errorf("%s: %v", path, err)
		}
	}
	if hidden, _ := filepath.Glob(filepath.Join(dir, ".*")); len(hidden) != 0 {
		t.Errorf("left behind: %q", hidden)
	}
}

func TestWhatCanBeDoneAboutAFullFileSystemIsSaid(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mnet.prom")
	for errno, want := range map[syscall.Errno]string{
		syscall.ENOSPC: "make room on this file system, or name a file on another one",
		syscall.EDQUOT: "make room on this file system, or name a file on another one",
		syscall.EROFS:  "name a file on a file system that can be written",
		syscall.EIO:    "",
	} {
		err := Replace(path, func(io.Writer) error { return &fs.PathError{Op: "write", Path: path, Err: errno} })
		var known *Error
		if !errors.As(err, &known) || known.Hint() != want {
			t.Errorf("%v: %v", errno, err)
		}
	}
}
