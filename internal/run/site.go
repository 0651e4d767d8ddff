package run

import (
	"cmp"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/internal/output"
	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/moodledb/siteuser"
)

// siteOf is what complete commands must name of a site.
func siteOf(master *config.Config, getenv func(string) string) output.Site {
	return output.Site{
		Config: master.File, User: webServersUser(master.Dataroot, getenv),
		Tenant:      func(wwwroot string) bool { return !envelope.SameWwwroot(wwwroot, master.Wwwroot) },
		Purge:       script(master, "admin/cli/purge_caches.php"),
		PurgeTenant: script(master, "local/vmoodle/cli/purge_caches.php"),
	}
}

// sitesForHints is what commands must name of an array of several config.php: group for commands
// about all of its sites, which name no single config.php.
func sitesForHints(sites []arraySite, getenv func(string) string) (group output.Site, of func(wwwroot string) output.Site) {
	byMaster, byWwwroot := map[*config.Config]output.Site{}, map[string]output.Site{}
	users := map[string]bool{}
	for _, s := range sites {
		site, known := byMaster[s.master]
		switch {
		case s.master == nil:
			site = output.Site{Config: s.file}
		case !known: // looking up a user takes time
			site = siteOf(s.master, getenv)
			byMaster[s.master], users[site.User] = site, true
		}
		byWwwroot[envelope.FoldWwwroot(s.wwwroot)] = site
	}
	for user := range users {
		group.User = user
	}
	if len(users) > 1 {
		group.User = "root" // who alone can work as the owner of each
	}
	return group, func(wwwroot string) output.Site {
		if site, found := byWwwroot[envelope.FoldWwwroot(wwwroot)]; found {
			return site
		}
		return group
	}
}

// webServersUser is the owner of dataroot, "" if nobody must become that user to run a command.
func webServersUser(dataroot string, getenv func(string) string) string {
	uid := siteuser.Owner(dataroot).UID
	if !filepath.IsAbs(dataroot) || !mustBecome(int(uid), os.Geteuid(), getenv("SUDO_UID") != "") {
		return ""
	}
	number := strconv.FormatUint(uint64(uid), 10)
	account, err := user.LookupId(number)
	if err != nil {
		return "#" + number // in the form for sudo
	}
	return account.Username
}

// mustBecome reports whether the reader of a hint needs sudo to work as the owner of dataroot: who
// runs this by sudo pastes the next command as another user.
func mustBecome(owner, user int, sudo bool) bool { return owner != 0 && (owner != user || sudo) }

// script finds a script of Moodle. Since Moodle 5.1 its command line scripts are above the
// directory public, and its plugins below it. The path of a script that is not found is relative to
// Moodle's directory.
func script(master *config.Config, name string) string {
	top := filepath.Dir(master.File)
	for _, dir := range []string{top, master.Dirroot, filepath.Join(top, "public")} {
		path := filepath.Join(cmp.Or(dir, top), name)
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return name
}
