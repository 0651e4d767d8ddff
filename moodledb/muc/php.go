package muc

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"renew_mnetkeys/internal/printable"
	"renew_mnetkeys/moodledb/phprun"
	"renew_mnetkeys/rotate"
)

// phpLimit bounds one run of php, in which Moodle needs some 60 ms.
const phpLimit = time.Minute

// answerLimit is how much of a script's text answer is shown, in characters.
const answerLimit = 300

var (
	//go:embed site.php
	siteScript string
	//go:embed drop.php
	dropScript string
	//go:embed stores.php
	storesScript string
	//go:embed cached.php
	cachedScript string
	//go:embed load.php
	loadScript string
)

// phpSite is the site that php loads.
type phpSite struct {
	PHP        string // path of php
	ConfigFile string // absolute path of config.php
	Wwwroot    string // of the site that config.php must load
	Tenant     bool   // Wwwroot is a tenant of a VMoodle array, which must be chosen; otherwise it is config.php's own site
	// Request is the part of $_SERVER that a request to Wwwroot sets: config.php may choose its
	// site by it.
	Request map[string]string
	// Dataroot and Dirroot are those of $CFG. If the tool is root, php runs as the owner of
	// Dataroot, see siteuser.ForPHP.
	Dataroot, Dirroot string
	Shared            bool     // see siteuser.CheckShared
	Environ           []string // the environment of php, nil: this process's; see [phprun.Script]
}

// drop lets php load the site and drop the two entries through Moodle's own cache
// (cache_helper::invalidate_by_definition), which reaches every store that is shared between
// processes, whichever factory chose it. Files that Moodle writes meanwhile belong to the caller
// or, if that is root, to the owner of dataroot: either should be the web server's user. The error
// is a *PHPError or the context's, or that of a store which this php cannot reach.
func (s phpSite) drop(ctx context.Context) error {
	report, err := s.stores(ctx, "drop the cache", dropScript)
	if err != nil {
		return err
	}
	return report.err()
}

// check lets php load the site and report which stores Moodle's own cache uses. It drops nothing;
// loading the site may refill the cache, as any request does. Result and error are those of drop.
func (s phpSite) check(ctx context.Context) (result, error) {
	report, err := s.stores(ctx, "find the cache stores", storesScript)
	if err != nil {
		return result{}, err
	}
	return report, report.err()
}

// describe is builtin.describe, done by Moodle itself. The error is a *PHPError or the context's.
func (s phpSite) describe(ctx context.Context) ([]rotate.CacheStore, error) {
	report, err := s.stores(ctx, "find the cache stores", storesScript)
	if err != nil {
		return nil, err
	}
	return report.descriptions(), nil
}

// stores runs a script that answers with mnetkeys_stores().
func (s phpSite) stores(ctx context.Context, op, script string) (r result, err error) {
	answer, err := s.run(ctx, op, script)
	if err != nil {
		return r, err
	}
	var stores map[string]struct {
		Plugin, Place string
		Ready         bool
	}
	if err := s.decode(answer, op, &stores); err != nil {
		return r, err
	}
	for _, name := range slices.Sorted(maps.Keys(stores)) {
		found := stores[name]
		store := storeReport{Store: name, Plugin: printable.Line(found.Plugin, answerLimit), Place: printable.Line(found.Place, answerLimit)}
		switch {
		case store.Plugin == apcu:
			store.Err = &ManualError{Store: name, Plugin: apcu, Advice: advice(apcu)}
		case !found.Ready:
			store.Err = &UnreachableError{Store: name, Plugin: store.Plugin, Server: store.Place, Err: errors.New("it is not ready in " + s.PHP),
				Advice: "run as the web server's user, and see that this php has the extensions of the web server's and reaches the store; or give a --cache-hook that clears it"}
		}
		r.Stores = append(r.Stores, store)
	}
	return r, nil
}

// decode reads an answer that is a JSON object. Any other answer is the script's error message.
func (s phpSite) decode(answer []byte, op string, to any) error {
	if err := json.Unmarshal(answer, to); err != nil { // the error would quote it
		problem := "its answer cannot be read"
		if len(answer) < phprun.MaxAnswer && !strings.HasPrefix(string(answer), "{") {
			problem = printable.Line(string(answer), answerLimit)
		}
		return &PHPError{PHP: s.PHP, ConfigFile: s.ConfigFile, Op: op, Problem: problem}
	}
	return nil
}

// cached lets php load the site and read the entry of plugin mnet from every store that Moodle's
// own cache knows, without filling any. This is builtin.cached for stores that only Moodle can
// read. Loading the site may refill the entry of table config, as any request does. The error is a
// *PHPError, or the context's.
func (s phpSite) cached(ctx context.Context) ([]cachedSettings, error) {
	const op = "read the cache"
	answer, err := s.run(ctx, op, cachedScript)
	if err != nil {
		return nil, err
	}
	var stores map[string]struct {
		Problem string
		Memory  bool              // of the web server's processes
		Found   map[string][]byte // base64
	}
	if err := s.decode(answer, op, &stores); err != nil {
		return nil, err
	}
	var all []cachedSettings
	for _, name := range slices.Sorted(maps.Keys(stores)) {
		c := cachedSettings{Store: name}
		switch problem := stores[name].Problem; {
		case stores[name].Memory:
			c.Err = &UnreadableError{name, rotate.ErrCacheInMemory}
		case problem != "":
			c.Err = &UnreadableError{name, errors.New(printable.Line(problem, answerLimit))}
		}
		for setting, value := range stores[name].Found {
			if c.Settings == nil {
				c.Settings = map[string]string{}
			}
			c.Settings[setting] = string(value)
		}
		all = append(all, c)
	}
	return all, nil
}

func (s phpSite) run(ctx context.Context, op, script string) ([]byte, error) {
	args := []string{s.Wwwroot}
	if s.Tenant {
		args = append(args, "tenant")
	}
	answer, err := phprun.Script{
		PHP: s.PHP, Source: siteScript + strings.TrimPrefix(script, "<?php") + strings.TrimPrefix(loadScript, "<?php"), Config: s.ConfigFile, Args: args,
		Request: s.Request, Dataroot: s.Dataroot, Dirroot: s.Dirroot, Shared: s.Shared, Environ: s.Environ, Limit: phpLimit,
	}.Run(ctx)
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s by php: %w", op, ctx.Err())
	case err != nil:
		return nil, &PHPError{PHP: s.PHP, ConfigFile: s.ConfigFile, Op: op, Problem: err.Error(), Err: err}
	}
	return answer, nil
}
