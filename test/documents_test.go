package test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

// again is what no document and no message says of the command: what to run is named.
var again = regexp.MustCompile(`(?i)\b(run|renew|try) (it |the (same )?command )?again\b`)

func TestNoDocumentSaysRunItAgain(t *testing.T) {
	var files []string
	for _, pattern := range []string{"*.md", "docs/*.md", "packaging/*.md", "*.go", "internal/*/*.go"} {
		found, err := filepath.Glob(filepath.Join(testbed.Root(t), pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %d files, error %v", pattern, len(found), err)
		}
		files = append(files, found...)
	}
	// Where it is the cure, or is advised against.
	right := []string{"Do not renew again for their sake", "Before you renew again, make the store one that can be cleared"}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		for i, line := range strings.Split(string(text), "\n") {
			for _, r := range right {
				line = strings.ReplaceAll(line, r, "")
			}
			if strings.HasSuffix(name, ".go") && !strings.Contains(line, `"`) {
				continue
			}
			if found := again.FindString(line); found != "" {
				t.Errorf("%s:%d says %q", name, i+1, found)
			}
		}
	}
}

// The README shows --help as it is.
func TestTheREADMEShowsTheHelp(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(testbed.Root(t), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	help := run1(t, command(t, "--help")).stdout
	if help == "" || !strings.Contains(string(readme), "```\n"+help+"```\n") {
		t.Errorf("README.md does not show the help as it is now:\n%s", help)
	}
	// What its table says of an exit code begins as in the help.
	_, codes, _ := strings.Cut(help, "Exit codes:\n")
	for line := range strings.Lines(codes) {
		code, means, ok := strings.Cut(strings.TrimSpace(line), "  ")
		means, _, _ = strings.Cut(means, ": run push")
		if !ok || !strings.Contains(string(readme), "\n| "+code+" | "+means) {
			t.Errorf("the table of exit codes does not say %q of %s", means, code)
		}
	}
}

// The README has a row for every command but the renewal, which it is all about.
func TestTheREADMEHasARowForEveryCommand(t *testing.T) {
	readme := textOf(t, "README.md")
	for _, cmd := range allCommands(t)[1:] {
		if !strings.Contains(readme, "\n| `"+cmd+"` | ") {
			t.Errorf("README.md has no row for %s", cmd)
		}
	}
}
