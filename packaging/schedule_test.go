package packaging_test

import (
	"fmt"
	"os"
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

// broken is text with the only occurrence of old replaced: a check must refuse it.
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
