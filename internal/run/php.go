package run

import (
	"cmp"
	"context"
	"os"
	"regexp"
	"sync"
	"time"

	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/moodledb/phprun"
)

// phpVersionLimit is the time limit of a php that only prints its version.
const phpVersionLimit = 5 * time.Second

var phpVersion = regexp.MustCompile(`^[0-9][0-9A-Za-z.+~-]{0,30}$`)

// commandLinePHP gives the version of the php on this machine, "" if there is none or it does not
// print one. It runs once, at the first call, with the rights of [phprun].
func commandLinePHP(site *config.Config, php string) func(context.Context) string {
	var once sync.Once
	var version string
	return func(ctx context.Context) string {
		once.Do(func() {
			if php = cmp.Or(php, phprun.Find(site.PathToPHP)); php == "" {
				return
			}
			answer, err := phprun.Script{PHP: php, Source: `<?php fwrite(fopen('php://fd/3', 'w'), PHP_VERSION);`, Config: site.File,
				Dataroot: site.Dataroot, Dirroot: site.Dirroot, Shared: site.Shared, Environ: os.Environ(), Limit: phpVersionLimit}.Run(ctx)
			if err == nil && phpVersion.Match(answer) {
				version = string(answer)
			}
		})
		return version
	}
}
