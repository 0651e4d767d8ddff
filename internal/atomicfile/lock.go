package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how often Lock asks for a lock that another process has, and how long it waits between.
const (
	patience = 500
	interval = 10 * time.Millisecond
)

// Lock keeps other processes that call it out until unlock: a file that is read, changed and replaced
// would lose what another one has written between. The lock is that of the file's directory (flock),
// so it leaves no file behind. After five seconds, or where there are no locks, it goes on without one:
// whoever may read the directory could keep the lock for ever.
func Lock(path string, sleep func(time.Duration)) (unlock func()) {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return func() {}
	}
	for range patience {
		if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
			break
		}
		sleep(interval)
	}
	return func() { _ = dir.Close() }
}
