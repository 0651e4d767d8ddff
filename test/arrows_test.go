package test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

// arrows are what each package of the product imports from the others, and may import. They point
// down, as docs/architecture.md draws them.
var arrows = map[string][]string{
	"":                    {"internal/run", "internal/output", "internal/cmdline"},
	"internal/run":        {"internal/output", "internal/cmdline", "internal/report", "internal/metrics", "internal/hooks", "internal/atomicfile", "internal/killsteps", "rotate", "peers", "moodledb", "moodledb/config", "moodledb/muc", "moodledb/phprun", "moodledb/siteuser", "envelope"},
	"internal/output":     {"internal/printable", "internal/cmdline", "rotate"},
	"internal/cmdline":    {"internal/spelling", "rotate", "peers", "moodledb/config"},
	"internal/report":     {"internal/printable", "rotate"},
	"internal/metrics":    {"rotate", "internal/atomicfile"},
	"internal/atomicfile": {"internal/killsteps"},
	"rotate":              {"envelope"},
	"peers":               {"internal/printable", "rotate", "envelope"},
	"moodledb":            {"internal/spelling", "rotate", "envelope", "moodledb/config", "moodledb/dialect", "moodledb/phpserial", "moodledb/siteuser"},
	"moodledb/config":     {"moodledb/dialect", "moodledb/phpsource", "moodledb/phprun", "moodledb/siteuser"},
	"moodledb/muc":        {"internal/printable", "rotate", "envelope", "moodledb", "moodledb/config", "moodledb/phprun", "moodledb/phpserial", "moodledb/phpsource", "moodledb/siteuser", "internal/killsteps"},
	"moodledb/dialect":    {"internal/killsteps"},
	"moodledb/phprun":     {"moodledb/siteuser"},
	"moodledb/phpsource":  {},
	"moodledb/phpserial":  {},
	"moodledb/siteuser":   {},
	"envelope":            {},
	"internal/hooks":      {"internal/printable"},
	"internal/printable":  {},
	"internal/spelling":   {},
	"internal/killsteps":  {},
}

func TestArrowsPointDown(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	cmd.Dir = testbed.Root(t)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	const module = "renew_mnetkeys"
	seen := 0
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		name := strings.TrimPrefix(strings.TrimPrefix(fields[0], module), "/")
		if forTests(name) {
			continue
		}
		seen++
		if _, known := arrows[name]; !known {
			t.Errorf("%s is not in the map", fields[0])
		}
		for _, below := range arrows[name] {
			if !slices.Contains(fields[1:], module+"/"+below) {
				t.Errorf("%s may import %s, and does not", fields[0], below)
			}
		}
		for _, imported := range fields[1:] {
			below, ours := strings.CutPrefix(imported, module+"/")
			if ours && !slices.Contains(arrows[name], below) {
				t.Errorf("%s must not import %s", fields[0], below)
			}
		}
	}
	if seen < 15 {
		t.Errorf("%d packages seen", seen)
	}
}

// forTests says whether a package is used by tests only.
func forTests(name string) bool {
	return slices.ContainsFunc([]string{"test", "internal/testbed", "internal/testkey", "peers/peertest", "packaging"}, func(root string) bool {
		return name == root || strings.HasPrefix(name, root+"/")
	})
}

// commandByName matches a command that is identified by its name instead of by a field of its row.
// Phases of an array have names of their own.
var commandByName = regexp.MustCompile(`cmdline\.(Renew|Push|Rollback|Move|Verify|Status|Check|Doctor)\b|(?i)command(\.name)? [!=]= "\w`)

func TestOnlyTheRowsKnowWhatACommandIs(t *testing.T) {
	root := testbed.Root(t)
	seen := 0
	for _, of := range []string{"run", "output", "report", "metrics"} {
		files, err := filepath.Glob(filepath.Join(root, "internal", of, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			seen++
			name, err := filepath.Rel(root, path)
			if err != nil {
				t.Fatal(err)
			}
			if found := commandByName.FindString(textOf(t, name)); found != "" {
				t.Errorf("%s asks for a command by name: %s", name, found)
			}
		}
	}
	if seen < 30 {
		t.Errorf("%d files seen", seen)
	}
}
