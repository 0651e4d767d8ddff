package muc

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
	"time"
	"unicode"

	"renew_mnetkeys/moodledb/phprun"
)

// phpLimit bounds one run of php, which takes Moodle some 60 ms.
const phpLimit = time.Minute

//go:embed drop.php
var dropScript string

// DropByPHP has php (a path) load the site by configFile (absolute path of config.php) and drop the two entries through Moodle's own cache
// (cache_helper::invalidate_by_definition), which reaches every store that is shared between processes. wwwroot chooses a tenant of a VMoodle array; "" is
// config.php's own site. environ is the environment that php shall inherit, nil this process's; see [phprun.Script]. Files that Moodle writes meanwhile
// belong to the caller or, where that is root, to the user config.php is for: either should be the web server's.
// The error is a *PHPError, or the context's.
func DropByPHP(ctx context.Context, php, configFile, wwwroot string, environ []string) error {
	answer, err := phprun.Script{PHP: php, Source: dropScript, Config: configFile, Args: []string{wwwroot}, Environ: environ, Limit: phpLimit}.Run(ctx)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("drop the cache by php: %w", ctx.Err())
	case err != nil:
		return &PHPError{PHP: php, ConfigFile: configFile, Problem: err.Error(), Err: err}
	case string(answer) != "dropped":
		return &PHPError{PHP: php, ConfigFile: configFile, Problem: printable(answer)}
	}
	return nil
}

// printable is an answer of drop.php on one line. The paths in it may be any.
func printable(answer []byte) string {
	line := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, string(answer))
	return line[:min(len(line), 300)]
}
