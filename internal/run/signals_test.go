package run

import (
	"io"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"
)

// A run that has ended watches no signals any more, and the process takes a moment to end. Without
// NoStacks this test ends with the stacks of all goroutines.
func TestASignalAfterTheRunPrintsNoStacks(t *testing.T) {
	NoStacks()
	_, stop := untilSignal(t.Context(), io.Discard)
	stop()
	seen := make(chan os.Signal, 2)
	signal.Notify(seen, syscall.SIGQUIT, syscall.SIGABRT)
	for _, s := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGABRT} {
		if err := syscall.Kill(os.Getpid(), s); err != nil {
			t.Fatal(err)
		}
		select {
		case <-seen:
		case <-time.After(10 * time.Second):
			t.Fatal("the signal did not come")
		}
	}
	signal.Stop(seen)
	if err := syscall.Kill(os.Getpid(), syscall.SIGQUIT); err != nil { // now only NoStacks takes it
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
}
