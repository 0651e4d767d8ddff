package output

import (
	"errors"
	"io"

	"golang.org/x/sys/unix"

	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/rotate"
)

// Results is stdout. It remembers that a result could not be written, whoever wrote it, so that the
// exit code shows it. After a gap nothing more is written.
type Results struct {
	W    io.Writer
	lost error
	told bool // the error was printed
}

// Write implements io.Writer.
func (r *Results) Write(p []byte) (int, error) {
	if r.lost != nil {
		return 0, r.lost
	}
	n, err := r.W.Write(p)
	r.lost = err
	return n, err
}

// fail is for a result that could not be converted to text.
func (r *Results) fail(err error) {
	if r.lost == nil {
		r.lost = err
	}
}

// close finds errors that a file system only reports at the end, as NFS does.
func (r *Results) close() {
	file, ok := r.W.(io.Closer)
	if !ok {
		return
	}
	r.fail(file.Close())
}

// code is the exit code of a run with this code. A check whose line was not printed is unknown; for
// other commands only 0 changes, since it would say that everything succeeded.
func (r *Results) code(command cmdline.Name, code int) int {
	switch {
	case r.lost == nil:
		return code
	case command.Row().Prints == cmdline.PrintsState:
		return int(Unknown)
	case code == rotate.ExitOK:
		return rotate.ExitPeers
	}
	return code
}

// Settle is the end of every command: it reports a result that was not written, and changes the
// exit code for it.
func (r *Results) Settle(command cmdline.Name, code int, stderr io.Writer) int {
	r.close()
	if r.lost != nil && !r.told {
		PrintError(stderr, &unwrittenError{r.lost})
	}
	return r.code(command, code)
}

// unwrittenError is the error for a result that stdout did not accept.
type unwrittenError struct{ err error }

func (e *unwrittenError) Error() string { return "the result could not be written: " + e.err.Error() }
func (e *unwrittenError) Unwrap() error { return e.err }

// Hint is what to do about it.
func (e *unwrittenError) Hint() string {
	if errors.Is(e.err, errClosed) {
		return "to throw the result away write >/dev/null, or use --quiet"
	}
	if errors.Is(e.err, unix.EPIPE) {
		return "the program that reads the output has ended before the end of it"
	}
	return "make room where the output goes"
}

// errClosed is the error of writes to a stdout that was closed from the beginning.
var errClosed = errors.New("stdout is closed")

// closedOutput replaces such a stdout.
type closedOutput struct{}

// Write implements io.Writer.
func (closedOutput) Write([]byte) (int, error) { return 0, errClosed }

// Standard is file, or its replacement if it was closed when the process began. In that case Go's
// runtime opens /dev/null for reading and writing, so that no database connection gets its number
// (runtime/fds_unix.go), and all output is lost. A shell's >/dev/null is open for writing only, and
// a daemon's is shared by all three. So a /dev/null that was opened for both, and for stdout alone,
// counts as closed, too.
func Standard(file interface {
	io.Writer
	Fd() uintptr
}) io.Writer {
	var is, null unix.Stat_t
	flags, err := unix.FcntlInt(file.Fd(), unix.F_GETFL, 0)
	if err != nil || flags&unix.O_ACCMODE != unix.O_RDWR || unix.Fstat(int(file.Fd()), &is) != nil || unix.Stat("/dev/null", &null) != nil {
		return file
	}
	if is.Mode&unix.S_IFMT != unix.S_IFCHR || is.Rdev != null.Rdev || sharesFlags(file.Fd(), 0) || sharesFlags(file.Fd(), 2) {
		return file
	}
	return closedOutput{}
}

// sharesFlags reports whether two descriptors belong to one open file, by a flag that has no effect
// on /dev/null.
func sharesFlags(fd, other uintptr) bool {
	flags := func(of uintptr) int {
		f, _ := unix.FcntlInt(of, unix.F_GETFL, 0)
		return f
	}
	before, others := flags(fd), flags(other)
	if _, err := unix.FcntlInt(fd, unix.F_SETFL, before^unix.O_APPEND); err != nil {
		return false
	}
	shared := flags(other) != others
	_, _ = unix.FcntlInt(fd, unix.F_SETFL, before)
	return shared
}
