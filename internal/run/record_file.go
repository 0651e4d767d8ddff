package run

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"renew_mnetkeys/internal/atomicfile"
	"renew_mnetkeys/internal/cmdline"
)

// writable tells whether a file of this name can be written in the end. What is not a
// regular file, like /dev/stdout or a link, is not for us to replace.
func writable(path string) error {
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return &cmdline.NotRegularError{Name: path, Mode: info.Mode()}
	}
	if err := atomicfile.Check(path); err != nil {
		return fmt.Errorf("%s %w", path, err)
	}
	return nil
}
