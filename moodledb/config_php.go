package moodledb

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

	"renew_mnetkeys/moodledb/phpsource"
)

// evaluateLimit bounds php, which takes some 30 ms.
const evaluateLimit = 10 * time.Second

//go:embed config_evaluate.php
var evaluateScript string

// evaluate has php run config.php with a stand-in for lib/setup.php, so that nothing of Moodle is loaded. The script and the tenant's values, which hold
// a password, go to stdin; what $CFG is then comes back as PHP source over a pipe of its own and is read as any other. before is what our reader read;
// it may be nil. Errors never show what php said: it quotes the file.
func evaluate(ctx context.Context, path string, o ReadOptions, tenant map[string]string, before *settings) (*settings, error) {
	limited, cancel := context.WithTimeout(ctx, evaluateLimit)
	defer cancel()
	cmd := exec.CommandContext(limited, o.PHP, "-d", "zend.exception_ignore_args=1", "-d", "display_errors=0", "-d", "log_errors=0",
		"-d", "opcache.enable_cli=0", "-d", "auto_prepend_file=", "-d", "auto_append_file=", "--", path)
	cmd.Stdin = strings.NewReader("<?php $mnetkeys_tenant = " + phpArray(tenant) + "; ?>" + evaluateScript)
	cmd.Dir = filepath.Dir(path)
	cmd.Env = inherited(o.Environ)
	cmd.SysProcAttr = asOwner(path)
	cmd.WaitDelay = time.Second // for a grandchild that keeps the pipe open
	answer, err := output(cmd)
	switch {
	case limited.Err() != nil:
		return nil, fmt.Errorf("no answer within %v", evaluateLimit)
	case err != nil:
		return nil, err
	}
	a, err := phpsource.Parse(path, answer, phpsource.Env{Fixed: o.Overrides})
	if err != nil {
		return nil, errors.New("its answer cannot be read")
	}
	if failed := a.Variable("failed"); failed.Kind() == phpsource.Array && a.Variable("CFG").Get("dbtype").Kind() == phpsource.Null {
		return nil, fmt.Errorf("it ends with an error at %s:%d", failed.Get("file").Text(), failed.Get("line").Int())
	}
	s := &settings{file: path, dir: filepath.Dir(path), cfg: a.Variable("CFG")}
	if before != nil {
		s.dir, s.places, s.fixed = before.dir, before.places, before.fixed
	}
	return s, nil
}

// asOwner has root run another user's file as that user: who may write config.php shall not become root by it.
func asOwner(path string) *syscall.SysProcAttr {
	info, err := os.Stat(path)
	if err != nil || os.Geteuid() != 0 {
		return nil
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Uid == 0 {
		return nil
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: stat.Uid, Gid: stat.Gid}}
}

// output runs cmd and returns what it wrote to file descriptor 3.
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
		return nil, errors.New("it does not start")
	}
	answer := make(chan []byte, 1)
	go func() {
		text, _ := io.ReadAll(io.LimitReader(read, phpsource.MaxSize))
		answer <- text
		_, _ = io.Copy(io.Discard, read)
	}()
	_ = cmd.Wait() // its exit code is config.php's
	_ = read.SetReadDeadline(time.Now().Add(time.Second))
	text := <-answer
	if len(text) == 0 {
		return nil, errors.New("it does not answer")
	}
	return text, nil
}

// phpArray writes PHP source.
func phpArray(values map[string]string) string {
	var b strings.Builder
	b.WriteString("array(")
	for name, text := range values {
		fmt.Fprintf(&b, "%s => %s, ", phpString(name), phpString(text))
	}
	return b.String() + ")"
}

func phpString(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// inherited is the environment without our own variables, one of which may hold a password.
func inherited(environ []string) []string {
	if environ == nil {
		environ = os.Environ()
	}
	kept := []string{} // nil would mean all of ours
	for _, e := range environ {
		if !strings.HasPrefix(e, "MNETKEYS_") {
			kept = append(kept, e)
		}
	}
	return kept
}
