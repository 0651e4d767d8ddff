package test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

// again matches what no document and no message says about the command without naming what to run.
var again = regexp.MustCompile(`(?i)\b(run|renew|try) (it |the (same )?command )?again\b`)

func TestNoDocumentSaysRunItAgain(t *testing.T) {
	var files []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/fr/*.md", "packaging/*.md", "*.go", "internal/*/*.go"} {
		found, err := filepath.Glob(filepath.Join(testbed.Root(t), pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %d files, error %v", pattern, len(found), err)
		}
		files = append(files, found...)
	}
	// These sentences are right: a new run is the cure, or is advised against.
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

// shows compares the text between two texts of a document with what it must be. make docs writes it
// there.
func shows(t *testing.T, document, before, want, after string) {
	t.Helper()
	text := textOf(t, document)
	at := strings.Index(text, before)
	if at < 0 {
		t.Fatalf("%s lacks %q", document, before)
	}
	at += len(before)
	end := strings.Index(text[at:], "\n"+after)
	if end < 0 {
		t.Fatalf("%s: nothing ends what begins with %q", document, before)
	}
	end += at + 1
	switch {
	case text[at:end] == want:
	case os.Getenv("MNETKEYS_TEST_WRITE") != "":
		written := text[:at] + want + text[end:]
		if err := os.WriteFile(filepath.Join(testbed.Root(t), document), []byte(written), 0o644); err != nil {
			t.Error(err)
		}
	default:
		t.Errorf("%s is not as it must be; make docs writes it:\n%s", document, want)
	}
}

func TestTheDocumentOfOptionsShowsTheHelp(t *testing.T) {
	help := run1(t, command(t, "--help")).stdout
	if help == "" {
		t.Fatal("there is no help")
	}
	shows(t, "docs/options.md", "```\n", help, "```\n")
	// The text for an exit code in the table begins as in the help.
	_, codes, _ := strings.Cut(help, "Exit codes:\n")
	document, next := textOf(t, "docs/options.md"), regexp.MustCompile(`: (the next step|run push).*`)
	for line := range strings.Lines(codes) {
		code, means, ok := strings.Cut(strings.TrimSpace(line), "  ")
		means = next.ReplaceAllString(means, "")
		if !ok || !strings.Contains(document, "\n| "+code+" | "+means) {
			t.Errorf("the table of exit codes does not say %q of %s", means, code)
		}
	}
}

// The options have a row for every command, except help and the renewal, which is the subject of
// all of them.
func TestTheDocumentOfOptionsHasARowForEveryCommand(t *testing.T) {
	document := textOf(t, "docs/options.md")
	for _, cmd := range allCommands(t)[1:] {
		if !strings.Contains(document, "\n| `"+cmd+"` | ") {
			t.Errorf("docs/options.md has no row for %s", cmd)
		}
	}
}

// A reader who finds the project sees at once how to try it, and finds everything else by links.
func TestTheREADMEIsShortAndBeginsWithTwoCommands(t *testing.T) {
	readme := textOf(t, "README.md")
	if lines := strings.Count(readme, "\n"); lines > 150 {
		t.Errorf("it has %d lines", lines)
	}
	screen := strings.Join(strings.SplitAfter(readme, "\n")[:20], "")
	for _, want := range []string{"\ngo run ./smoke ", "\n./test.sh ", "docs/terminal.svg"} {
		if !strings.Contains(screen, want) {
			t.Errorf("the first screen lacks %q", want)
		}
	}
}
