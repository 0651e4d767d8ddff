package siteuser

import (
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// SharedError is a config.php that names the dataroot of a user who does not own the file, among
// sites of different users: it would work on the site of another.
type SharedError struct {
	Config, Dataroot string
	Owner            User // of Dataroot
}

func (e *SharedError) Error() string {
	return fmt.Sprintf("%s: the dataroot %s belongs to user %v, but the file or a directory above it to another: among sites of several users root does not trust it",
		e.Config, e.Dataroot, e.Owner)
}

// Hint says whose the files must be.
func (e *SharedError) Hint() string {
	return fmt.Sprintf("give config.php and the directories above it to root or to %v, or work on this site alone: leave out --all and name its --config=PATH", e.Owner)
}

// CheckShared is for sites of several users on one machine, all of which root works on: one of them
// could name the dataroot of another in his config.php, to have his code run as that user, or that
// user's files changed. It demands that config.php and every directory above it belong to root or
// to the owner of dataroot. A dataroot that does not exist, and any if the tool is not root, is
// accepted. The error is a [*SharedError].
func CheckShared(config, dataroot string) error {
	info, err := os.Stat(dataroot)
	if os.Geteuid() != 0 || err != nil {
		return nil
	}
	if u := owner(info.Sys().(*syscall.Stat_t)); !writtenBy(config, u) {
		return &SharedError{config, dataroot, u}
	}
	return nil
}

func writtenBy(path string, u User) bool {
	return !slices.ContainsFunc(Writers(path), func(uid uint32) bool { return uid != u.UID })
}

// Writers are the users other than root who own the file or a directory on the way to it, as it is
// written or as links lead: each of them can put another file in its place. They are sorted.
func Writers(path string) (users []uint32) {
	for info := range wayTo(path) {
		if uid := info.Sys().(*syscall.Stat_t).Uid; uid != 0 {
			users = append(users, uid)
		}
	}
	slices.Sort(users)
	return slices.Compact(users)
}

// RootsAlone reports whether no other user owns the file or a directory on the way to it, and not
// everybody can write there. Groups are trusted, as that of /usr/local on Debian (staff).
func RootsAlone(path string) bool {
	for info := range wayTo(path) {
		sticky := info.IsDir() && info.Mode()&fs.ModeSticky != 0 // as /tmp is
		writable := info.Mode()&fs.ModeSymlink == 0 && info.Mode().Perm()&0o002 != 0 && !sticky
		if writable || info.Sys().(*syscall.Stat_t).Uid != 0 {
			return false
		}
	}
	return true
}

// wayTo are all directories, links and files that are passed on the way to a file.
func wayTo(path string) iter.Seq[fs.FileInfo] {
	return func(yield func(fs.FileInfo) bool) {
		if !filepath.IsAbs(path) {
			workdir, _ := os.Getwd()
			path = workdir + "/" + path
		}
		at, rest := "/", append([]string{"."}, strings.Split(path, "/")...)
		for links := 0; len(rest) > 0 && links <= maxLinks; {
			next := filepath.Join(at, rest[0]) // at has no links, so that .. is what it seems
			rest = rest[1:]
			info, err := os.Lstat(next)
			if err != nil || !yield(info) {
				return
			}
			target, err := os.Readlink(next)
			if err != nil { // it is no link
				at = next
				continue
			}
			if filepath.IsAbs(target) {
				at = "/"
			}
			links, rest = links+1, append(strings.Split(target, "/"), rest...)
		}
	}
}
