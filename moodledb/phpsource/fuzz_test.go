package phpsource

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzParse looks for sources that crash the reader, keep it busy, or make it show their content.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/*.php", "../config/testdata/sites/*.php", "../config/testdata/sites/array/local/vmoodle/*.php"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("no seeds in %s: %v", pattern, err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(source)
		}
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		a, err := Parse("/srv/moodle/config.php", source, env())
		var syntax *ComputedError
		var ended *EndError
		switch {
		case err == nil:
			show(a.Variable("CFG"))
		case errors.As(err, &ended):
		case !errors.As(err, &syntax):
			t.Fatalf("error %v is no ComputedError", err)
		case syntax.Line < 0 || syntax.Line > 1+strings.Count(string(source), "\n")+strings.Count(string(source), "\r"):
			if syntax.File == "/srv/moodle/config.php" {
				t.Fatalf("line %d does not exist", syntax.Line)
			}
		}
	})
}
