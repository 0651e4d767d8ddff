package test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

// A French document says the same as the English one: in the same sections, with the same commands.
func TestTheFrenchDocumentsFollowTheEnglish(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testbed.Root(t), "docs/fr/*.md"))
	if err != nil || len(files) != 3 {
		t.Fatalf("%d documents, error %v", len(files), err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		english, french := textOf(t, "docs/"+name), textOf(t, "docs/fr/"+name)
		if len(levels(english)) < 5 || len(commandLines(english)) < 5 {
			t.Errorf("%s has %d headings and %d lines of code", name, len(levels(english)), len(commandLines(english)))
		}
		same(t, name+": levels of headings", levels(english), levels(french))
		same(t, name+": lines of code", commandLines(english), commandLines(french))
		same(t, name+": rows of tables", firstCells(english), firstCells(french))
	}
}

// same compares two lists, and says where they begin to differ.
func same(t *testing.T, what string, english, french []string) {
	t.Helper()
	for i := range max(len(english), len(french)) {
		var e, f string
		if i < len(english) {
			e = english[i]
		}
		if i < len(french) {
			f = french[i]
		}
		if e != f {
			t.Errorf("%s, number %d: %q in English, %q in French", what, i+1, e, f)
			return
		}
	}
}

// levels are the levels of a document's headings, with the numbers at the start of the headings.
func levels(text string) []string {
	var found []string
	number := regexp.MustCompile(`^[\d, ]*`)
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		found = append(found, m[1]+" "+strings.TrimSpace(number.FindString(m[2])))
	}
	return found
}

// commandLines are the lines of all blocks of code, without comments, blank lines, and echoed
// words.
func commandLines(text string) []string {
	comment, said := regexp.MustCompile(`(^|\s+)#.*$`), regexp.MustCompile(`echo '[^'=]*'`)
	var found []string
	for _, block := range fenced.FindAllStringSubmatch(text, -1) {
		for line := range strings.Lines(block[1]) {
			if line = strings.TrimSpace(comment.ReplaceAllString(strings.TrimRight(line, "\n"), "")); line != "" {
				found = append(found, said.ReplaceAllString(line, "echo"))
			}
		}
	}
	return found
}

// firstCells are the first cells of all tables if they are code, such as reasons; for other cells
// only their existence counts.
func firstCells(text string) []string {
	var found []string
	for line := range strings.Lines(fenced.ReplaceAllString(text, "")) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 || strings.TrimSpace(cells[0]) != "" {
			continue
		}
		first := strings.TrimSpace(cells[1])
		if !strings.HasPrefix(first, "`") && strings.ToUpper(first) != first {
			first = "words"
		}
		found = append(found, first)
	}
	return found
}
