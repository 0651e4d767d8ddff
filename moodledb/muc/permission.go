package muc

import (
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// newPermissionError looks for the owner of path, or of the nearest directory above that can be seen: below an unreadable one nothing can.
func newPermissionError(store, path string, err error) *PermissionError {
	e := &PermissionError{Store: store, Path: path, Err: cause(err)}
	for {
		if info, err := os.Lstat(path); err == nil {
			e.Owner = owner(info)
			return e
		}
		parent := filepath.Dir(path)
		if parent == path {
			return e
		}
		path = parent
	}
}

// cause is what a *fs.PathError wraps: the errors of this package name the whole path themselves.
func cause(err error) error {
	var inner *fs.PathError
	if errors.As(err, &inner) {
		return inner.Err
	}
	return err
}

func owner(info os.FileInfo) string {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	id := strconv.FormatUint(uint64(stat.Uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return "#" + id
}
