// Package muc drops Moodle's cached configuration (cache definition core/config) from every store
// that serves it, so that the web server reads a new MNet key from the database. It mirrors how
// cache/classes/config.php (cache_config) chooses the stores, and how cachestore_file and
// cachestore_redis name an entry. It never writes an entry: the next request refills a missing one.
// It reads only the entry of plugin mnet, which contains the key pair, since the cached pair may be
// the only copy of a key.
//
// A cache in the memory of a web server (APCu), or in a store that this package does not know, is
// an error with advice, never a silent success. Moodle itself, run by php, clears and reads what
// only it knows.
package muc

import (
	"cmp"
	"context"
	"errors"
	"os"
	"slices"
	"sync"

	"github.com/rs/zerolog"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/moodledb"
	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/moodledb/phprun"
	"renew_mnetkeys/rotate"
)

// Cache is one tenant's cached configuration. What this package cannot reach itself it leaves to
// Moodle's own code, if there is a php. It is safe for concurrent use.
type Cache struct {
	config *config.Config
	php    string // path of php, "" if there is none
	tenant bool   // a tenant of an array, which PHP must choose; otherwise config.php's own site
	log    zerolog.Logger

	once    sync.Once
	builtin *builtin
	err     error
}

var (
	_ rotate.Cache          = (*Cache)(nil)
	_ rotate.CacheDescriber = (*Cache)(nil)
)

// New gives the cache of a tenant of master's array, or of master itself, if both are the same. php
// is the path of php; with "" it is searched for.
func New(master, tenant *config.Config, php string, log zerolog.Logger) *Cache {
	return &Cache{config: tenant, php: cmp.Or(php, phprun.Find(tenant.PathToPHP)), tenant: tenant != master, log: log}
}

// Check implements rotate.Cache.
func (c *Cache) Check(ctx context.Context, site string) error {
	own, err := c.open(site)
	if err == nil {
		_, err = own.check(ctx)
	}
	moodles, rest := split(err)
	if moodles == nil || c.php == "" {
		return outOfReach(err)
	}
	c.log.Debug().Err(moodles).Msg("left to php")
	_, err = c.moodle().check(ctx)
	return outOfReach(errors.Join(err, rest))
}

// Drop implements rotate.Cache.
func (c *Cache) Drop(ctx context.Context, site string, scope rotate.Scope) error {
	own, err := c.open(site)
	if err == nil {
		_, err = own.drop(ctx, min(scope, rotate.ScopeDefinition))
	}
	moodles, rest := split(err)
	if c.php == "" || moodles == nil && scope < rotate.ScopePHP {
		return outOfReach(err)
	}
	if scope >= rotate.ScopePHP && !errors.As(rest, new(*PermissionError)) {
		rest = nil // Moodle reaches every shared store, but no file that this user may not change
	}
	phpErr := c.moodle().drop(ctx)
	c.log.Debug().AnErr("error", phpErr).Msg("cache dropped by php")
	if failed := (*PHPError)(nil); errors.As(phpErr, &failed) {
		rest = err
	}
	return outOfReach(errors.Join(phpErr, rest)) // the hint comes from the first one
}

// moodle is the site that php loads.
func (c *Cache) moodle() phpSite {
	return phpSite{PHP: c.php, ConfigFile: c.config.File, Wwwroot: c.config.Wwwroot, Tenant: c.tenant, Request: config.Request(c.config.Wwwroot),
		Dataroot: c.config.Dataroot, Dirroot: c.config.Dirroot, Shared: c.config.Shared, Environ: os.Environ()}
}

// Cached implements rotate.Cache.
func (c *Cache) Cached(ctx context.Context, site string, withPHP bool) ([]rotate.Retired, error) {
	own, err := c.open(site)
	var stores []cachedSettings
	if err == nil {
		stores = own.cached(ctx)
	}
	if withPHP && c.php != "" {
		byPHP, phpErr := c.moodle().cached(ctx)
		stores = merge(stores, byPHP)
		if phpErr == nil {
			err = nil // Moodle knows its stores, even if this package cannot read the configuration
		} else {
			c.log.Debug().Err(phpErr).Msg("cache not read by php")
			err = errors.Join(err, phpErr)
		}
		if own != nil && !unread(stores) {
			err = nil // one of the two ways read all stores
		}
	}
	pairs, unreadable := pairsIn(stores)
	return pairs, errors.Join(err, unreadable)
}

func unread(stores []cachedSettings) bool {
	return slices.ContainsFunc(stores, func(s cachedSettings) bool { return s.Err != nil })
}

// pairsIn gives the usable key pairs of the stores, each once. The error names the stores that
// could not be read: those in memory only if no other is among them, which another user or php could
// read.
func pairsIn(stores []cachedSettings) ([]rotate.Retired, error) {
	var pairs []rotate.Retired
	var errs []error
	for _, s := range stores {
		held, err := moodledb.PairsIn(s.Settings)
		if err != nil {
			err = &UnreadableError{Store: s.Store, Err: errors.New(err.Error())} // without the hint, which is about a history in the database
		}
		if err = cmp.Or(s.Err, err); err != nil {
			errs = append(errs, err)
		}
		for _, pair := range held {
			if _, err := envelope.ParseKeyPair(pair.Certificate, pair.PrivateKey); err == nil && !slices.Contains(pairs, pair) {
				pairs = append(pairs, pair)
			}
		}
	}
	inMemory := func(err error) bool { return errors.Is(err, rotate.ErrCacheInMemory) }
	if others := slices.DeleteFunc(slices.Clone(errs), inMemory); len(others) > 0 {
		errs = others
	}
	return pairs, errors.Join(errs...)
}

func (c *Cache) open(site string) (*builtin, error) {
	c.once.Do(func() {
		c.builtin, c.err = open(location{
			Dataroot: c.config.Dataroot, CacheDir: c.config.CacheDir,
			AltCacheConfigPath: c.config.AltCacheConfigPath, SiteIdentifier: site,
			Factory: c.config.CacheFactory, ForcedCache: c.config.ForcedCache, ForcedCachePath: c.config.ForcedCachePath,
		}, options{Log: c.log})
	})
	return c.builtin, c.err
}
