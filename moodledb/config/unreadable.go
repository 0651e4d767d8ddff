package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"renew_mnetkeys/moodledb/siteuser"
)

// unreadable explains why config.php cannot be read, and which user can read it.
func unreadable(path string, err error) *Error {
	var inner *fs.PathError
	e := &Error{File: path, Problem: err.Error(), Err: err}
	if errors.As(err, &inner) {
		e.Problem = inner.Err.Error()
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Problem, e.Advice = "there is no such file", hintConfig
	case errors.Is(err, fs.ErrPermission) && isHidden(path):
		e.Problem = "this user may not enter the directory " + closed(path)
		e.Advice = "if Moodle's config.php is there, run this as the web server's user. Otherwise name it with --config=PATH"
	case errors.Is(err, fs.ErrPermission):
		e.Problem = "cannot be read by this user"
		if u, found := siteuser.WebServer(path); found {
			e.Advice = fmt.Sprintf("run: sudo -u %v renew_mnetkeys …", u)
		} else {
			e.Advice = "only root can read it: make it readable for the web server's user. Then run: sudo -u www-data renew_mnetkeys …"
		}
	}
	return e
}

// Unread is the error of a file of VMoodle that configures the array if it is there, and this user
// cannot read it: PHP only warns of a file that it cannot include. It is nil otherwise.
func (c *Config) Unread() *Error { return unread(filepath.Dir(c.File), c.Dirroot) }

func unread(dirs ...string) *Error {
	for _, dir := range dirs {
		for _, name := range []string{"local/vmoodle/vconfig.php", "public/local/vmoodle/vconfig.php", "local/vmoodle/bootlib.php", "public/local/vmoodle/bootlib.php"} {
			path := filepath.Join(dir, name)
			file, err := os.Open(path)
			if err == nil {
				_ = file.Close()
			}
			if dir != "" && errors.Is(err, fs.ErrPermission) && !isHidden(path) {
				return unreadable(path, err)
			}
		}
	}
	return nil
}

// closed is the directory that this user may not enter on the way to a hidden file: that of the file, or
// one above it.
func closed(path string) string {
	dir := filepath.Dir(path)
	if dir != filepath.Dir(dir) && isHidden(dir) {
		return closed(dir)
	}
	return dir
}

// isHidden reports whether this user cannot even know if the file exists.
func isHidden(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrPermission)
}
