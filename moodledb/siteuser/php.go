package siteuser

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// PHP says how a site's PHP code may be run.
type PHP struct {
	Credential *syscall.Credential // as which user; nil: as the tool's own
	// Within are the only directories from which code may come (PHP's open_basedir); nil: any. They
	// are set if root runs a site that belongs to root: there, everything has been checked.
	Within []string
}

// UnsafeError is a site whose code root does not run, because another user could have written it,
// or because its owner is not known.
type UnsafeError struct{ Path, Problem string }

func (e *UnsafeError) Error() string {
	return "root does not run this site's PHP code: " + e.Path + " " + e.Problem
}

// Hint says as which user to run.
func (e *UnsafeError) Hint() string {
	return "as the web server's user, run: sudo -u www-data renew_mnetkeys …"
}

// ForPHP says how to run the site of config (the absolute path of config.php) with this dataroot
// and dirroot ("" if it is config.php's directory). Any user but root stays the same user. Root
// becomes the owner of dataroot, who is the web server's user: other users may be able to write
// config.php and what it includes. If dataroot belongs to root, is not known or does not exist,
// root runs the site only if no other user can write its code. The error is an [*UnsafeError].
//
// shared: see [CheckShared], whose error it gives.
//
// Additional rights from access control lists are not known here.
func ForPHP(config, dataroot, dirroot string, shared bool) (PHP, error) {
	if os.Geteuid() != 0 {
		return PHP{}, nil
	}
	if filepath.IsAbs(dataroot) {
		info, err := os.Stat(dataroot)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil || !info.IsDir():
			return PHP{}, &UnsafeError{dataroot, "is not a readable directory, so its owner is not known"}
		default:
			u := owner(info.Sys().(*syscall.Stat_t))
			if shared && !writtenBy(config, u) {
				return PHP{}, &SharedError{config, dataroot, u}
			}
			if u.UID != 0 {
				return PHP{Credential: &syscall.Credential{Uid: u.UID, Gid: u.GID, Groups: u.Groups()}}, nil
			}
		}
	}
	return ofRoot(config, dataroot, dirroot)
}

// ofRoot checks everything that such a site can load. In dataroot, it checks only the top and muc:
// there are too many files in it, and if a directory belongs to root, root has put its files there.
func ofRoot(config, dataroot, dirroot string) (PHP, error) {
	var within []string
	for _, tree := range []string{filepath.Dir(config), dirroot} {
		if tree == "" {
			continue
		}
		if err := rootsTree(tree); err != nil {
			return PHP{}, err
		}
		within = append(within, real(tree))
	}
	if err := rootsTree(filepath.Dir(real(config))); err != nil {
		return PHP{}, err
	}
	within = append(within, filepath.Dir(real(config)))
	if filepath.IsAbs(dataroot) {
		for _, dir := range []string{dataroot, filepath.Join(dataroot, "muc")} {
			if err := rootsDirectory(dir); err != nil {
				return PHP{}, err
			}
		}
		within = append(within, real(dataroot))
	}
	for _, dir := range within {
		if strings.Contains(dir, string(filepath.ListSeparator)) {
			return PHP{}, &UnsafeError{dir, "has a colon in its name"}
		}
	}
	return PHP{Within: within}, nil
}

// maxFiles is more than any Moodle has, some 40 000. A larger tree is not a Moodle.
const maxFiles = 400_000

// rootsTree refuses a directory that does not belong to root with everything below and above it.
func rootsTree(dir string) error {
	if err := rootsPath(dir); err != nil {
		return err
	}
	files := 0
	return filepath.WalkDir(real(dir), func(path string, d fs.DirEntry, err error) error {
		if files++; files > maxFiles {
			return &UnsafeError{dir, "has too many files"}
		}
		if err != nil {
			return &UnsafeError{path, "cannot be read"}
		}
		return roots(path, false)
	})
}

// rootsDirectory is rootsTree without the deeper levels. A directory that does not exist is
// accepted.
func rootsDirectory(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return &UnsafeError{dir, "cannot be read"}
	}
	if err := rootsPath(dir); err != nil {
		return err
	}
	for _, entry := range entries {
		if err := roots(filepath.Join(dir, entry.Name()), false); err != nil {
			return err
		}
	}
	return roots(real(dir), false)
}

// rootsPath refuses a path of which another user could replace a part, both as it is written and as
// links lead.
func rootsPath(path string) error {
	for _, way := range []string{path, real(path)} {
		for way = filepath.Clean(way); ; way = filepath.Dir(way) {
			if err := roots(way, true); err != nil || way == "/" {
				if err != nil {
					return err
				}
				break
			}
		}
	}
	return nil
}

// roots refuses a file that does not belong to root alone. above: it is a directory on the way, in
// which others may make files of their own if it is sticky (/tmp).
func roots(path string, above bool) error {
	info, err := os.Lstat(path)
	if err != nil {
		return &UnsafeError{path, "cannot be read"}
	}
	stat, mode := info.Sys().(*syscall.Stat_t), info.Mode()
	others := mode.Perm() & 0o022
	if stat.Gid == 0 {
		others &^= 0o020
	}
	switch {
	case stat.Uid != 0:
		return &UnsafeError{path, fmt.Sprintf("belongs to user %v, who does not own the dataroot", owner(stat))}
	case mode&fs.ModeSymlink != 0 || above && mode.IsDir() && mode&fs.ModeSticky != 0:
		return nil
	case others != 0:
		return &UnsafeError{path, "can be written by users who do not own the dataroot"}
	}
	return nil
}

// real is the path without links, or unchanged if nothing is there.
func real(path string) string {
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		return resolved
	}
	return path
}
