package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Found are the config.php files that are given.
type Found struct {
	Files []string // without those that are the same file, in the order in which they are given
	// Foreign are files that a glob matches and that are not Moodle's: those of a Mahara, for
	// example.
	Foreign []string
	// Several says that more than one site is meant, even if one only is found: several paths are
	// given, or a glob.
	Several bool
}

// FindAll finds the files of --config: each of given is a path as for [Find], or a glob. Without
// any it finds the one that Find finds. A path among several need not exist: reading it is the
// error of its site. In a glob, * and ? match no slash and no dot at the beginning of a name, as in
// a shell: a hidden directory may contain snapshots. The error is an *Error.
func FindAll(given []string, env func(string) string, workdir string) (Found, error) {
	if len(given) == 0 || len(given) == 1 && !isGlob(given[0], workdir) {
		path, err := Find(strings.Join(given, ""), env, workdir)
		return Found{Files: []string{path}}, err
	}
	found, seen := Found{Several: true}, map[string]bool{}
	for _, pattern := range given {
		matches, err := found.expand(pattern, workdir)
		if err != nil {
			return Found{}, err
		}
		for _, path := range matches {
			if file := real(path); !seen[file] {
				seen[file] = true
				found.Files = append(found.Files, path)
			}
		}
	}
	return found, nil
}

// isGlob reports whether a value of --config is a glob. A path that exists is none, whatever its
// letters.
func isGlob(value, workdir string) bool {
	_, err := os.Lstat(absolute(value, workdir))
	return err != nil && strings.ContainsAny(value, "*?[")
}

func absolute(path, workdir string) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(workdir, path)
	}
	return filepath.Clean(path)
}

// expand gives the files of one value of --config, and keeps those that are not Moodle's.
func (f *Found) expand(value, workdir string) (files []string, err error) {
	path := absolute(value, workdir)
	if !isGlob(value, workdir) {
		if file, err := named(path, workdir, "--config"); err == nil {
			path = file
		}
		return []string{path}, nil
	}
	matches, err := glob("/", strings.Split(path, "/")[1:])
	if err != nil {
		return nil, &Error{Problem: "--config=" + value + ": " + err.Error(), Advice: "a [ begins a set of characters, which ] ends; write \\[ for the character itself"}
	}
	foreign := 0
	for _, path := range matches {
		switch file, moodles := ofGlob(path); {
		case moodles:
			files = append(files, file)
		case file != "":
			f.Foreign = append(f.Foreign, file)
			foreign++
		}
	}
	if len(files) > 0 {
		return files, nil
	}
	e := &Error{Problem: "--config=" + value + " matches no config.php of Moodle", Advice: "quote the glob if a shell reads it, and check which files it matches: ls -d " + value}
	if foreign == 0 {
		e.Problem = "--config=" + value + " matches no file"
	}
	return nil, e
}

// ofGlob is the file at a path that a glob matches, "" if it is a directory without one, and
// whether it is Moodle's. A file that cannot be read may be.
func ofGlob(path string) (file string, moodles bool) {
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		path = filepath.Join(path, "config.php")
		if _, err = os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return "", false
		}
		_, err = os.Stat(path)
	}
	if err != nil {
		return path, true
	}
	found, err := isMoodles(path)
	return path, found || err != nil
}

// glob gives the paths below dir that match the parts of a pattern, sorted. A directory that may
// not be read is not passed over, as [filepath.Glob] does: the path that cannot be followed is
// given with the rest of the pattern.
func glob(dir string, parts []string) (paths []string, err error) {
	if len(parts) == 0 {
		return []string{dir}, nil
	}
	if !strings.ContainsAny(parts[0], `*?[\`) {
		path := filepath.Join(dir, parts[0])
		if _, err := os.Lstat(path); absent(err) {
			return nil, nil
		}
		return glob(path, parts[1:])
	}
	entries, err := os.ReadDir(dir)
	if absent(err) {
		return nil, nil
	}
	if err != nil {
		return []string{filepath.Join(dir, filepath.Join(parts...))}, nil
	}
	for _, entry := range entries {
		name := entry.Name()
		matches, err := filepath.Match(parts[0], name)
		if err == nil && matches && (name[0] != '.' || parts[0][0] == '.') {
			var below []string
			below, err = glob(filepath.Join(dir, name), parts[1:])
			paths = append(paths, below...)
		}
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(paths)
	return paths, nil
}

// absent reports whether the error says that there is nothing.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}
