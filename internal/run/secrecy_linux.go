package run

import "syscall"

// prSetDumpable is PR_SET_DUMPABLE of prctl(2).
const prSetDumpable = 4

// KeepMemory protects the private keys in this process's memory: the system writes no core dump of
// it, and no process of the same user can attach to it or read /proc/PID/mem (prctl(2), proc(5)).
// If the system refuses that, the command runs all the same.
func KeepMemory() {
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, prSetDumpable, 0, 0)
}
