package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/internal/output"
	"renew_mnetkeys/moodledb"
	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/moodledb/muc"
	"renew_mnetkeys/moodledb/phprun"
	"renew_mnetkeys/rotate"
)

// tenantCache lets rotate drop a tenant's cached configuration.
type tenantCache struct {
	config *config.Config
	php    string // path of php, "" when there is none
	tenant bool   // of an array, for PHP to choose; else it is config.php's own site
	log    output.Logger

	once  sync.Once
	cache *muc.Cache
	err   error
}

var (
	_ rotate.Cache          = (*tenantCache)(nil)
	_ rotate.CacheDescriber = (*tenantCache)(nil)
)

func newCache(master, tenant *config.Config, php string, log output.Logger) *tenantCache {
	return &tenantCache{config: tenant, php: cmp.Or(php, phprun.Find(tenant.PathToPHP)), tenant: tenant != master, log: log}
}

// Check implements rotate.Cache.
func (c *tenantCache) Check(ctx context.Context, site string) error {
	cache, err := c.open(site)
	if err == nil {
		_, err = cache.Check(ctx)
	}
	moodles, rest := split(err)
	if moodles == nil || c.php == "" {
		return byHand(err)
	}
	c.log.Debug().Err(moodles).Msg("left to php")
	_, err = muc.CheckByPHP(ctx, c.moodle())
	return byHand(errors.Join(err, rest))
}

// Drop implements rotate.Cache.
func (c *tenantCache) Drop(ctx context.Context, site string, width rotate.Width) error {
	cache, err := c.open(site)
	if err == nil {
		_, err = cache.Drop(ctx, min(width, rotate.WidthDefinition))
	}
	moodles, rest := split(err)
	if c.php == "" || moodles == nil && width < rotate.WidthPHP {
		return byHand(err)
	}
	if width >= rotate.WidthPHP {
		rest = nil // Moodle reaches every shared store
	}
	phpErr := muc.DropByPHP(ctx, c.moodle())
	if phpErr != nil {
		c.log.Debug().Err(phpErr).Msg("cache not dropped by php")
	}
	if failed := (*muc.PHPError)(nil); errors.As(phpErr, &failed) {
		rest = err
	}
	return byHand(errors.Join(phpErr, rest)) // the first one is what the hint is of
}

// moodle is what php loads.
func (c *tenantCache) moodle() muc.Site {
	return muc.Site{PHP: c.php, ConfigFile: c.config.File, Wwwroot: c.config.Wwwroot, Tenant: c.tenant, Request: config.Request(c.config.Wwwroot),
		Dataroot: c.config.Dataroot, Dirroot: c.config.Dirroot, Environ: os.Environ()}
}

// Cached implements rotate.Cache.
func (c *tenantCache) Cached(ctx context.Context, site string, withPHP bool) ([]rotate.Stored, error) {
	cache, err := c.open(site)
	var stores []muc.Cached
	if err == nil {
		stores = cache.Cached(ctx)
	}
	if withPHP && c.php != "" {
		byPHP, phpErr := muc.CachedByPHP(ctx, c.moodle())
		stores = muc.Merge(stores, byPHP)
		if phpErr == nil {
			err = nil // Moodle knows its stores, whatever its configuration looks like to us
		} else {
			c.log.Debug().Err(phpErr).Msg("cache not read by php")
			err = errors.Join(err, phpErr)
		}
		if cache != nil && !unread(stores) {
			err = nil // all was read, by the one or the other
		}
	}
	pairs, unreadable := pairsIn(stores)
	return pairs, errors.Join(err, unreadable)
}

func unread(stores []muc.Cached) bool {
	return slices.ContainsFunc(stores, func(s muc.Cached) bool { return s.Err != nil })
}

// pairsIn gives the key pairs that the stores hold, each once: those that can be used. The error names the stores of which nobody knows.
func pairsIn(stores []muc.Cached) ([]rotate.Stored, error) {
	var pairs []rotate.Stored
	var errs []error
	for _, s := range stores {
		held, err := moodledb.PairsIn(s.Settings)
		if err != nil {
			err = &muc.UnreadableError{Store: s.Store, Err: errors.New(err.Error())} // what to do about a history in the database is no advice here
		}
		errs = append(errs, s.Err, err)
		for _, pair := range held {
			if _, err := envelope.ParseKeyPair(pair.Certificate, pair.PrivateKey); err == nil && !slices.Contains(pairs, pair) {
				pairs = append(pairs, pair)
			}
		}
	}
	return pairs, errors.Join(errs...)
}

func (c *tenantCache) open(site string) (*muc.Cache, error) {
	c.once.Do(func() {
		c.cache, c.err = muc.Open(muc.Location{
			Dataroot: c.config.Dataroot, CacheDir: c.config.CacheDir,
			AltCacheConfigPath: c.config.AltCacheConfigPath, SiteIdentifier: site,
			Factory: c.config.CacheFactory, ForcedCache: c.config.ForcedCache, ForcedCachePath: c.config.ForcedCachePath,
		}, muc.Options{Log: c.log})
	})
	return c.cache, c.err
}

// split parts what only Moodle's own code can do from what we failed at.
func split(err error) (moodles, rest error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			a, b := split(e)
			moodles, rest = errors.Join(moodles, a), errors.Join(rest, b)
		}
		return moodles, rest
	}
	var manual *muc.ManualError
	if isUnknown(err) || errors.As(err, &manual) && manual.OfMoodle() {
		return err, nil
	}
	return nil, err
}

// isUnknown says that it is not known here which stores there are.
func isUnknown(err error) bool {
	var config *muc.ConfigError
	var factory *muc.FactoryError
	return errors.As(err, &config) || errors.As(err, &factory)
}

// byHand marks an error that says no more than that stores are out of our reach.
func byHand(err error) error {
	if err == nil || !onlyManual(err) {
		return err
	}
	return fmt.Errorf("%w: %w", rotate.ErrCacheByHand, err)
}

func onlyManual(err error) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return !slices.ContainsFunc(joined.Unwrap(), func(e error) bool { return !onlyManual(e) })
	}
	var manual *muc.ManualError
	var php *muc.PHPError
	return errors.As(err, &manual) || errors.As(err, &php) || isUnknown(err)
}
