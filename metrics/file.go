package metrics

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// File is a file for the textfile collector in the making. Open makes one.
type File struct {
	path    string
	tenants map[string]*tenant // by wwwroot
}

// Error says why a file cannot be written. Its cause, if there is one, is the system's.
type Error struct {
	Path    string
	Problem string
	cause   error
}

// Error is the path and the problem, with its cause.
func (e *Error) Error() string {
	if e.cause == nil {
		return fmt.Sprintf("metrics file %s: %s", e.Path, e.Problem)
	}
	return fmt.Sprintf("metrics file %s: %s: %v", e.Path, e.Problem, e.cause)
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.cause }

// Open makes sure, before anything else is done, that the file can be written later. It writes nothing that stays. The error is an *Error.
func Open(path string) (*File, error) {
	if !strings.HasSuffix(path, ".prom") {
		return nil, &Error{Path: path, Problem: "its name must end in .prom: the textfile collector reads no other file"}
	}
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, &Error{path, "cannot be looked at", withoutPath(err)}
	case !info.Mode().IsRegular() && info.Mode()&fs.ModeSymlink == 0:
		return nil, &Error{Path: path, Problem: "is no file but something else"}
	}
	f := &File{path: path, tenants: map[string]*tenant{}}
	beside, err := f.beside()
	if err != nil {
		return nil, err
	}
	_ = beside.Close()
	if err := os.Remove(beside.Name()); err != nil {
		return nil, &Error{path, "a file written beside it cannot be removed", withoutPath(err)}
	}
	return f, nil
}

func (f *File) name() string { return filepath.Base(f.path) }

// beside makes an empty file in the same directory, under a name that the collector does not read.
func (f *File) beside() (*os.File, error) {
	beside, err := os.CreateTemp(filepath.Dir(f.path), "."+f.name()+".*.tmp")
	if err != nil {
		return nil, &Error{f.path, "cannot be written in its directory", withoutPath(err)}
	}
	return beside, nil
}

// Write writes the file: all tenants that were added, and the run. A reader sees the old file or the new one, never a half; killed on the way, the old one
// stays, and maybe a file beside it whose name ends in .tmp. A symbolic link is replaced and not followed: in a directory of others it could lead anywhere.
// Everybody may read the file. The error is an *Error, and leaves the old file.
func (f *File) Write(run Run) error {
	before := readStanding(f.path)
	f.complete(run, before)
	beside, err := f.beside()
	if err != nil {
		return err
	}
	if err := writeAll(beside, f.families(run, before)); err != nil {
		_ = os.Remove(beside.Name())
		return &Error{f.path, "cannot be written", withoutPath(err)}
	}
	if err := os.Rename(beside.Name(), f.path); err != nil {
		_ = os.Remove(beside.Name())
		return &Error{f.path, "cannot be put in its place", withoutPath(err)}
	}
	return nil
}

// writeAll writes and closes the file. It is synced before it gets its name, or a power failure could leave an empty file under that.
func writeAll(file *os.File, families []family) error {
	w := bufio.NewWriter(file)
	for _, f := range families {
		f.write(w)
	}
	return errors.Join(w.Flush(), file.Chmod(0o644), file.Sync(), file.Close())
}

// withoutPath is the system's reason without the name of the temporary file, which nobody would look for.
func withoutPath(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	var link *os.LinkError
	if errors.As(err, &link) {
		return link.Err
	}
	return err
}
