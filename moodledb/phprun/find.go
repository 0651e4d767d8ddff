package phprun

import (
	"os/exec"
	"path/filepath"
	"slices"
)

// versions are the names of php in search order: without a version, then the newest that Moodle
// runs with MNet first.
var versions = []string{"php", "php8.4", "php8.3", "php8.2", "php8.1", "php8.0", "php7.4", "php7.3", "php7.2"}

// places are directories that may contain php although a search path, above all that of cron, does
// not name them.
var places = []string{
	"/usr/bin", "/usr/local/bin", "/opt/bitnami/php/bin", "/opt/plesk/php/*/bin", "/opt/cpanel/ea-php*/root/usr/bin", "/opt/remi/php*/root/usr/bin",
	"/opt/rh/*/root/usr/bin", "/opt/alt/php*/usr/bin", "/usr/local/php*/bin", "/opt/*/bin", "/opt/*/php/bin", "/opt/homebrew/bin",
}

// Find finds a php to run: pathtophp, which is config.php's setting, else one of the search path,
// else one of the usual places. "" if there is none.
func Find(pathtophp string) string { return find(pathtophp, places) }

func find(pathtophp string, places []string) string {
	names := versions
	if filepath.IsAbs(pathtophp) {
		names = append([]string{pathtophp}, names...)
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil && filepath.IsAbs(path) {
			return path
		}
	}
	for _, place := range places {
		dirs, _ := filepath.Glob(place) // the patterns are valid
		slices.Sort(dirs)
		slices.Reverse(dirs) // the newest version first
		for _, dir := range dirs {
			for _, name := range versions {
				if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
					return path
				}
			}
		}
	}
	return ""
}
