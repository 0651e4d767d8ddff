package test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

// forDevelopers are the documents that name packages and files of the source.
var forDevelopers = []string{"docs/architecture.md", "CONTRIBUTING.md"}

var (
	// inSource is a file or directory of the source, with what is defined there:
	// rotate/push.go:pushToPeer.
	inSource = regexp.MustCompile(`(?:^|[\s("'` + "`" + `]|\./)((?:docs|envelope|internal|moodledb|packaging|peers|rotate|smoke|test|testdata|tools)(?:/[\w-]+)*(?:\.\w+)*)(?::([\w.]+\w))?`)
	// inRoot is a file in the root directory; any other file is named with its directory.
	inRoot = regexp.MustCompile(`(?:^|[\s("'` + "`" + `]|\./)(\.?[\w-]+\.(?:go|md|mod|sh|json|sql|work))\b`)
)

// Everything that documents for developers name must exist: files, directories, and what is defined
// in a file.
func TestWhatDevelopersAreToldOfIsThere(t *testing.T) {
	root := testbed.Root(t)
	for _, name := range forDevelopers {
		text := textOf(t, name)
		named := 0
		for _, m := range inSource.FindAllStringSubmatch(text, -1) {
			named++
			path, defined := m[1], m[2]
			if extension := filepath.Ext(path); !strings.Contains(path, "/") && extension != "" {
				continue // rotate.Peer is no file
			} else if _, err := os.Stat(filepath.Join(root, path)); err != nil {
				t.Errorf("%s names %s, which is not there", name, path)
			} else if defined != "" && !defines(textOf(t, path), defined) {
				t.Errorf("%s names %s in %s, which does not define it", name, defined, path)
			}
		}
		if named < 20 {
			t.Errorf("%s names %d places", name, named)
		}
		for _, m := range inRoot.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
				t.Errorf("%s names %s, which is not there", name, m[1])
			}
		}
	}
}

// textOf is a file of the repository.
func textOf(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testbed.Root(t), path))
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

// defines says whether a source has a function, method, type, variable or constant. A method may be
// given with its type: Client.Push.
func defines(source, name string) bool {
	receiver := `(?:\([^)]*\) )?`
	if of, method, ok := strings.Cut(name, "."); ok {
		receiver, name = `\((?:\w+ )?\*?`+of+`\) `, method
	}
	return regexp.MustCompile(`(?m)^(?:func ` + receiver + `|type |var |const |\t)` + name + `\b`).MatchString(source)
}

// The page has a row for every package, with the imports that arrows allows, and draws each package
// above those that it may import.
func TestTheArchitectureIsAsItIsDrawn(t *testing.T) {
	page := textOf(t, "docs/architecture.md")
	listed := map[string][]string{}
	quoted := regexp.MustCompile("`([^`]+)`")
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z/.]+)` \\|.*\\| ([^|]*) \\|$").FindAllStringSubmatch(page, -1) {
		imports := []string{}
		for _, m := range quoted.FindAllStringSubmatch(row[2], -1) {
			imports = append(imports, m[1])
		}
		if name := strings.TrimSuffix(row[1], "main.go"); name == "" || arrows[name] != nil {
			listed[name] = imports
		}
	}
	_, drawing, _ := strings.Cut(page, "\n```\n")
	drawing, _, _ = strings.Cut(drawing, "\n```\n")
	line := func(name string) int {
		at := regexp.MustCompile(`(?m)(?:^|\s)` + map[bool]string{true: `main\.go`}[name == ""] + name + `(?:\s|$)`).FindStringIndex(drawing)
		if at == nil {
			t.Errorf("%q is not drawn", name)
			return 0
		}
		return strings.Count(drawing[:at[1]-1], "\n")
	}
	for _, name := range slices.Sorted(maps.Keys(arrows)) {
		if row, ok := listed[name]; !ok || fmt.Sprint(slices.Sorted(slices.Values(row))) != fmt.Sprint(slices.Sorted(slices.Values(arrows[name]))) {
			t.Errorf("the row of %q has %v, and it may import %v", name, row, arrows[name])
		}
		for _, below := range arrows[name] {
			if line(name) >= line(below) {
				t.Errorf("%q is not drawn above %q", name, below)
			}
		}
	}
}
