package hooks

import (
	"errors"
	"syscall"
	"time"
)

// group is a process group, by the process that it was made for.
type group int

// end asks every process of the group to end, and after grace insists. A group that is already
// empty costs nothing.
func (g group) end() {
	if !g.signal(syscall.SIGTERM) {
		return
	}
	g.signal(syscall.SIGCONT) // a stopped process, one that wanted to read the terminal for one, would not see SIGTERM
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

// signal reports whether anybody is left in the group, be it somebody whom we may not signal, or a
// zombie: where the container's first process does not reap orphans, they cost the whole grace.
func (g group) signal(s syscall.Signal) bool {
	return !errors.Is(syscall.Kill(-int(g), s), syscall.ESRCH)
}
