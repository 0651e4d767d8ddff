package config

import (
	"encoding/json"
	"fmt"
	"time"

	"renew_mnetkeys/moodledb/phpsource"
)

// Config is the configuration of one tenant: what config.php assigns to $CFG, with VMoodle's values
// of the tenant over it. It prints without its passwords under every fmt verb and in JSON.
type Config struct {
	File    string // config.php, absolute
	DBType  string // mysqli, mariadb or auroramysql
	DBHost  string // as written; Endpoint says where that is
	DBName  string
	DBUser  string
	DBPass  string
	Prefix  string // validated: letters, digits, underscore; may be spliced into SQL
	Wwwroot string // as the tenant's own mnet_host row has it, no trailing slash

	DBPort         int           // dboptions dbport, 0 when not set
	DBSocket       string        // dboptions dbsocket when it is a path, else ""
	SSL            string        // dboptions ssl: "" no TLS; prefer; require: TLS, server not verified; verify-full
	ConnectTimeout time.Duration // dboptions connecttimeout (seconds there), 0 when not set

	Dataroot, Dirroot  string
	CacheDir           string // $CFG->cachedir, else dataroot/cache
	AltCacheConfigPath string // $CFG->altcacheconfigpath, "" when not set
	CacheFactory       string // $CFG->alternative_cache_factory_class, "" when not set
	ForcedCachePath    string // $CFG->tool_forcedcache_config_path, "" when not set
	NoReplyAddress     string // "" when not in config.php
	KeyLifetimeDays    int    // $CFG->mnetkeylifetime, 0 when not in config.php
	PathToPHP          string // $CFG->pathtophp, "" when not in config.php

	// Forced are the settings that config.php says in place of the tables: mnet_dispatcher_mode,
	// and of forced_plugin_settings those of mnet and local_vmoodle as mnet/name.
	Forced map[string]string

	// ForcedCache is $CFG->tool_forcedcache_config_array. It may hold passwords of cache servers,
	// which a Value does not print.
	ForcedCache phpsource.Value

	Register *Register // nil when the site is no VMoodle array

	options   Options // to read config.php again for a tenant: what derives from dataroot follows the tenant's
	ofRequest bool    // Wwwroot may be that of the request that --host stands for, whose host can be a tenant of the register
}

// Options are what the command line and the environment say about reading config.php.
type Options struct {
	Overrides map[string]string             // --cfg name=value: in place of config.php's $CFG->name, but not of what derives from it there; dboptions as dboptions.dbport
	PHP       string                        // path of php, which evaluates a config.php that computes
	FindPHP   func(pathtophp string) string // finds php where PHP is empty, given what $CFG->pathtophp seems to be; nil or "": a config.php that computes is an error
	Environ   []string                      // what getenv() and php see; our own MNETKEYS_ variables are left out; nil: the environment of this process
	Wwwroot   string                        // --host: stands for the web request, too
}

// WwwrootOfRequest says that Wwwroot may be that of the request which Options.Wwwroot stands for,
// and not config.php's own.
func (c *Config) WwwrootOfRequest() bool { return c.ofRequest }

// Format shows which tenant and database, never a password.
func (c Config) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "config %s of %s (database %s, prefix %s)", c.File, c.Wwwroot, c.DBName, c.Prefix)
}

// MarshalJSON writes what Format prints.
func (c Config) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(c)) }

// Format shows nothing: overrides may hold passwords.
func (o Options) Format(f fmt.State, _ rune) { fmt.Fprint(f, "read options") }

// MarshalJSON writes what Format prints.
func (o Options) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(o)) }
