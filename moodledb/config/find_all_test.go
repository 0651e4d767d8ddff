package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// places are files of several sites: Moodle's config.php, and what else a glob may meet.
func places(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	const moodles, others = "<?php $CFG = new stdClass();", "<?php $cfg = new stdClass();"
	for _, name := range []string{"a", "b", ".snapshot", "deep/c", "[x]"} {
		write(t, filepath.Join(root, name, "config.php"), moodles)
	}
	write(t, filepath.Join(root, "mahara/config.php"), others)
	write(t, filepath.Join(root, "readme.txt"), others)
	write(t, filepath.Join(root, "empty/index.html"), "")
	for name, target := range map[string]string{"same": "a", "dangling/config.php": "../nowhere"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestFindAll(t *testing.T) {
	root := places(t)
	for name, c := range map[string]struct {
		given   []string
		files   []string
		foreign []string
		single  bool
		problem string
	}{
		"one path":                              {given: []string{"a"}, files: []string{"a/config.php"}, single: true},
		"a path with the letters of a glob":     {given: []string{"[x]"}, files: []string{"[x]/config.php"}, single: true},
		"one path where nothing is":             {given: []string{"none"}, problem: "there is no such file (--config)"},
		"two paths, in their order":             {given: []string{"b/config.php", "a"}, files: []string{"b/config.php", "a/config.php"}},
		"a path twice":                          {given: []string{"a", "a/config.php", "same"}, files: []string{"a/config.php"}},
		"a path among several need not exist":   {given: []string{"none", "a"}, files: []string{"none", "a/config.php"}},
		"a named file is taken, whatever it is": {given: []string{"mahara", "a"}, files: []string{"mahara/config.php", "a/config.php"}},
		"a glob": {given: []string{"*/config.php"}, files: []string{"[x]/config.php", "a/config.php", "b/config.php", "dangling/config.php"},
			foreign: []string{"mahara/config.php"}},
		"a glob of directories": {given: []string{"*"}, files: []string{"[x]/config.php", "a/config.php", "b/config.php", "dangling/config.php"},
			foreign: []string{"mahara/config.php", "readme.txt"}},
		"a glob that matches one":               {given: []string{"a*/config.php"}, files: []string{"a/config.php"}},
		"a set":                                 {given: []string{"[a-b]/config.php"}, files: []string{"a/config.php", "b/config.php"}},
		"two globs that meet":                   {given: []string{"[a-b]", "*/c", "a*"}, files: []string{"a/config.php", "b/config.php", "deep/c/config.php"}},
		"hidden directories, if they are named": {given: []string{".*/config.php"}, files: []string{".snapshot/config.php"}},
		"nothing":                               {given: []string{"z*/config.php"}, problem: "matches no file"},
		"nothing of two":                        {given: []string{"a", "z*"}, problem: "/z* matches no file"},
		"nothing of Moodle":                     {given: []string{"m*/config.php"}, problem: "matches no config.php of Moodle"},
		"a directory without a config.php":      {given: []string{"empt*"}, problem: "matches no file"},
		"a set without its end":                 {given: []string{"[a/config.php"}, problem: "syntax error in pattern"},
	} {
		t.Run(name, func(t *testing.T) {
			under := func(paths []string) (all []string) {
				for _, path := range paths {
					all = append(all, root+"/"+path)
				}
				return all
			}
			got, err := FindAll(under(c.given), func(string) string { return "" }, "/")
			var unusable *Error
			if c.problem != "" {
				if !errors.As(err, &unusable) || !strings.Contains(err.Error(), c.problem) || unusable.Advice == "" || strings.Contains(c.problem, "matches") && !strings.Contains(err.Error(), "--config="+root) {
					t.Errorf("%v, %v", got, err)
				}
				return
			}
			if diff := cmp.Diff(Found{Files: under(c.files), Foreign: under(c.foreign), Several: !c.single}, got); err != nil || diff != "" {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
	t.Run("relative to the working directory", func(t *testing.T) {
		got, err := FindAll([]string{"[ab]/config.php"}, func(string) string { return "" }, root)
		if diff := cmp.Diff([]string{root + "/a/config.php", root + "/b/config.php"}, got.Files); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	})
	t.Run("none given", func(t *testing.T) {
		got, err := FindAll(nil, func(string) string { return root + "/a" }, "/")
		if diff := cmp.Diff(Found{Files: []string{root + "/a/config.php"}}, got); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	})
}

// A site that cannot be seen, whatever the reason, would otherwise be left out without a word.
func TestAGlobKeepsWhatCannotBeSeen(t *testing.T) {
	root := places(t)
	if err := os.Symlink("loop", filepath.Join(root, "loop")); err != nil {
		t.Fatal(err)
	}
	got, err := FindAll([]string{root + "/[al]*/config.php", root + "/loop/*/config.php"}, func(string) string { return "" }, "/")
	if diff := cmp.Diff([]string{root + "/a/config.php", root + "/loop/config.php", root + "/loop/*/config.php"}, got.Files); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}
