// Package muc drops Moodle's cached configuration (cache definition core/config) from every store that serves it, so that the web side reads a
// new MNet key from the database. It mirrors which stores cache/classes/config.php (cache_config) picks and what cachestore_file and
// cachestore_redis name an entry. It never writes an entry: one that is gone is refilled by the next request. It reads only that of plugin mnet, which holds
// the key pair, since the cached one may be the only copy of a key.
//
// What lives in the memory of a web server (APCu) or in a store this package does not know is an error with advice, never a silent success. Moodle itself, run
// by php, clears and reads what only it knows.
package muc

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"

	"renew_mnetkeys/moodledb/phpsource"
	"renew_mnetkeys/rotate"
)

// Location says where a tenant keeps its cache. Its fields are those of $CFG in config.php, except SiteIdentifier.
type Location struct {
	Dataroot           string // absolute
	CacheDir           string // $CFG->cachedir, "" means dataroot/cache
	AltCacheConfigPath string // $CFG->altcacheconfigpath, "" when not set
	SiteIdentifier     string // siteidentifier of table config, "" when there is none

	Factory         string          // $CFG->alternative_cache_factory_class, "" when not set
	ForcedCache     phpsource.Value // $CFG->tool_forcedcache_config_array
	ForcedCachePath string          // $CFG->tool_forcedcache_config_path, "" when not set
}

// Options are what a Cache needs besides its place. The zero value is usable.
type Options struct {
	DialTimeout time.Duration // to connect to Redis, and for each of its answers; 0 means 3 s, which is Moodle's own
	Log         zerolog.Logger
}

// Cache is the place of one tenant's cached configuration. It holds no connection and is safe for concurrent use.
// It prints without the stores' passwords under every fmt verb.
type Cache struct {
	file   string   // the configuration file the stores come from
	stores []store  // lowest first
	mnet   []string // names that the entry of plugin mnet may have
	wider  string   // why single entries cannot be named, "" when they can
	log    zerolog.Logger
}

// store is one cache store instance that may serve core/config.
type store interface {
	describe() StoreReport                                                 // name, plugin and place
	drop(ctx context.Context, width rotate.Width) (removed int, err error) // idempotent: what is not there is no error
	check(ctx context.Context) error                                       // whether drop would be let, without changing anything
	read(ctx context.Context, names []string) ([][]byte, error)            // the entries that are there, as they are stored
}

// Open reads muc/config.php, or what another cache factory goes by, and settles which stores serve core/config; without that file it is Moodle's default file
// store. The error is a *MissingDirectoryError for the dataroot, a *PermissionError, or a *ConfigError or *FactoryError: what only Moodle itself knows.
func Open(where Location, options Options) (*Cache, error) {
	if err := where.base("").check(); err != nil {
		return nil, err
	}
	where.CacheDir = cmp.Or(where.CacheDir, filepath.Join(where.Dataroot, "cache"))
	options.DialTimeout = cmp.Or(options.DialTimeout, 3*time.Second)
	conf, file, err := where.configuration()
	if err != nil {
		return nil, err
	}
	c := &Cache{file: file, log: options.Log}
	names, err := conf.entryNames(where.SiteIdentifier)
	if err != nil {
		c.wider = err.Error()
	}
	c.mnet, _ = conf.namesOf(where.SiteIdentifier, "mnet") // the error is the same
	for _, i := range conf.instances {
		c.stores = append(c.stores, i.open(where, options, file, names))
	}
	return c, nil
}

// open is where plugins become stores of this package.
func (i instance) open(where Location, options Options, file string, names []string) store {
	switch i.plugin {
	case "file":
		return newFileStore(i, where, names)
	case "redis":
		return newRedisStore(i, options.DialTimeout, file, names)
	}
	return manualStore{i}
}

// Drop removes the cached configuration from all stores, the lowest first: a miss in a higher store is refilled from the one below.
// A store that fails does not keep the others from being tried. The error joins those of the stores; it is nil when all are clear,
// whether there was something to remove or not.
func (c *Cache) Drop(ctx context.Context, width rotate.Width) (Report, error) {
	r := Report{Width: width}
	for _, s := range c.stores {
		d := s.describe()
		d.Width = width
		if width == rotate.WidthEntry && c.wider != "" {
			d.Width, d.Why = rotate.WidthDefinition, c.wider
		}
		if d.Err = ctx.Err(); d.Err == nil {
			d.Removed, d.Err = s.drop(ctx, d.Width)
		}
		c.log.Debug().Str("store", d.Store).Str("plugin", d.Plugin).Str("place", d.Place).Stringer("width", d.Width).
			Int("removed", d.Removed).AnErr("error", d.Err).Msg("cached configuration dropped")
		r.Stores = append(r.Stores, d)
	}
	return r, r.err()
}

// Check tells what would keep Drop from working, and changes nothing. Report and error are those of Drop with nothing removed.
func (c *Cache) Check(ctx context.Context) (Report, error) {
	var r Report
	for _, s := range c.stores {
		d := s.describe()
		if d.Err = ctx.Err(); d.Err == nil {
			d.Err = s.check(ctx)
		}
		r.Stores = append(r.Stores, d)
	}
	return r, r.err()
}

// Format shows where the stores come from and how many there are, never a password.
func (c Cache) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "cache with %d stores of %s", len(c.stores), c.file)
}

// MarshalJSON writes what Format prints.
func (c Cache) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(c)) }
