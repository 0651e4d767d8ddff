package cmdline

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// smallFile is more than the size of any password file, list of authorities or option file, in
// bytes.
const smallFile = 1 << 20

// NotRegularError is a pipe, a device, a directory or the like instead of an expected file. Reading
// it would hang the command, or never end.
type NotRegularError struct {
	Name string
	Mode fs.FileMode
}

func (e *NotRegularError) Error() string {
	if e.Mode&fs.ModeNamedPipe != 0 {
		return e.Name + " is not a regular file but a pipe, as /dev/stdin and <(…) can be: write its content to a file"
	}
	return e.Name + " is not a regular file"
}

// ReadSmall reads a file that an option names.
func ReadSmall(name string) ([]byte, error) {
	f, err := openRegular(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readOpened(f)
}

// openRegular opens a regular file, or a link to one, and never waits. It checks the name first,
// since opening is enough to rewind a tape or start a watchdog; then it checks what was opened,
// since the name may be another file by then.
func openRegular(name string) (*os.File, error) {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return nil, &NotRegularError{name, info.Mode()}
	}
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &NotRegularError{name, info.Mode()}
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func readOpened(f *os.File) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(f, smallFile+1))
	if err == nil && len(text) > smallFile {
		err = fmt.Errorf("%s is longer than %d bytes", f.Name(), smallFile)
	}
	return text, err
}
