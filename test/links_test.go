package test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

var (
	// link matches a link of a document, or a picture in it.
	link = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	// fenced matches a block of code, from line to line.
	fenced = regexp.MustCompile("(?ms)^ *```[^\n]*\n(.*?)^ *```$")
	// heading matches a heading of a document, with its level.
	heading = regexp.MustCompile(`(?m)^(#{1,6}) (.+)$`)
	// notInAnchor matches what an anchor leaves out of its heading.
	notInAnchor = regexp.MustCompile(`[^\pL\pN _-]`)
)

// anchors are those that GitHub gives to the headings of a document.
func anchors(text string) map[string]bool {
	found := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		anchor := notInAnchor.ReplaceAllString(strings.ToLower(m[2]), "")
		found[strings.ReplaceAll(anchor, " ", "-")] = true
	}
	return found
}

// documents are all Markdown files of the repository except those of the vectors, by their path in
// it.
func documents(t *testing.T) []string {
	t.Helper()
	root := testbed.Root(t)
	var found []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		name, _ := filepath.Rel(root, path)
		if err == nil && entry.IsDir() && (strings.HasPrefix(name, ".") && name != "." || entry.Name() == "testdata" || name == "dist") {
			return fs.SkipDir
		}
		if strings.HasSuffix(name, ".md") {
			found = append(found, name)
		}
		return err
	})
	if err != nil || len(found) < 20 {
		t.Fatalf("%d documents, error %v", len(found), err)
	}
	return found
}

func TestEveryLinkOfADocumentLeadsSomewhere(t *testing.T) {
	for _, name := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(fenced.ReplaceAllString(textOf(t, name), ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			path, anchor, hasAnchor := strings.Cut(m[1], "#")
			target := name
			if path != "" {
				target = filepath.Join(filepath.Dir(name), path)
			}
			if _, err := os.Stat(filepath.Join(testbed.Root(t), target)); err != nil {
				t.Errorf("%s: the link %s leads nowhere", name, m[1])
			} else if hasAnchor && !anchors(textOf(t, target))[anchor] {
				t.Errorf("%s: %s has no heading for the link %s", name, target, m[1])
			}
		}
	}
}

// Readers do not find a document to which no link leads.
func TestTheREADMELeadsToEveryDocument(t *testing.T) {
	readme := textOf(t, "README.md")
	for _, name := range documents(t) {
		if name != "README.md" && !strings.Contains(readme, "]("+name+")") && !strings.HasPrefix(name, "tools/") {
			t.Errorf("README.md has no link to %s", name)
		}
	}
}
