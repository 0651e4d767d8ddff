// Package phprun runs a script of this tool in php, which loads a site's config.php, completely or
// with a substitute for Moodle. What that file does is beyond our control. So the run is bounded in
// time, in the size of its answer and, if the tool is root, in its rights; and its output is never
// shown, because it can quote passwords.
package phprun

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"renew_mnetkeys/moodledb/siteuser"
)

//go:embed prelude.php
var prelude string

// MaxAnswer is how much of an answer is read, in bytes.
const MaxAnswer = 1 << 20

// Script is one run of php.
type Script struct {
	PHP      string            // path of php
	Settings []string          // of php.ini, name=value, in addition to those that hide errors
	Source   string            // goes to stdin: it may contain what arguments, which all users can see, must not
	Config   string            // absolute path of config.php, the script's first argument; php runs in its directory
	Args     []string          // the script's other arguments
	Dataroot string            // root runs php as its owner, see siteuser.ForPHP; "": not known
	Dirroot  string            // "": not known
	Shared   bool              // see siteuser.CheckShared
	Request  map[string]string // the values of a web request for $_SERVER and the environment, "" for none
	Environ  []string          // the environment of php, since config.php may read its passwords there; nil: that of this process
	Limit    time.Duration     // for the whole run
}

// Run returns what the script wrote to file descriptor 3, however php ended: its exit code is
// config.php's. An error is the context's, or says what php failed to do, never what it wrote. It
// is a *siteuser.UnsafeError or *siteuser.SharedError if root must not run the site.
func (s Script) Run(ctx context.Context) ([]byte, error) {
	limited, cancel := context.WithTimeout(ctx, s.Limit)
	defer cancel()
	as, err := siteuser.ForPHP(s.Config, s.Dataroot, s.Dirroot, s.Shared)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(limited, s.PHP, s.arguments(as.Within)...)
	cmd.Stdin = strings.NewReader(prelude + Array(s.Request) + "); ?>" + s.Source) // stdout and stderr go nowhere
	cmd.Dir = filepath.Dir(s.Config)
	cmd.Env = s.environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as.Credential, Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // with all processes that it has started
	cmd.WaitDelay = time.Second                                                          // for a grandchild that keeps stdin open
	answer, err := output(cmd)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, fmt.Errorf("it does not start: %w", err)
	case len(answer) > 0:
		return answer, nil
	case limited.Err() != nil:
		return nil, fmt.Errorf("no answer within %v", s.Limit)
	}
	return nil, errors.New("it does not answer")
}

func (s Script) arguments(within []string) []string {
	// Arguments of an exception can be passwords: they must not even reach a log. On the command
	// line, php would otherwise use all available memory.
	args := []string{"-d", "zend.exception_ignore_args=1", "-d", "display_errors=0", "-d", "log_errors=0", "-d", "memory_limit=512M"}
	if within != nil {
		args = append(args, "-d", "open_basedir="+strings.Join(within, string(filepath.ListSeparator)))
	}
	for _, setting := range s.Settings {
		args = append(args, "-d", setting)
	}
	return append(append(args, "--", s.Config), s.Args...)
}

// environment leaves out the tool's own variables, one of which may contain a password. It adds the
// request, because a web server passes it in the environment, too.
func (s Script) environment() []string {
	environ := s.Environ
	if environ == nil {
		environ = os.Environ()
	}
	kept := []string{} // nil would mean the whole environment
	for _, e := range environ {
		name, _, _ := strings.Cut(e, "=")
		if _, ofRequest := s.Request[name]; !ofRequest && !strings.HasPrefix(e, "MNETKEYS_") {
			kept = append(kept, e)
		}
	}
	for name, value := range s.Request {
		if value != "" {
			kept = append(kept, name+"="+value)
		}
	}
	return kept
}

// Array writes an array as PHP source.
func Array(values map[string]string) string {
	var b strings.Builder
	b.WriteString("array(")
	for name, text := range values {
		fmt.Fprintf(&b, "%s => %s, ", Quote(name), Quote(text))
	}
	return b.String() + ")"
}

// Quote writes a text as a string literal in single quotes, in which only backslash and quote are
// escaped.
func Quote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}

// output runs cmd and returns what it wrote to file descriptor 3. The error is that of starting it.
func output(cmd *exec.Cmd) ([]byte, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = read.Close() }()
	cmd.ExtraFiles = []*os.File{write}
	err = cmd.Start()
	_ = write.Close()
	if err != nil {
		return nil, err
	}
	answer := make(chan []byte, 1)
	go func() {
		text, _ := io.ReadAll(io.LimitReader(read, MaxAnswer))
		answer <- text
		_, _ = io.Copy(io.Discard, read)
	}()
	_ = cmd.Wait()
	_ = read.SetReadDeadline(time.Now().Add(time.Second)) // for a grandchild that keeps the pipe open
	return <-answer, nil
}
