package testbed

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	startLimit = 30 * time.Second
	stopLimit  = 10 * time.Second
)

// process is a server that must not outlive the test process.
type process struct {
	cmd  *exec.Cmd
	log  *output
	done chan struct{} // closed when it has ended and been waited for
}

// start runs cmd in a process group of its own. Its output is kept for [process.Log].
func start(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, log: &output{}, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.log, p.log
	cmd.SysProcAttr = attributes()
	cmd.WaitDelay = time.Second // a grandchild that keeps the pipe open
	started := make(chan error)
	go func() {
		// The kernel sends the death signal when the thread that started the child ends, not the process: keep it.
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return p, nil
}

// stop asks the whole group to end, and insists after a while.
func (p *process) stop() {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if p.ended() {
			break
		}
		_ = syscall.Kill(-p.cmd.Process.Pid, sig)
		select {
		case <-p.done:
		case <-time.After(stopLimit):
		}
	}
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// await returns nil once ready does, and an error with the process's output if it ends or takes too long.
func (p *process) await(ready func() error) error {
	deadline := time.Now().Add(startLimit)
	for {
		err := ready()
		switch {
		case err == nil:
			return nil
		case p.ended():
			return fmt.Errorf("%s ended at once: %s", p.cmd.Path, p.log)
		case time.Now().After(deadline):
			return fmt.Errorf("%s is not ready after %s: %w: %s", p.cmd.Path, startLimit, err, p.log)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// output collects what a process writes while tests read it.
type output struct {
	sync.Mutex
	buffer bytes.Buffer
}

var _ io.Writer = (*output)(nil)

func (o *output) Write(b []byte) (int, error) {
	o.Lock()
	defer o.Unlock()
	return o.buffer.Write(b)
}

func (o *output) String() string {
	o.Lock()
	defer o.Unlock()
	return o.buffer.String()
}

// freePort is a loopback port that nobody listened on a moment ago.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}
