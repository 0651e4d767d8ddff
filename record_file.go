package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// writable tells whether a file of this name can be written in the end. What is no
// file, like /dev/stdout, is not for us to replace.
func writable(path string) error {
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no file but something else", path)
	}
	f, err := beside(path)
	if err != nil {
		return err
	}
	_ = f.Close()
	return os.Remove(f.Name())
}

// beside makes an empty file in the same directory. Its error does not name that,
// which nobody would look for.
func beside(path string) (*os.File, error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".renew_mnetkeys-*")
	var of *fs.PathError
	if errors.As(err, &of) {
		return nil, fmt.Errorf("%s cannot be written in its directory: %w", path, of.Err)
	}
	return f, err
}

// replaceFile writes a file beside the one it replaces: nobody sees half of it.
func replaceFile(path string, write func(io.Writer) error) error {
	f, err := beside(path)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // where it was not renamed
	w := bufio.NewWriter(f)
	if err = write(w); err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync() // or a power failure could leave an empty file under the name
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
