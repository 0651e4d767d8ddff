package moodledb

import (
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// unreadable explains why config.php cannot be read, and as whom it can.
func unreadable(path string, err error) error {
	var inner *fs.PathError
	e := &ConfigError{File: path, Problem: err.Error(), Err: err}
	if errors.As(err, &inner) {
		e.Problem = inner.Err.Error()
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Problem, e.Hint = "there is no such file", "name Moodle's config.php with --config=PATH"
	case errors.Is(err, fs.ErrPermission):
		e.Problem, e.Hint = "this user may not read it", "run as the web server's user"
		if name := reader(path); name != "" {
			e.Hint = "run as: sudo -u " + name + " renew_mnetkeys …"
		}
	}
	return e
}

// reader is a user who may read path: its owner, or, where that is root, the user that its group is named after and made readable for
// (root:www-data 0640). Below a directory that we cannot search, the directory tells.
func reader(path string) string {
	info, err := os.Stat(path)
	for err != nil {
		parent := filepath.Dir(path)
		if parent == path {
			return ""
		}
		path = parent
		info, err = os.Stat(path)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	if stat.Uid == 0 && stat.Gid != 0 && info.Mode().Perm()&0o040 != 0 {
		if group, err := user.LookupGroupId(strconv.FormatUint(uint64(stat.Gid), 10)); err == nil {
			if u, err := user.Lookup(group.Name); err == nil {
				return u.Username
			}
		}
	}
	id := strconv.FormatUint(uint64(stat.Uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return "#" + id
}
