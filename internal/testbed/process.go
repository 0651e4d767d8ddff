package testbed

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	startLimit = 30 * time.Second
	stopLimit  = 10 * time.Second
)

// lifeline runs the server "$2…" and, when standard input is closed, ends its whole process group
// and removes the directory $1. The test process has the other end open, so that nothing is left
// behind however it ends: also by a panic, a time-out or kill -9. (A parent death signal would miss
// the workers of php -S, and exists only on Linux.)
const lifeline = `
dir=$1
shift
trap : TERM INT # caught, not ignored: what is ignored would be inherited
exec 3<&0 </dev/null
"$@" 3<&- &
server=$!
{ cat <&3 >/dev/null; kill -TERM -$$; } &
wait "$server"
kill -INT -$$ # for PostgreSQL, which after TERM waits until the last connection is closed
wait
rm -rf "$dir"
`

// process is a server of the tests, with its own directory.
type process struct {
	cmd  *exec.Cmd
	line io.Closer
	log  *output
	done chan struct{} // closed when server and directory are gone
}

// start runs a server. dir is removed when it ends.
func start(dir, name string, arguments []string, environment ...string) (*process, error) {
	return startAs(nil, dir, name, arguments, environment...)
}

// startAs runs it as the attributes say, as this process if they are nil.
func startAs(as *syscall.SysProcAttr, dir, name string, arguments []string, environment ...string) (*process, error) {
	p := &process{log: &output{}, done: make(chan struct{})}
	p.cmd = exec.Command("/bin/sh", append([]string{"-c", lifeline, "lifeline", dir, name}, arguments...)...)
	p.cmd.Env = append(p.cmd.Environ(), environment...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if as != nil {
		p.cmd.SysProcAttr.Credential, p.cmd.Dir = as.Credential, dir
	}
	p.cmd.WaitDelay = time.Second
	var err error
	if p.line, err = p.cmd.StdinPipe(); err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// stop asks the whole group to end, and kills it after a while.
func (p *process) stop() {
	_ = p.line.Close()
	select {
	case <-p.done:
	case <-time.After(stopLimit):
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.done
	}
}

// await returns nil as soon as ready does, and an error with the process's output if the process
// ends or takes too long.
func (p *process) await(ready func() error) error {
	deadline := time.After(startLimit)
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("ended at once: %s", p.log)
		case <-deadline:
			return fmt.Errorf("not ready after %s: %w: %s", startLimit, err, p.log)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// listens says whether a server accepts connections at the TCP address.
func listens(address string) error {
	conn, err := net.Dial("tcp", address)
	if err == nil {
		err = conn.Close()
	}
	return err
}

// output collects what a process writes; tests can read it at the same time.
type output struct {
	sync.Mutex
	buffer bytes.Buffer
}

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

// FreePort is a loopback port on which no process listened a moment ago, and that no other test, of
// any package, gets before this one ends. It is below the range from which the kernel takes the
// ports of outgoing connections, which could otherwise take it before the server.
func FreePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 20000 + rand.IntN(12000)
		// This socket is not a file: it ends with this process.
		reserved, err := net.Listen("unix", fmt.Sprintf("@renew_mnetkeys-port-%d", port))
		if err != nil {
			continue
		}
		t.Cleanup(func() { _ = reserved.Close() })
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("testbed: no free port")
	return 0
}
