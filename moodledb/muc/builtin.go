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

// location says where a tenant keeps its cache. Its fields are those of $CFG in config.php, except
// SiteIdentifier.
type location struct {
	Dataroot           string // absolute
	CacheDir           string // $CFG->cachedir, "" means dataroot/cache
	AltCacheConfigPath string // $CFG->altcacheconfigpath, "" when not set
	SiteIdentifier     string // siteidentifier of table config, "" if there is none

	Factory         string          // $CFG->alternative_cache_factory_class, "" when not set
	ForcedCache     phpsource.Value // $CFG->tool_forcedcache_config_array
	ForcedCachePath string          // $CFG->tool_forcedcache_config_path, "" when not set
}

// options are what a builtin needs besides its location. The zero value is usable.
type options struct {
	DialTimeout time.Duration // to connect to Redis, and for each of its answers; 0 means 3 s, Moodle's own default
	Log         zerolog.Logger
}

// builtin reaches the stores of one tenant's cached configuration itself, without Moodle. It keeps
// no connection and is safe for concurrent use. It prints without the stores' passwords under every
// fmt verb.
type builtin struct {
	file   string   // the configuration file that names the stores
	stores []store  // lowest first
	mnet   []string // names that the entry of plugin mnet may have
	wider  string   // why single entries cannot be named, "" if they can
	log    zerolog.Logger
}

// open reads muc/config.php, or the configuration of another cache factory, and determines which
// stores serve core/config; without that file it is Moodle's default file store. The error is a
// *MissingDirectoryError for the dataroot, a *PermissionError, or a *ConfigError or *FactoryError
// for what only Moodle itself knows.
func open(where location, options options) (*builtin, error) {
	if err := where.base("").check(); err != nil {
		return nil, err
	}
	where.CacheDir = cmp.Or(where.CacheDir, filepath.Join(where.Dataroot, "cache"))
	options.DialTimeout = cmp.Or(options.DialTimeout, 3*time.Second)
	conf, file, err := where.configuration()
	if err != nil {
		return nil, err
	}
	c := &builtin{file: file, log: options.Log}
	names, err := conf.entryNames(where.SiteIdentifier)
	if err != nil {
		c.wider = err.Error()
	}
	c.mnet, _ = conf.namesOf(where.SiteIdentifier, "mnet") // the error is the same
	env := environment{location: where, file: file, names: names, timeout: options.DialTimeout}
	for _, i := range conf.instances {
		c.stores = append(c.stores, i.open(env))
	}
	return c, nil
}

// drop removes the cached configuration from all stores, the lowest first: a miss in a higher store
// is refilled from the one below. If a store fails, the others are still tried. The error joins
// those of the stores; it is nil if all are clear, whether or not there was something to remove.
func (c *builtin) drop(ctx context.Context, scope rotate.Scope) (result, error) {
	r := result{Scope: scope}
	for _, s := range c.stores {
		d := s.describe()
		d.Scope = scope
		if scope == rotate.ScopeEntry && c.wider != "" {
			d.Scope, d.Why = rotate.ScopeDefinition, c.wider
		}
		if d.Err = ctx.Err(); d.Err == nil {
			d.Removed, d.Err = s.drop(ctx, d.Scope)
		}
		c.log.Debug().Str("store", d.Store).Str("plugin", d.Plugin).Str("place", d.Place).Stringer("scope", d.Scope).
			Int("removed", d.Removed).AnErr("error", d.Err).Msg("cached configuration dropped")
		r.Stores = append(r.Stores, d)
	}
	return r, r.err()
}

// check finds what would keep drop from working, and changes nothing. Report and error are those of
// drop with nothing removed.
func (c *builtin) check(ctx context.Context) (result, error) {
	var r result
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
func (c builtin) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "cache with %d stores of %s", len(c.stores), c.file)
}

// MarshalJSON writes what Format prints.
func (c builtin) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(c)) }
