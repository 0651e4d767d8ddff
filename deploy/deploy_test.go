// Package deploy_test reads the files of this folder as cron, systemd and Kubernetes will, and their command lines as renew_mnetkeys will.
package deploy_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// file is the text of a file, path relative to this folder.
func file(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// tool is the path of a program. A test without its tool is skipped, where all must be checked it fails.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI=true, and %v", err)
		}
		t.Skip(err)
	}
	return path
}

// broken is text with the one occurrence of old replaced: what a check must refuse.
func broken(t *testing.T, text, old, replacement string) string {
	t.Helper()
	if n := strings.Count(text, old); n != 1 {
		t.Fatalf("%q stands there %d times, not once", old, n)
	}
	return strings.Replace(text, old, replacement, 1)
}

// span is a time span as our options, systemd and Kubernetes write it: 90s, 20min, 12h, 7d.
func span(t *testing.T, text string) time.Duration {
	t.Helper()
	var n int
	var unit string
	if _, err := fmt.Sscanf(text, "%d%s", &n, &unit); err != nil {
		t.Fatalf("%q is no time span: %v", text, err)
	}
	length, known := map[string]time.Duration{"s": time.Second, "m": time.Minute, "min": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[unit]
	if !known {
		t.Fatalf("%q is no time span", text)
	}
	return time.Duration(n) * length
}
