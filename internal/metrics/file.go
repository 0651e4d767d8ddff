package metrics

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"renew_mnetkeys/internal/atomicfile"
)

// File is a file for the textfile collector that is not yet written. Open makes one.
type File struct {
	path    string
	tenants map[string]*tenant // by wwwroot
	moved   map[string]bool    // old wwwroots, which no longer belong to the job
}

// Error says why a file cannot be written. Its cause, if there is one, comes from the system.
type Error struct {
	Path    string
	Problem string
	cause   error
	advice  string // what to do about it, "" if that is not known
}

// Hint is what to do about it.
func (e *Error) Hint() string { return e.advice }

// Error is the path and the problem, with its cause.
func (e *Error) Error() string {
	if e.cause == nil {
		return fmt.Sprintf("metrics file %s: %s", e.Path, e.Problem)
	}
	return fmt.Sprintf("metrics file %s: %s: %v", e.Path, e.Problem, e.cause)
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.cause }

// Open makes sure, before anything else is done, that the file can be written later. It leaves
// nothing behind. The error is an *Error.
func Open(path string) (*File, error) {
	if !strings.HasSuffix(path, ".prom") {
		return nil, &Error{Path: path, Problem: "its name must end in .prom: the textfile collector reads no other file"}
	}
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, &Error{Path: path, Problem: "cannot be looked at", cause: withoutPath(err)}
	case !info.Mode().IsRegular() && info.Mode()&fs.ModeSymlink == 0:
		return nil, &Error{Path: path, Problem: "is not a regular file"}
	}
	if err := atomicfile.Check(path); err != nil {
		return nil, fileError(path, err)
	}
	return &File{path: path, tenants: map[string]*tenant{}, moved: map[string]bool{}}, nil
}

func (f *File) name() string { return filepath.Base(f.path) }

// Write writes the file: all tenants that were added, and the run. A reader sees the old file or
// the new one, never a half; if the process is killed meanwhile, the old file remains, and perhaps
// a temporary file whose name ends in .tmp, which the collector does not read. A symbolic link is
// replaced and not followed: in a directory of others it could lead anywhere. Everyone may read the
// file. Runs that end at the same moment wait for each other: each keeps the series of the others. The
// error is an *Error, and leaves the old file.
func (f *File) Write(run Run) error {
	defer atomicfile.Lock(f.path, time.Sleep)()
	before := readPrevious(f.path)
	f.complete(run, before)
	families := f.families(run, before)
	return fileError(f.path, atomicfile.Replace(f.path, func(w io.Writer) error {
		lines := bufio.NewWriter(w)
		for _, family := range families {
			family.write(lines)
		}
		return lines.Flush()
	}))
}

// fileError makes an *Error of an error of atomicfile, nil of nil.
func fileError(path string, err error) error {
	var known *atomicfile.Error
	if errors.As(err, &known) {
		return &Error{path, known.Problem, known.Err, known.Hint()}
	}
	return err
}

// withoutPath is the system's reason without the path, which the error names already.
func withoutPath(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
