package config

import (
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzConfigAgainstPHP looks for a config.php that is read without php and that php reads
// differently, or refuses. PHP only runs files that the reader has found to be within its small
// language.
func FuzzConfigAgainstPHP(f *testing.F) {
	for _, pattern := range []string{"cases/*.php", "shapes/*.php", "sites/*.php"} {
		files, err := filepath.Glob(filepath.Join("testdata", pattern))
		if err != nil || len(files) == 0 {
			f.Fatalf("no seeds in %s: %v", pattern, err)
		}
		for _, file := range files {
			f.Add(source(file))
		}
	}
	g := &sequences{Rand: rand.New(rand.NewPCG(1, 2))}
	for range 100 {
		f.Add(g.file())
	}
	d, dir := newDifferential(f), shared(f)
	surroundings(f, dir)
	path := filepath.Join(dir, "config.php")
	f.Fuzz(func(t *testing.T, text string) {
		write(t, path, text)
		environ := []string{"PATH=/usr/bin:/bin", "SET=set", "EMPTY=", "CASE_SET=envnew", bare}
		got := d.read(t, path, environ, "", "")
		if got.how != "end" {
			return
		}
		want := d.asked(t, path, environ)
		if i := strings.LastIndex(text, "lib/setup.php"); i >= 0 && want.how == "error" {
			// After lib/setup.php, where nothing counts any more, the reader does not find
			// everything that PHP refuses: PHP gets the file without that part.
			statement, _, _ := strings.Cut(text[i:], ";")
			write(t, path, text[:i]+statement+";")
			want = d.asked(t, path, environ)
		}
		if want.how != "end" && want.how != "either" || want.value != got.value {
			t.Errorf("%s\nis  %q\nphp %q, %s, %s", text, got.value, want.value, want.kind, want.how)
		}
	})
}
