package muc

import (
	"context"
	_ "embed"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
	"unicode"
)

// phpLimit bounds one run of php, which takes Moodle some 60 ms.
const phpLimit = time.Minute

//go:embed drop.php
var dropScript string

// DropByPHP has php (a path) load the site by configFile (absolute path of config.php) and drop the two entries through Moodle's own cache
// (cache_helper::invalidate_by_definition), which reaches every store that is shared between processes. wwwroot chooses a tenant of a VMoodle array; "" is
// config.php's own site. environ is the environment of the process that php shall inherit, since config.php may take its passwords from it; our own
// MNETKEYS_ variables are left out. Files that Moodle writes meanwhile belong to the caller: it should be the web server's user.
// The error is a *PHPError, or the context's.
func DropByPHP(ctx context.Context, php, configFile, wwwroot string, environ []string) error {
	limited, cancel := context.WithTimeout(ctx, phpLimit)
	defer cancel()
	answer := &tail{limit: 16 << 10}
	// Arguments of an exception can be passwords: they must not even reach a log.
	cmd := exec.CommandContext(limited, php, "-d", "zend.exception_ignore_args=1", "-d", "display_errors=0", "-d", "log_errors=0", "--", configFile, wwwroot)
	cmd.Stdin = strings.NewReader(dropScript)
	cmd.Stdout = answer // stderr goes nowhere
	cmd.Env = siteEnvironment(environ)
	cmd.Dir = filepath.Dir(configFile)
	cmd.WaitDelay = time.Second // for a grandchild that keeps stdout open
	err := cmd.Run()
	switch said := answer.said(); {
	case ctx.Err() != nil:
		return fmt.Errorf("drop the cache by php: %w", ctx.Err())
	case said == "dropped":
		return nil
	case limited.Err() != nil:
		return &PHPError{PHP: php, ConfigFile: configFile, Problem: "no answer within " + phpLimit.String(), Err: limited.Err()}
	case said == "" && err != nil:
		return &PHPError{PHP: php, ConfigFile: configFile, Problem: "cannot run: " + err.Error(), Err: err}
	case said == "":
		return &PHPError{PHP: php, ConfigFile: configFile, Problem: "no answer"}
	default:
		return &PHPError{PHP: php, ConfigFile: configFile, Problem: said, Err: err}
	}
}

func siteEnvironment(environ []string) []string {
	kept := []string{} // nil would mean our own environment
	for _, e := range environ {
		if !strings.HasPrefix(e, "MNETKEYS_") {
			kept = append(kept, e)
		}
	}
	return kept
}

// tail keeps the end of what is written to it: a site with debugging on can write without end before it answers.
type tail struct {
	limit int
	kept  []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.kept = append(t.kept, b...)
	if extra := len(t.kept) - t.limit; extra > 0 {
		t.kept = append(t.kept[:0], t.kept[extra:]...)
	}
	return len(b), nil
}

// said is the answer of drop.php, "" when there is none. The rest is never shown.
func (t *tail) said() string {
	said := ""
	for line := range strings.Lines(string(t.kept)) {
		if answer, ok := strings.CutPrefix(strings.TrimSpace(line), "mnetkeys: "); ok {
			said = answer
		}
	}
	said = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, said)
	return said[:min(len(said), 300)]
}
