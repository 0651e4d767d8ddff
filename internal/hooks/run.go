// Package hooks runs an operator's command before and after a renewal, or in place of our own cache
// invalidation.
//
// The command is run by /bin/sh -c, with the rights and in the working directory of this process,
// so that relative paths mean what they mean to whoever wrote the command line. Its whole process
// group ends with it. The package hands on what it is given, by the environment and stdin and never
// within the command, and has nothing else to hand on: it imports nothing of ours, so no key
// reaches a hook unless a caller puts it into stdin or env, and none may.
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

// What Limits that are not given come to.
const (
	defaultTime   = 2 * time.Minute
	defaultOutput = 64 << 10
)

// grace is how long a process group has between SIGTERM and SIGKILL, how long it is waited for
// after that, and how long for output by processes that left the group and keep it open.
const grace = 2 * time.Second

// Limits of one run.
type Limits struct {
	Time   time.Duration // until the process group is asked to end; DefaultTime when 0
	Output int           // bytes kept of stdout and stderr together; DefaultOutput when 0
}

// Run runs the command and returns what it wrote to stdout and stderr, printable, its middle left
// out beyond the limit.
//
// It reads stdin, which may stay unread, and inherits our environment without the variables that
// start with MNETKEYS_ (they are our options, and can hold a password) but with env, each
// "name=value". When the time is over or ctx ends, the process group gets SIGTERM and 2 s later
// SIGKILL; so do processes that the command leaves behind in its group when it ends by itself. Run
// returns in any case: at most 6 s after the limit, even when processes outside the group keep the
// output open.
//
// The error is an *Error; errors.Is finds the context's in it when ctx ended.
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

// inherited is environ without our own variables.
func inherited(environ []string) []string {
	var kept []string
	for _, e := range environ {
		if !strings.HasPrefix(e, "MNETKEYS_") {
			kept = append(kept, e)
		}
	}
	return kept
}

// process is a command that runs. Its pipes are ours and not exec's, since exec would wait for
// whoever holds them before it says that the command ended: too long for the rest of the group to
// be found under its number.
type process struct {
	cmd    *exec.Cmd
	group  group
	exited chan struct{} // closed when the command has ended
	read   *os.File      // its stdout and stderr
	output output        // not to be looked at before copied is closed
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
	go func() { // ends with the command at the latest: Wait closes in
		_, _ = in.Write(stdin) // who does not read it does not want it
		_ = in.Close()
	}()
	go func() {
		_, _ = io.Copy(&p.output, read)
		close(p.copied)
	}()
	go func() {
		_ = p.cmd.Wait() // ProcessState says more
		close(p.exited)
	}()
	return p, nil
}

// awaitExit reports whether the command has ended, after its group was. One that hangs in the
// kernel, or became another user, outlives SIGKILL.
func (p *process) awaitExit() bool {
	_ = p.cmd.Process.Kill() // should it have moved to another group; else it is gone
	select {
	case <-p.exited:
		return true
	case <-time.After(grace):
		return false
	}
}

// finishOutput returns the output once nobody can add to it, or when the time for that is over.
func (p *process) finishOutput() string {
	if err := p.read.SetReadDeadline(time.Now().Add(grace)); errors.Is(err, os.ErrNoDeadline) {
		_ = p.read.Close() // no such system is known; rather lose output than hang
	}
	<-p.copied
	_ = p.read.Close()
	return p.output.String()
}
