package siteuser

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Web is the web server's user by a site's dataroot: its owner. found is false if that is root or
// nobody, and unless we are root: all is then judged by our own rights.
func Web(dataroot string) (u User, found bool) {
	info, err := os.Stat(dataroot)
	if err != nil || os.Geteuid() != 0 || !filepath.IsAbs(dataroot) {
		return User{}, false
	}
	u = owner(info.Sys().(*syscall.Stat_t))
	return u, u.UID != 0
}

// Rights are the bits of a mode, as for others.
const (
	Look  fs.FileMode = 0 // to see whether something is there
	Write fs.FileMode = 0o2
	Read  fs.FileMode = 0o4
)

// maxLinks is how many links Linux follows.
const maxLinks = 40

// May tells by modes whether u may do at path what right says. Where nothing is, all may read as
// much as root. Access control lists are not known here.
func (u User) May(path string, right fs.FileMode) bool {
	groups := u.Groups()
	at, ahead := "/", strings.Split(path, "/")
	for links := 0; links <= maxLinks; {
		info, err := os.Lstat(at)
		switch {
		case err != nil:
			return os.IsNotExist(err) && right != Write
		case info.Mode()&fs.ModeSymlink != 0:
			links++
			target, err := os.Readlink(at)
			if err != nil {
				return false
			}
			if ahead = append(strings.Split(target, "/"), ahead...); filepath.IsAbs(target) {
				at = "/"
			} else {
				at = filepath.Dir(at)
			}
			continue
		case len(ahead) == 0:
			return right == Look || u.permits(info, groups, right)
		case !info.IsDir():
			return right != Write
		case !u.permits(info, groups, 0o1):
			return false
		}
		at, ahead = filepath.Join(at, ahead[0]), ahead[1:] // without links at is, so that .. leads where it should
	}
	return right != Write
}
