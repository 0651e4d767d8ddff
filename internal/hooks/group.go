package hooks

import (
	"errors"
	"syscall"
	"time"
)

// group is a process group, identified by the process for which it was made.
type group int

// end asks every process of the group to terminate, and after grace kills them. For a group that is
// already empty it returns at once.
func (g group) end() {
	if !g.signal(syscall.SIGTERM) {
		return
	}
	// A stopped process, such as one that read from the terminal, would not receive SIGTERM.
	g.signal(syscall.SIGCONT)
	deadline := time.NewTimer(grace)
	defer deadline.Stop()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		select {
		case <-again.C:
			if !g.signal(0) {
				return
			}
		case <-deadline.C:
			g.signal(syscall.SIGKILL)
			return
		}
	}
}

// signal reports whether the group has any process left, including one that may not be signalled,
// or a zombie: if the container's first process does not reap orphans, zombies take the whole
// grace.
func (g group) signal(s syscall.Signal) bool {
	return !errors.Is(syscall.Kill(-int(g), s), syscall.ESRCH)
}
