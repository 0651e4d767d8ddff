package muc

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// base is a directory that must exist; without it, it is unknown whether a cache is empty. Moodle
// ends at once if its dataroot does not exist (lib/setup.php). It makes dataroot/cache and what is
// below when it needs it (lib/setuplib.php, make_cache_directory), so those may be absent. It makes
// a cachedir or a store's path elsewhere as well; but administrators mount these, and on a running
// site they exist.
type base struct {
	store string // "" if all stores need it
	what  string
	path  string
}

func (where location) base(store string) base {
	return base{store: store, what: "dataroot", path: where.Dataroot}
}

// cacheBase is the base of the file stores that have no path of their own.
func (where location) cacheBase(store string) base {
	if filepath.Clean(where.CacheDir) == filepath.Join(where.Dataroot, "cache") {
		return where.base(store)
	}
	return base{store: store, what: "cachedir", path: where.CacheDir}
}

// check returns a *MissingDirectoryError or a *PermissionError.
func (b base) check() error {
	info, err := os.Stat(b.path)
	switch {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		err = syscall.ENOTDIR
	case errors.Is(err, fs.ErrPermission):
		return newPermissionError(b.store, b.path, err)
	}
	return &MissingDirectoryError{What: b.what, Path: b.path, Err: cause(err)}
}
