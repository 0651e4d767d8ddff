package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"renew_mnetkeys/wholefile"
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
	if err := wholefile.Check(path); err != nil {
		return fmt.Errorf("%s %w", path, err)
	}
	return nil
}
