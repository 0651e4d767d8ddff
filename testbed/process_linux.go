package testbed

import "syscall"

// attributes has the kernel kill the child when the test process dies without its cleanup: a timeout, a panic, kill -9.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
