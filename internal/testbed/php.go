package testbed

import (
	"os/exec"
	"strings"
	"testing"
)

// modules are those of php, which each site asks for.
var modules once[string]

// PHP is the path of a command line php that has the given extensions.
func PHP(t testing.TB, extensions ...string) string {
	t.Helper()
	php := Program(t, "php", "php8.2")
	loaded := *modules.get(func() *string {
		out, err := exec.Command(php, "-m").Output()
		if err != nil {
			t.Fatalf("testbed: php -m: %v", err)
		}
		text := "\n" + strings.ToLower(string(out))
		return &text
	})
	for _, extension := range extensions {
		if !strings.Contains(loaded, "\n"+extension+"\n") {
			Missing(t, "php has no extension "+extension)
		}
	}
	return php
}
