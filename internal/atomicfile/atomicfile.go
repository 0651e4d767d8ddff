// Package atomicfile replaces files so that no reader ever sees half of one, even if the process is
// killed.
package atomicfile

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"renew_mnetkeys/internal/killsteps"
)

// Error says what could not be done, and the system's reason. It does not name the temporary file,
// whose name means nothing to the user.
type Error struct {
	Problem string
	Err     error
}

// Error is the problem and its reason.
func (e *Error) Error() string { return e.Problem + ": " + e.Err.Error() }

// Hint is what to do about a directory that is not there, or of others, and about a file system that is
// full or read-only.
func (e *Error) Hint() string {
	switch {
	case errors.Is(e.Err, fs.ErrNotExist):
		return "make this directory first, and let the user who runs this write in it"
	case errors.Is(e.Err, fs.ErrPermission):
		return "let the user who runs this write in this directory"
	case errors.Is(e.Err, syscall.ENOSPC), errors.Is(e.Err, syscall.EDQUOT):
		return "make room on this file system, or name a file on another one"
	case errors.Is(e.Err, syscall.EROFS):
		return "name a file on a file system that can be written"
	}
	return ""
}

// Unwrap is the reason.
func (e *Error) Unwrap() error { return e.Err }

// Check makes sure, before anything else is done, that a file of this name can be written later. It
// leaves nothing behind. The error is an *Error.
func Check(path string) error {
	f, err := beside(path)
	if err != nil {
		return err
	}
	_ = f.Close()
	return problem("a file written beside it cannot be removed", step("remove", path, func() error { return os.Remove(f.Name()) }))
}

// Replace writes a file that everyone may read, and gives it its name when it is complete: a reader
// sees the old file or the new one. If the process is killed meanwhile, the old file remains, and
// perhaps a temporary one in the same directory whose name ends in .tmp. A symbolic link is
// replaced and not followed. The error is an *Error, except for errors of write, and leaves the old
// file.
func Replace(path string, write func(io.Writer) error) error {
	f, err := beside(path)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // if it was not renamed
	w := bufio.NewWriter(f)
	err = step("write", path, func() error {
		// Synced before it gets its name: otherwise a power failure could leave an empty file of
		// that name.
		return errors.Join(write(w), w.Flush(), f.Chmod(0o644), f.Sync(), f.Close())
	})
	if err != nil {
		return problem("cannot be written", err)
	}
	return problem("cannot be put in its place", step("rename", path, func() error { return os.Rename(f.Name(), path) }))
}

// beside makes an empty temporary file in the same directory. Programs that read all files of one
// kind do not read it: its name ends in .tmp.
func beside(path string) (f *os.File, err error) {
	err = step("create", path, func() error {
		f, err = os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
		return err
	})
	return f, problem("cannot be written in the directory "+filepath.Dir(path), err)
}

func step(doing, path string, do func() error) error {
	return killsteps.File(doing+" "+filepath.Base(path), do)
}

// problem leaves out the name of the temporary file.
func problem(what string, err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &path):
		err = path.Err
	case errors.As(err, &link):
		err = link.Err
	}
	return &Error{what, err}
}
