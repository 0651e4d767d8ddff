package run

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"renew_mnetkeys/internal/atomicfile"
	"renew_mnetkeys/internal/cmdline"
)

// writable reports whether a file of this name can be written at the end. A file that is not
// regular, like /dev/stdout or a link, must not be replaced.
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
