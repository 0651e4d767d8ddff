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
