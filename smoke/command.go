package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// command is the real renew_mnetkeys with its options.
type command struct {
	binary string
	args   []string
}

func (c command) with(more ...string) command {
	return command{c.binary, slices.Concat(c.args, more)}
}

func (c command) String() string {
	return strings.Join(append([]string{filepath.Base(c.binary)}, c.args...), " ")
}

// result is the result of one run of it.
type result struct {
	code           int
	stdout, stderr []byte
	took           time.Duration
}

// repository is the top of the root module, from any working directory inside the repository.
func repository(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "renew_mnetkeys").Output()
	if err != nil {
		return "", fmt.Errorf("find the module renew_mnetkeys with the go command: %w", withStderr(err))
	}
	return strings.TrimSpace(string(out)), nil
}

// build compiles the command into dir. It ignores the workspace, which would raise its dependencies
// to those of the embedded server: the test must use what is released.
func build(ctx context.Context, repository, dir string) (string, error) {
	binary := filepath.Join(dir, "renew_mnetkeys")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, ".")
	cmd.Dir = repository
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if _, err := cmd.Output(); err != nil {
		return "", fmt.Errorf("build renew_mnetkeys: %w", withStderr(err))
	}
	if err := os.WriteFile(noOptions(binary), nil, 0o600); err != nil {
		return "", fmt.Errorf("write an empty file of options: %w", err)
	}
	return binary, nil
}

func withStderr(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("%w\n%s", err, bytes.TrimSpace(exit.Stderr))
	}
	return err
}

// noOptions is a file beside the binary that is read instead of the one in /etc.
func noOptions(binary string) string { return binary + ".conf" }

// run starts the command and keeps what it prints, which is also written to show at once. An exit
// code other than 0 is not an error.
func (c command) run(ctx context.Context, show io.Writer) (result, error) {
	cmd := exec.CommandContext(ctx, c.binary, c.args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // stops at a safe point
	cmd.WaitDelay = 5 * time.Second
	// Settings of the caller's own site must not matter.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "MNETKEYS_") || strings.HasPrefix(v, "MOODLE_CONFIG=")
	})
	cmd.Env = append(cmd.Env, "MNETKEYS_OPTIONS="+noOptions(c.binary))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&stdout, show), io.MultiWriter(&stderr, show)
	start := time.Now()
	err := cmd.Run()
	r := result{cmd.ProcessState.ExitCode(), stdout.Bytes(), stderr.Bytes(), time.Since(start)}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && ctx.Err() == nil {
		err = nil
	}
	if err != nil {
		return r, fmt.Errorf("run renew_mnetkeys: %w", err)
	}
	return r, nil
}
