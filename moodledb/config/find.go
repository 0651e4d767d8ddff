package config

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// usualPlaces are where packages, guides and images put Moodle; they are tried last.
var usualPlaces = []string{
	"/var/www/html/moodle/config.php", "/var/www/moodle/config.php", "/var/www/html/config.php", "/srv/moodle/config.php",
	"/srv/www/moodle/config.php", "/usr/share/moodle/config.php", "/etc/moodle/config.php", "/opt/moodle/config.php", "/opt/bitnami/moodle/config.php",
	"/bitnami/moodle/config.php", "/usr/share/nginx/html/moodle/config.php",
}

// Variable names config.php if no option does.
const Variable = "MOODLE_CONFIG"

// Find finds Moodle's config.php: explicit (--config) if given, else $MOODLE_CONFIG, else upwards
// from workdir, else in the usual places. The first two may also name Moodle's directory. The error
// is an *Error.
func Find(explicit string, env func(string) string, workdir string) (string, error) {
	return findIn(explicit, env, workdir, usualPlaces)
}

func findIn(explicit string, env func(string) string, workdir string, usual []string) (string, error) {
	if explicit != "" {
		return named(explicit, workdir, "--config")
	}
	if path := env(Variable); path != "" {
		return named(path, workdir, Variable)
	}
	var searched []string
	for dir := filepath.Clean(workdir); ; dir = filepath.Dir(dir) {
		searched = append(searched, filepath.Join(dir, "config.php"))
		if dir == filepath.Dir(dir) {
			break
		}
	}
	for _, path := range append(searched, usual...) {
		switch found, err := isMoodles(path); {
		case err != nil: // it may be the right one, so no other file replaces it
			return "", unreadable(path, err)
		case found:
			return path, nil
		}
	}
	return "", &Error{Problem: "no config.php of Moodle in " + workdir + ", above it, or in the usual places",
		Advice: "name it with --config=PATH or MOODLE_CONFIG"}
}

// UsualPlaces are the paths that [Find] tries last.
func UsualPlaces() []string { return slices.Clone(usualPlaces) }

// named is a path that was given explicitly: it must exist, whatever its content.
func named(path, workdir, by string) (string, error) {
	path = absolute(path, workdir)
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		path = filepath.Join(path, "config.php")
		_, err = os.Stat(path)
	}
	if err != nil {
		e := unreadable(path, err)
		e.Problem += " (" + by + ")"
		return "", e
	}
	return path, nil
}

// isMoodles distinguishes Moodle's config.php from those of other software: Moodle's library is
// beside it, or it mentions $CFG. A file that may not be read counts if the library is there:
// reading it says as whom to run. Otherwise it is an error.
func isMoodles(path string) (bool, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrPermission) {
		return false, err
	}
	if err != nil || !info.Mode().IsRegular() {
		return false, nil
	}
	dir := filepath.Dir(path)
	for _, lib := range []string{"lib/moodlelib.php", "public/lib/moodlelib.php"} {
		if _, err := os.Stat(filepath.Join(dir, lib)); err == nil {
			return true, nil
		}
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrPermission) {
		return false, err
	}
	if err != nil {
		return false, nil
	}
	defer func() { _ = file.Close() }()
	start, err := io.ReadAll(io.LimitReader(file, 64<<10))
	return err == nil && bytes.Contains(start, []byte("$CFG")), nil
}
