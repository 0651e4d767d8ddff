package siteuser

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// ReadFile reads a regular file of at most limit bytes: a pipe or device must not block the tool or
// fill its memory. What u may not read is not read for root either, since the path may come from a
// file that u can write: the error is as if the tool ran as u. Additional rights from access
// control lists are not known here. Errors are *fs.PathError.
func (u User) ReadFile(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return u.ReadOpen(f, path, limit)
}

// ReadOpen is [User.ReadFile] for a file that was opened with O_NONBLOCK and that the caller
// closes. path is for errors.
func (u User) ReadOpen(f *os.File, path string, limit int64) ([]byte, error) {
	info, err := f.Stat() // of the open file, whatever the path names by then
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("is not a regular file")}
	case info.Size() > limit:
		return nil, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("is larger than %d MiB", limit>>20)}
	case os.Geteuid() == 0 && !u.mayRead(f):
		return nil, &fs.PathError{Op: "open", Path: path, Err: syscall.EACCES}
	}
	return io.ReadAll(io.LimitReader(f, limit))
}

// mayRead says whether u could have opened the file, judging by the modes of the file and of all
// directories above it.
func (u User) mayRead(f *os.File) bool {
	if u.UID == 0 {
		return true
	}
	path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", f.Fd())) // without any link
	if err != nil {
		return false
	}
	groups := u.Groups()
	need := fs.FileMode(0o4)
	for {
		info, err := os.Lstat(path)
		if err != nil || !u.permits(info, groups, need) {
			return false
		}
		if path == "/" {
			return true
		}
		path, need = filepath.Dir(path), 0o1
	}
}

// permits says whether a mode allows u to do what bit says: 4 to read, 1 to pass
// (path_resolution(7)).
func (u User) permits(info fs.FileInfo, groups []uint32, bit fs.FileMode) bool {
	stat, mode := info.Sys().(*syscall.Stat_t), info.Mode().Perm()
	switch {
	case stat.Uid == u.UID:
		bit <<= 6
	case slices.Contains(groups, stat.Gid):
		bit <<= 3
	}
	return mode&bit != 0
}
