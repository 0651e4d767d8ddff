package test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

// SECURITY.md names tests and modules; both must exist.
func TestWhatSECURITYNamesExists(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(testbed.Root(t), "SECURITY.md"))
	if err != nil {
		t.Fatal(err)
	}
	defined := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	err = filepath.WalkDir(testbed.Root(t), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range function.FindAllStringSubmatch(string(source), -1) {
			defined[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`((?:Test|Fuzz)\\w+)`").FindAllStringSubmatch(string(text), -1)
	if len(named) < 30 {
		t.Errorf("only %d tests are named", len(named))
	}
	for _, m := range named {
		if !defined[m[1]] {
			t.Errorf("there is no test %s", m[1])
		}
	}
}

func TestSECURITYListsEveryModuleOfTheBinary(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(testbed.Root(t), "SECURITY.md"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-tags=urfave_cli_no_docs", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", "renew_mnetkeys").Output()
	if err != nil {
		t.Fatal(err)
	}
	linked := map[string]bool{}
	for _, m := range strings.Fields(string(out)) {
		linked[m] = true
	}
	if len(linked) == 0 {
		t.Fatal("the binary has no modules")
	}
	required, err := os.ReadFile(filepath.Join(testbed.Root(t), "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	_, dependencies, _ := strings.Cut(string(text), "\n## Dependencies\n")
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\| ([\w.-]+\.\w+/\S+) \|(.*)$`).FindAllStringSubmatch(dependencies, -1) {
		module, forTests := m[1], strings.Contains(m[2], "(tests only)")
		listed[module] = true
		if linked[module] == forTests {
			t.Errorf("%s: in the binary %t, marked as of tests only %t", module, linked[module], forTests)
		}
		if !strings.Contains(string(required), "\t"+module+" v") {
			t.Errorf("%s is listed, and go.mod does not require it", module)
		}
	}
	for m := range linked {
		if !listed[m] {
			t.Errorf("%s is not listed", m)
		}
	}
}
