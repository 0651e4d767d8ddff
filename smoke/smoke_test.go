package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// transcript keeps what the story prints, and may react to it.
type transcript struct {
	sync.Mutex
	bytes.Buffer
	seen func(line string)
}

func (t *transcript) Write(p []byte) (int, error) {
	t.Lock()
	defer t.Unlock()
	if t.seen != nil {
		t.seen(string(p))
	}
	return t.Buffer.Write(p)
}

func TestSmoke(t *testing.T) {
	for name, c := range map[string]struct {
		args   []string
		last   string // line printed if all checks pass
		failed string // otherwise the check that fails
	}{
		"every check holds":                                          {last: "smoke: all "},
		"options after -- are passed on":                             {args: []string{"--", "--concurrency=1", "--log-format=json"}, last: "smoke: all "},
		"options are passed on without -- too; a dry run then fails": {args: []string{"--dry-run"}, failed: "FAILED  database: a new pair"},
		"an option that the command does not know fails":             {args: []string{"--", "--no-such-option"}, failed: "FAILED  exit code 3"},
	} {
		t.Run(name, func(t *testing.T) {
			temp := t.TempDir()
			t.Setenv("TMPDIR", temp)
			// The variable of the caller's own site must not matter.
			t.Setenv("MNETKEYS_HOST", "http://elsewhere.example")
			var out transcript
			err := run(t.Context(), c.args, &out)
			if c.failed == "" {
				if err != nil {
					t.Errorf("%v\n%s", err, out.String())
				}
			} else if err == nil || !strings.Contains(err.Error(), "checks failed") || !strings.Contains(out.String(), c.failed) {
				t.Errorf("got error %v\n%s", err, out.String())
			}
			if lines := strings.Split(strings.TrimSpace(out.String()), "\n"); !strings.HasPrefix(lines[len(lines)-1], c.last) {
				t.Errorf("the last line is %q", lines[len(lines)-1])
			}
			empty(t, temp)
		})
	}
}

func TestInterruptLeavesNothingBehind(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := transcript{seen: func(line string) {
		if strings.HasPrefix(line, "$ ") {
			time.AfterFunc(200*time.Millisecond, cancel) // then the command waits for the dead peer
		}
	}}
	if err := run(ctx, nil, &out); err == nil {
		t.Errorf("an interrupted run passes for a good one:\n%s", out.String())
	}
	empty(t, temp)
}

func empty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "renew_mnetkeys-smoke-") { // not one of go
			t.Errorf("%s is left behind", e.Name())
		}
	}
}
