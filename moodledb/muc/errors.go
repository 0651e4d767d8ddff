package muc

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"renew_mnetkeys/rotate"
)

// Every error of this package about which an operator can do something has Hint() string: one
// sentence, lower case, no full stop. An error of a store that does not mean
// [rotate.CacheUnreachable] has state() as well: what doctor calls the store.

// ManualError is a store that cannot be reached from outside the web server, or that this package
// does not know.
type ManualError struct{ Store, Plugin, Advice string }

// OfMoodle says whether Moodle's own PHP can reach the store.
func (e *ManualError) OfMoodle() bool { return e.Plugin != apcu }

func (e *ManualError) Error() string {
	return fmt.Sprintf("cache store %q (%s) cannot be cleared from here", e.Store, e.Plugin)
}

// Hint says what to do manually.
func (e *ManualError) Hint() string { return e.Advice }

func (e *ManualError) state() rotate.CacheState { return rotate.CacheManual }

// UnreachableError is a store that did not answer, or that refused. Err is the cause.
type UnreachableError struct {
	Store, Plugin, Advice string
	Server                string // "" if none is configured
	Err                   error
}

func (e *UnreachableError) Error() string {
	if e.Server == "" {
		return fmt.Sprintf("cache store %q (%s): %v", e.Store, e.Plugin, e.Err)
	}
	return fmt.Sprintf("cache store %q (%s at %s): %v", e.Store, e.Plugin, e.Server, e.Err)
}

func (e *UnreachableError) Unwrap() error { return e.Err }

// Hint says what to do manually.
func (e *UnreachableError) Hint() string { return e.Advice }

// PermissionError is a file or directory that the caller may not read or change.
type PermissionError struct {
	Store string // "" if Path is the configuration file
	Path  string
	Owner string // user name, or #number without a name, of Path or of the nearest visible directory above it
	Own   bool   // whether that is the caller
	Err   error
}

func (e *PermissionError) Error() string { return fmt.Sprintf("cache: %s: %v", e.Path, e.Err) }

func (e *PermissionError) Unwrap() error { return e.Err }

// Hint names the user to run as.
func (e *PermissionError) Hint() string {
	if errors.Is(e.Err, syscall.EROFS) {
		return "make the file system of the cache writable, then run: renew_mnetkeys …"
	}
	if e.Own {
		return "this user is the owner, and may not write it either: check the modes of the directories above it, its attributes (lsattr) and its file system. Then run: renew_mnetkeys …"
	}
	return fmt.Sprintf("the cache belongs to %s. If the web server runs as another user, give these files to that user. Otherwise, as the owner of the cache, run: sudo -u %s renew_mnetkeys …", e.Owner, e.Owner)
}

func (e *PermissionError) state() rotate.CacheState { return rotate.CacheNotWritable }

// MissingDirectoryError is a directory that every running site has and that is missing on this
// machine. If it were treated as an empty cache, the web server would keep its entries.
type MissingDirectoryError struct {
	What string // dataroot, cachedir, or which store's path
	Path string
	Err  error
}

func (e *MissingDirectoryError) Error() string {
	return fmt.Sprintf("%s %s: %v", e.What, e.Path, e.Err)
}

func (e *MissingDirectoryError) Unwrap() error { return e.Err }

// Hint says where to run.
func (e *MissingDirectoryError) Hint() string {
	return "check dataroot in config.php or --cfg (of a tenant vdatapath in VMoodle's register), and that moodledata is mounted here: run where the web server's files are"
}

func (e *MissingDirectoryError) state() rotate.CacheState { return rotate.CacheNotMounted }

// ConfigError is a muc/config.php, or what replaces it, that only PHP can evaluate or that cannot
// be used. It shows the position, never the content, which has passwords of cache servers.
type ConfigError struct {
	File    string
	Line    int // 0: no certain line
	Problem string
}

func (e *ConfigError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Problem)
	}
	return e.File + ": " + e.Problem
}

// Hint says what else drops the cache.
func (e *ConfigError) Hint() string { return adviseMoodle }

// PHPError is a php that did not drop or read the cache. It shows a class and a position, never
// what PHP wrote, because that can quote config.php.
type PHPError struct {
	PHP, ConfigFile string
	Op              string // drop the cache, read the cache
	Problem         string
	Err             error // nil if php answered
}

func (e *PHPError) Error() string {
	return fmt.Sprintf("%s by %s with %s: %s", e.Op, e.PHP, e.ConfigFile, e.Problem)
}

func (e *PHPError) Unwrap() error { return e.Err }

// Hint says what else drops the cache, or as which user to run.
func (e *PHPError) Hint() string {
	var known interface{ Hint() string }
	if errors.As(e.Err, &known) {
		return known.Hint()
	}
	if e.damaged() {
		return "if the web server's php reads the file that the error names, name that php with --php=PATH. Otherwise the file is damaged: restore it from a backup"
	}
	return "find out why php cannot load the site, or give a --cache-hook that purges the cache, as docs/caches.md shows"
}

// damaged reports a file of the site that this php cannot read. An older php than the web server's
// says the same of a file that is in order.
func (e *PHPError) damaged() bool { return strings.HasPrefix(e.Problem, "ParseError ") }

// split separates what only Moodle's own code can do from what failed here.
func split(err error) (moodles, rest error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			a, b := split(e)
			moodles, rest = errors.Join(moodles, a), errors.Join(rest, b)
		}
		return moodles, rest
	}
	var manual *ManualError
	if isUnknown(err) || errors.As(err, &manual) && manual.OfMoodle() {
		return err, nil
	}
	return nil, err
}

// isUnknown says whether err means that the stores are not known here.
func isUnknown(err error) bool {
	var config *ConfigError
	var factory *FactoryError
	return errors.As(err, &config) || errors.As(err, &factory)
}

// outOfReach marks an error that only says that stores cannot be reached from here.
func outOfReach(err error) error {
	if err == nil || !onlyManual(err) {
		return err
	}
	return fmt.Errorf("%w: %w", rotate.ErrCacheManual, err)
}

func onlyManual(err error) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return !slices.ContainsFunc(joined.Unwrap(), func(e error) bool { return !onlyManual(e) })
	}
	var manual *ManualError
	var php *PHPError
	return errors.As(err, &manual) || errors.As(err, &php) || isUnknown(err)
}
