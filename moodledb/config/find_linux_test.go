package config

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// The test runs as a user who cannot read it: a config.php in the working directory is not skipped
// in favour of another one.
func TestAConfigInTheWorkingDirectoryThatCannotBeReadIsNotPassedOver(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become a user who cannot read a file of its own")
	}
	dir, other := shared(t), shared(t)
	path, usual := filepath.Join(dir, "config.php"), filepath.Join(other, "config.php")
	write(t, path, "<?php $CFG = 1;")
	write(t, usual, "<?php $CFG = 1;")
	chmod(t, usual, 0o644)
	found := asNobody(t, func() (string, error) { return findIn("", func(string) string { return "" }, dir, []string{usual}) })
	if !strings.Contains(found, path+": cannot be read by this user") {
		t.Errorf("%s", found)
	}
	chmod(t, dir, 0o700)
	for _, name := range []string{"it is there", "it is not there"} {
		found := asNobody(t, func() (string, error) { return findIn("", func(string) string { return "" }, dir, []string{usual}) })
		if !strings.Contains(found, path+": this user may not enter the directory "+dir) {
			t.Errorf("%s: %s", name, found)
		}
		_ = os.Remove(path)
	}
	below := filepath.Join(dir, "site", "moodle")
	if err := os.MkdirAll(below, 0o755); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(below, "config.php")
	found = asNobody(t, func() (string, error) { return findIn("", func(string) string { return "" }, below, []string{usual}) })
	if !strings.HasSuffix(found, path+": this user may not enter the directory "+dir) {
		t.Errorf("a directory above it: %s", found)
	}
}

// asNobody runs f with the rights of a user who owns nothing, and returns f's result.
func asNobody(t *testing.T, f func() (string, error)) string {
	t.Helper()
	done := make(chan string)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread, which has lost its rights, ends with the goroutine
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, 65534, 65534, 65534); errno != 0 {
			done <- errno.Error()
			return
		}
		path, err := f()
		done <- fmt.Sprint(path, err)
	}()
	return <-done
}
