package siteuser

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Web is the web server's user, derived from a site's dataroot: its owner. found is false if that
// is root or nobody, and if the tool is not root: then the tool's own rights decide everything.
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
	Look  fs.FileMode = 0 // to see whether something exists
	Write fs.FileMode = 0o2
	Read  fs.FileMode = 0o4
)

// maxLinks is how many links Linux follows.
const maxLinks = 40

// May says, judging by modes, whether u may do at path what right says. At a path that does not
// exist, every user may look and read, as root may. Access control lists are not known here.
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
		at, ahead = filepath.Join(at, ahead[0]), ahead[1:] // at contains no links, so that .. leads to the right place
	}
	return right != Write
}
