// Package siteuser derives from a site's files as which user to work on them. It only looks: other
// packages advise the operator which user to use, and change the user if the tool is root.
package siteuser

import (
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// User is an account by its numbers.
type User struct {
	UID uint32
	GID uint32 // of the file if the account is not known, otherwise the account's own
}

// Owner is the owner of path, or of the nearest directory above it that is visible: nothing is
// visible below a directory that the tool may not search.
func Owner(path string) User {
	stat, _ := look(path)
	return owner(stat)
}

// Reader is the user for whom path is readable: its owner or, if that is root, the user with the
// name of its group, for which it was made readable (root:www-data 0640).
func Reader(path string) User {
	stat, mode := look(path)
	if stat.Uid == 0 && stat.Gid != 0 && mode.Perm()&0o040 != 0 {
		if group, err := user.LookupGroupId(number(stat.Gid)); err == nil {
			if account, err := user.Lookup(group.Name); err == nil {
				return known(account)
			}
		}
	}
	return owner(stat)
}

// webServers are the accounts under which packages run PHP.
var webServers = []string{"www-data", "apache", "nginx", "wwwrun", "http", "php-fpm", "daemon", "bitnami"}

// WebServer is the user who can read path and is meant to run a site: its owner, or the first web
// server's user who may read it by group or as any other user. found is false if only root is left.
// Below a directory that the tool may not search, nothing is known except the owner of that
// directory.
func WebServer(path string) (u User, found bool) {
	stat, mode := look(path)
	if stat.Uid != 0 {
		return owner(stat), true
	}
	if u := Reader(path); u.UID != 0 {
		return u, true
	}
	for _, name := range webServers {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		u := known(account)
		if mode.Perm()&0o004 != 0 || mode.Perm()&0o040 != 0 && slices.Contains(u.Groups(), stat.Gid) {
			return u, true
		}
	}
	return User{}, false
}

// look follows links: the owner of the file counts, not the owner of a link to it.
func look(path string) (*syscall.Stat_t, fs.FileMode) {
	for {
		info, err := os.Stat(path)
		if err == nil {
			return info.Sys().(*syscall.Stat_t), info.Mode()
		}
		parent := filepath.Dir(path)
		if parent == path {
			return &syscall.Stat_t{}, 0 // not even the root directory, which belongs to root
		}
		path = parent
	}
}

func owner(stat *syscall.Stat_t) User {
	if account, err := user.LookupId(number(stat.Uid)); err == nil {
		return known(account)
	}
	return User{stat.Uid, stat.Gid}
}

func known(account *user.User) User {
	uid, _ := strconv.ParseUint(account.Uid, 10, 32)
	gid, _ := strconv.ParseUint(account.Gid, 10, 32)
	return User{uint32(uid), uint32(gid)}
}

// String is the user's name, or #number if there is none; sudo -u accepts both.
func (u User) String() string {
	if account, err := user.LookupId(number(u.UID)); err == nil {
		return account.Username
	}
	return "#" + number(u.UID)
}

// Groups are the groups of the user, its own among them.
func (u User) Groups() []uint32 {
	groups := []uint32{u.GID}
	account, err := user.LookupId(number(u.UID))
	if err != nil {
		return groups
	}
	ids, _ := account.GroupIds()
	for _, id := range ids {
		if gid, err := strconv.ParseUint(id, 10, 32); err == nil && uint32(gid) != u.GID {
			groups = append(groups, uint32(gid))
		}
	}
	return groups
}

func number(id uint32) string { return strconv.FormatUint(uint64(id), 10) }
