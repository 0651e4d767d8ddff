package phprun

import (
	"os"
	"path/filepath"
	"testing"
)

func TestPHPIsFoundWhereItUsuallyIs(t *testing.T) {
	root := t.TempDir()
	for name, mode := range map[string]os.FileMode{
		"path/php8.2": 0o755, "other/php7.4": 0o755, "other/php8.3": 0o755, "opt/php/8.1/bin/php": 0o755, "opt/php/8.3/bin/php": 0o755, "opt/php/8.4/bin/php": 0o644, "site/php": 0o755,
		"both/php": 0o755, "both/php8.4": 0o755,
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	under := func(path string) string {
		if path == "" {
			return ""
		}
		return filepath.Join(root, path)
	}
	for name, test := range map[string]struct{ pathtophp, path, place, want string }{
		"config.php's own first":                  {"site/php", "path", "other", "site/php"},
		"config.php's own is not there":           {"site/none", "path", "other", "path/php8.2"},
		"config.php's own cannot be run":          {"opt/php/8.4/bin/php", "", "other", "other/php8.3"},
		"the search path before other places":     {"", "path", "both", "path/php8.2"},
		"without a version before the newest":     {"", "both", "", "both/php"},
		"the newest of a place, by name":          {"", "none", "other", "other/php8.3"},
		"the newest of a place, by its directory": {"", "", "opt/php/*/bin", "opt/php/8.3/bin/php"},
		"nowhere": {"", "none", "opt", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PATH", under(test.path))
			if got := find(under(test.pathtophp), []string{under(test.place)}); got != under(test.want) {
				t.Errorf("found %s", got)
			}
		})
	}
	t.Setenv("PATH", ".")
	t.Chdir(filepath.Join(root, "site"))
	if got := find("php", nil); got != "" {
		t.Errorf("found %s in the working directory", got)
	}
}
