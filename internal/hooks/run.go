// Package hooks runs an operator's command before and after a renewal, or instead of the built-in
// cache purge.
//
// The command is run by /bin/sh -c, with the rights and in the working directory of this process,
// so that relative paths have the meaning that the author of the command line expects. Its whole
// process group ends with it. The package passes its inputs to the command by the environment and
// stdin and never within the command, and it has no other data to pass: it imports no other package
// that has keys, so no key reaches a hook unless a caller puts it into stdin or env, and no caller
// may.
package hooks

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// The values of Limits that are not given.
const (
	defaultTime   = 2 * time.Minute
	defaultOutput = 64 << 10
)

// grace is how long a process group has between SIGTERM and SIGKILL, how long the run waits for it
// after that, and how long for output by processes that left the group and keep the output open.
const grace = 2 * time.Second

// Limits of one run.
type Limits struct {
	Time   time.Duration // until the process group is asked to end; DefaultTime when 0
	Output int           // bytes kept of stdout and stderr together; DefaultOutput when 0
}

// Run runs the command and returns what it wrote to stdout and stderr, printable; beyond the limit
// the middle is left out.
//
// The command reads stdin, which may stay unread. It inherits the environment of this process
// without the variables that start with MNETKEYS_ (they are options, and may contain a password),
// together with env, each "name=value". After the time limit or the end of ctx, the process group
// gets SIGTERM and 2 s later SIGKILL; so do processes that the command leaves behind in its group
// when it exits. Run returns in any case: at most 6 s after the limit, even if processes outside
// the group keep the output open.
//
// The error is an *Error; errors.Is finds the context's error in it if ctx ended.
func (c Command) Run(ctx context.Context, stdin []byte, env []string, l Limits) (string, error) {
	if l.Time <= 0 {
		l.Time = defaultTime
	}
	if l.Output <= 0 {
		l.Output = defaultOutput
	}
	if ctx.Err() != nil {
		return "", c.cutShort(ctx, l.Time, true)
	}
	p, err := start(string(c), append(inherited(os.Environ()), env...), stdin, l.Output)
	if err != nil {
		return "", c.notStarted(err)
	}
	limited, cancel := context.WithTimeout(ctx, l.Time)
	defer cancel()
	var cut bool
	select {
	case <-p.exited:
	case <-limited.Done():
		cut = true
	}
	p.group.end()
	gone := p.awaitExit()
	output := p.finishOutput()
	if cut {
		return output, c.cutShort(ctx, l.Time, gone)
	}
	return output, c.ended(p.cmd.ProcessState)
}

// inherited is environ without this command's variables.
func inherited(environ []string) []string {
	var kept []string
	for _, e := range environ {
		if !strings.HasPrefix(e, "MNETKEYS_") {
			kept = append(kept, e)
		}
	}
	return kept
}

// process is a command that runs. Its pipes are made here and not by exec, since exec would wait
// for every process that has them open before it reports the end of the command: too long for the
// rest of the group to be found under its number.
type process struct {
	cmd    *exec.Cmd
	group  group
	exited chan struct{} // closed when the command has ended
	read   *os.File      // its stdout and stderr
	output output        // must not be read before copied is closed
	copied chan struct{}
}

func start(line string, env []string, stdin []byte, size int) (*process, error) {
	p := &process{cmd: &exec.Cmd{Path: shell, Args: []string{"sh", "-c", line}, Env: env, SysProcAttr: &syscall.SysProcAttr{Setpgid: true}},
		exited: make(chan struct{}), copied: make(chan struct{}), output: output{size: size}}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.read, p.cmd.Stdout, p.cmd.Stderr = read, write, write
	in, err := p.cmd.StdinPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	_ = write.Close()
	if err != nil {
		_ = read.Close()
		return nil, err
	}
	p.group = group(p.cmd.Process.Pid)
	go func() { // ends at the latest with the command: Wait closes in
		_, _ = in.Write(stdin) // a command that does not read it does not need it
		_ = in.Close()
	}()
	go func() {
		_, _ = io.Copy(&p.output, read)
		close(p.copied)
	}()
	go func() {
		_ = p.cmd.Wait() // ProcessState has more details
		close(p.exited)
	}()
	return p, nil
}

// awaitExit reports whether the command has ended, after its group was stopped. A command that
// hangs in the kernel, or became another user, outlives SIGKILL.
func (p *process) awaitExit() bool {
	_ = p.cmd.Process.Kill() // in case it moved to another group; otherwise it is gone
	select {
	case <-p.exited:
		return true
	case <-time.After(grace):
		return false
	}
}

// finishOutput returns the output after all writers have closed it, or after a time limit.
func (p *process) finishOutput() string {
	if err := p.read.SetReadDeadline(time.Now().Add(grace)); errors.Is(err, os.ErrNoDeadline) {
		_ = p.read.Close() // no known system needs this; it is better to lose output than to hang
	}
	<-p.copied
	_ = p.read.Close()
	return p.output.String()
}
