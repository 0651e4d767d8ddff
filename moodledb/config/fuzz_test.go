package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

// FuzzRead looks for a config.php that makes the reader panic, that gives an unusable
// configuration, or whose password is printed.
func FuzzRead(f *testing.F) {
	testbed.AddFiles(f, filepath.Join("testdata", "sites", "*.php"))
	path := filepath.Join(f.TempDir(), "config.php")
	f.Fuzz(func(t *testing.T, source []byte) {
		if err := os.WriteFile(path, source, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Read(t.Context(), path, Options{Environ: []string{}})
		if err != nil {
			var unusable *Error
			var other *UnsupportedDBError
			if !errors.As(err, &unusable) && !errors.As(err, &other) {
				t.Fatalf("untyped error: %v", err)
			}
			return
		}
		if _, err := c.Dialect(); err != nil || checkPrefix("prefix", c.Prefix) != nil || c.DBPort < 0 || c.DBPort > 65535 || c.DBName == "" || c.DBUser == "" || c.Dataroot == "" {
			t.Errorf("a configuration that nobody can use: %s, prefix %q, port %d", c.DBType, c.Prefix, c.DBPort)
		}
		if !strings.HasPrefix(strings.ToLower(c.Wwwroot), "http") || strings.HasSuffix(c.Wwwroot, "//") {
			t.Errorf("wwwroot %q", c.Wwwroot)
		}
		if _, _, err := c.Endpoint(); err != nil {
			t.Errorf("no endpoint: %v", err)
		}
		others := strings.Join([]string{c.File, c.DBHost, c.DBName, c.DBUser, c.Wwwroot, c.Dataroot}, " ")
		if text := fmt.Sprintf("%v %+v %#v", c, *c, c); len(c.DBPass) > 5 && strings.Contains(text, c.DBPass) && !strings.Contains(others, c.DBPass) {
			t.Error("the password is printed")
		}
	})
}
