package config

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"renew_mnetkeys/moodledb/phpsource"
)

// Config is the configuration of one tenant: what config.php assigns to $CFG, overridden by
// VMoodle's values of the tenant. It prints without its passwords under every fmt verb and in JSON.
type Config struct {
	File    string // config.php, absolute
	DBType  string // mysqli, mariadb, auroramysql or pgsql
	DBHost  string // as written; Endpoint says where the server is
	DBName  string
	DBUser  string
	DBPass  string
	Prefix  string // validated: letters, digits, underscore; safe to splice into SQL
	Wwwroot string // as the tenant's local host row in mnet_host has it, no trailing slash

	DBPort         int           // dboptions dbport, 0 when not set
	DBSocket       string        // dboptions dbsocket: a path, or anything else for the usual socket; "" when not set
	DBSchema       string        // dboptions dbschema, a search_path of PostgreSQL; "" when not set
	SSL            string        // dboptions ssl: "" when not set; disable; prefer; require: TLS, server not verified; verify-full
	ConnectTimeout time.Duration // dboptions connecttimeout (seconds there), 0 when not set

	Dataroot, Dirroot  string
	CacheDir           string // $CFG->cachedir, else dataroot/cache
	AltCacheConfigPath string // $CFG->altcacheconfigpath, "" when not set
	CacheFactory       string // $CFG->alternative_cache_factory_class, "" when not set
	ForcedCachePath    string // $CFG->tool_forcedcache_config_path, "" when not set
	PathToPHP          string // $CFG->pathtophp, "" when not in config.php

	// Forced are the settings that config.php sets instead of the tables: by their names, with the
	// password of the proxy, and from forced_plugin_settings those of mnet and local_vmoodle as
	// mnet/name. One that is set to nothing is "".
	Forced map[string]string

	// ForcedCache is $CFG->tool_forcedcache_config_array. It may contain passwords of cache
	// servers, which a Value does not print.
	ForcedCache phpsource.Value

	Register *Register // nil if the site is no VMoodle array

	Shared bool // see Options

	defaultSocket string     // of Options
	source        databaseOf // of the settings of the database

	options   Options // needed to read config.php again for a tenant: what derives from dataroot follows the tenant's
	ofRequest bool    // Wwwroot may depend on the request given by --host, whose host can be a tenant of the register
}

// Options are what the command line and the environment say about reading config.php.
type Options struct {
	Overrides map[string]string             // --cfg name=value: overrides config.php's $CFG->name, but not what derives from it there; dboptions as dboptions.dbport
	PHP       string                        // path of php, which evaluates a config.php that computes
	FindPHP   func(pathtophp string) string // finds php if PHP is empty, given the likely value of $CFG->pathtophp; nil or "": a config.php that computes is an error
	// DefaultSocket gives php's mysqli.default_socket for a site whose database is on localhost, and
	// whose dboptions name no socket; "": not known. nil: it is not asked for.
	DefaultSocket func(ctx context.Context, site *Config) string

	Environ []string // what getenv() and php see; the tool's own MNETKEYS_ variables are left out; nil: the environment of this process
	Wwwroot string   // --host: also describes the web request
	Shared  bool     // it is one of the sites of several users: root trusts none with the files of another, see siteuser.CheckShared
}

// WwwrootOfRequest says that Wwwroot may come from the request that Options.Wwwroot describes, and
// not from config.php itself.
func (c *Config) WwwrootOfRequest() bool { return c.ofRequest }

// Format shows which tenant and database, never a password.
func (c Config) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "config %s of %s (database %s, prefix %s)", c.File, c.Wwwroot, c.DBName, c.Prefix)
}

// MarshalJSON writes what Format prints.
func (c Config) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(c)) }

// Format prints nothing: overrides may contain passwords.
func (o Options) Format(f fmt.State, _ rune) { fmt.Fprint(f, "read options") }

// MarshalJSON writes what Format prints.
func (o Options) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(o)) }
