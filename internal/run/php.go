package run

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"time"

	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/internal/output"
	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/moodledb/phprun"
	"renew_mnetkeys/moodledb/siteuser"
)

// phpLimit is the time limit of a php that only says something of itself.
const phpLimit = 5 * time.Second

var phpVersion = regexp.MustCompile(`^[0-9][0-9A-Za-z.+~-]{0,30}$`)

// commandLinePHP gives the version of the php on this machine, "" if there is none or it does not
// print one. It runs once, at the first call, with the rights of [phprun].
func commandLinePHP(site *config.Config, php string) func(context.Context) string {
	var once sync.Once
	var version string
	return func(ctx context.Context) string {
		once.Do(func() {
			if answer := valueOfPHP(ctx, site, phpFor(site, php), "PHP_VERSION"); phpVersion.MatchString(answer) {
				version = answer
			}
		})
		return version
	}
}

// checkPHP finds a --php that cannot be run before anything is done. Most runs need no PHP: a line that an
// upgrade has left in the file of options must not end them.
func checkPHP(o cmdline.Options, out *output.Printer) error {
	if o.PHP == "" {
		return nil
	}
	if _, err := exec.LookPath(o.PHP); err == nil {
		return nil
	}
	problem := "--php: this user cannot run " + o.PHP
	if out.Typed("php") {
		return &cmdline.UsageError{Problem: problem, Advice: "check the path, or leave --php out"}
	}
	if !o.Quiet && o.Command.Row().Prints != cmdline.PrintsState { // monitoring reads the first line
		out.Tell("warning: %v", o.Located(errors.New(problem)))
	}
	return nil
}

// phpFor is the php to run for a site: php, unless that is "".
func phpFor(site *config.Config, php string) string { return cmp.Or(php, phprun.Find(site.PathToPHP)) }

// valueOfPHP is what php makes of an expression, "" if it cannot be run.
func valueOfPHP(ctx context.Context, site *config.Config, php, expression string) string {
	if php == "" {
		return ""
	}
	answer, err := phprun.Script{PHP: php, Source: "<?php fwrite(fopen('php://fd/3', 'w'), " + expression + ");", Config: site.File,
		Dataroot: site.Dataroot, Dirroot: site.Dirroot, Shared: site.Shared, Environ: os.Environ(), Limit: phpLimit}.Run(ctx)
	if err != nil {
		return ""
	}
	return string(answer)
}

// defaultSockets gives a site the socket that its php uses for a database on localhost; see
// [config.Options]. Each php runs once for each owner of a dataroot: it has that user's rights, and
// nobody else may say where the passwords of a site are sent.
func defaultSockets(php string) func(context.Context, *config.Config) string {
	type asked struct {
		php string
		uid uint32
	}
	var mu sync.Mutex
	known := map[asked]string{}
	return func(ctx context.Context, site *config.Config) string {
		mu.Lock()
		defer mu.Unlock()
		key := asked{phpFor(site, php), siteuser.Owner(site.Dataroot).UID}
		if _, done := known[key]; !done {
			known[key] = valueOfPHP(ctx, site, key.php, "ini_get('mysqli.default_socket') ?: ini_get('pdo_mysql.default_socket')")
		}
		return known[key]
	}
}
