//go:build !linux

package run

import "syscall"

// KeepMemory keeps core dumps, which would have the private keys, from being written.
// Here, unlike on Linux, a process of the same user can still attach to this one.
func KeepMemory() {
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
}
