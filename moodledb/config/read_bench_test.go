package config

import (
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkRead reads a plain config.php, and VMoodle's with its vconfig.php.
func BenchmarkRead(b *testing.B) {
	for _, name := range []string{"commented.php", "array/config.php", "container.php"} {
		path := fixture(b, name)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Read(b.Context(), path, Options{Environ: []string{"MOODLE_DB_PASS=p"}}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestAPlainConfigStartsNoProcess(t *testing.T) {
	t.Parallel()
	php, mark := filepath.Join(t.TempDir(), "php"), filepath.Join(t.TempDir(), "mark")
	write(t, php, "#!/bin/sh\ntouch "+mark+"\n")
	chmod(t, php, 0o755)
	found := func(string) string { t.Error("php was looked for"); return php }
	for _, name := range []string{"installer.php", "commented.php", "container.php", "forms.php", "split/site/config.php", "array/config.php"} {
		for _, o := range []Options{{PHP: php}, {FindPHP: found}} {
			o.Environ = []string{"MOODLE_DB_PASS=p"}
			if _, err := Read(t.Context(), fixture(t, name), o); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("php was run")
	}
}
