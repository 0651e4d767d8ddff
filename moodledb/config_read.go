package moodledb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"renew_mnetkeys/moodledb/phpsource"
	"renew_mnetkeys/moodledb/siteuser"
)

// ReadConfig reads config.php and what it includes, VMoodle's vconfig.php too, up to lib/setup.php. Nothing is executed, unless a needed value is not
// literal and o.PHP names a php. The result is the configuration of config.php's own site; [Config.Tenant] gives that of another tenant.
// Errors are a *ConfigError or an *UnsupportedDBError.
func ReadConfig(ctx context.Context, path string, o ReadOptions) (*Config, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, &ConfigError{File: path, Problem: err.Error(), Err: err}
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	return readConfig(ctx, absolute, o, nil)
}

// readConfig reads config.php as a tenant sees it: the values of the array's register stand where VMoodle puts them. nil reads it for its own site.
func readConfig(ctx context.Context, path string, o ReadOptions, tenant map[string]string) (*Config, error) {
	s, err := readSource(path, o, tenant)
	var c *Config
	if err == nil {
		c, err = s.config(o)
	}
	var unclear *ConfigError
	if !errors.As(err, &unclear) || !unclear.evaluable {
		return c, err
	}
	if o.PHP == "" {
		unclear.Hint += ", or run where there is a php to evaluate it"
		return nil, unclear
	}
	evaluated, failed := evaluate(ctx, path, o, tenant, s)
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("evaluate %s by php: %w", path, ctx.Err())
	case failed != nil:
		unclear.Hint += "; php cannot evaluate it: " + failed.Error()
		return nil, unclear
	}
	return evaluated.config(o)
}

// usedSettings are the names of $CFG that are read.
func usedSettings() []string {
	return []string{
		"dbtype", "dbhost", "dbname", "dbuser", "dbpass", "prefix", "wwwroot", "dataroot", "dirroot", "cachedir", "altcacheconfigpath",
		"noreplyaddress", "mnetkeylifetime", "dboptions",
		"vmasterdbtype", "vmasterdbhost", "vmasterdbname", "vmasterdblogin", "vmasterdbpass", "vmasterprefix", "vchildsdblogin", "vchildsdbpass",
		"alternative_cache_factory_class", "tool_forcedcache_config_path",
	}
}

// check finds a --cfg that would do nothing.
func (o ReadOptions) check() error {
	known := map[string]bool{}
	for _, name := range usedSettings() {
		known[name] = name != "dboptions"
	}
	for _, name := range []string{"dbport", "dbsocket", "ssl", "connecttimeout"} {
		known["dboptions."+name] = true
	}
	for name := range o.Overrides {
		if !known[name] {
			return &ConfigError{Setting: name, Problem: "is no setting that is read, --cfg has no use for it",
				Hint: "known are " + strings.Join(usedSettings()[:13], ", ") + ", dboptions.dbport, dboptions.dbsocket, dboptions.ssl, dboptions.connecttimeout, and vconfig.php's"}
		}
	}
	return nil
}

// settings are what a reading of config.php gave.
type settings struct {
	file   string
	dir    string            // the code's directory as lib/setup.php tells it
	cfg    phpsource.Value   // $CFG
	places phpsource.Value   // $CFG with the lines of the source, where cfg comes from php
	unread []phpsource.Value // includes that could not be followed
	fixed  map[string]string // what the command line sets
}

// readSource reads config.php by our own reader. tenant, where not nil, is put over $CFG where VMoodle does it: behind bootlib.php and vconfig.php,
// so that what config.php derives afterwards, a cachedir below dataroot, is the tenant's, and what it assigns afterwards wins.
func readSource(path string, o ReadOptions, tenant map[string]string) (*settings, error) {
	source, err := siteuser.User{}.ReadFile(path, phpsource.MaxSize) // it was named by whoever runs us
	if err != nil {
		return nil, unreadable(path, err)
	}
	reader := siteuser.Reader(path)
	s := &settings{file: path, dir: filepath.Dir(real(path)), fixed: map[string]string{}}
	for name, text := range o.Overrides {
		if _, ofTenant := tenant[name]; !ofTenant {
			s.fixed[name] = text
		}
	}
	switched := false
	over := func(a *phpsource.Assignments) {
		for name, text := range tenant {
			a.Set(phpsource.StringValue(text), "CFG", name)
		}
		switched = true
	}
	a, err := phpsource.Parse(real(path), source, phpsource.Env{
		// As a script of VMoodle reads it at its second pass: with a tenant chosen, and without $CLI_VMOODLE_PRECHECK.
		Constants: map[string]string{"CLI_SCRIPT": "1", "CLI_VMOODLE_OVERRIDE": tenant["wwwroot"]},
		Getenv:    o.Getenv,
		Exists:    func(file string) bool { _, err := os.Stat(file); return err == nil },
		Read: func(file string) ([]byte, error) {
			if isBootlib(file) {
				return nil, nil // functions, whose effect is what tenant is
			}
			return reader.ReadFile(file, phpsource.MaxSize)
		},
		Real: real,
		Stop: func(file string) bool {
			if !strings.HasSuffix(file, "/lib/setup.php") {
				return false
			}
			s.dir = filepath.Dir(filepath.Dir(file))
			return true
		},
		After: func(file string, a *phpsource.Assignments) string {
			if !isBootlib(file) && !strings.HasSuffix(file, "/local/vmoodle/vconfig.php") {
				return ""
			}
			over(a)
			return defaults(a.Variable("CFG"), tenant != nil)
		},
		Fixed: s.fixed,
	})
	if err != nil {
		return s, sourceError(err)
	}
	if !switched {
		over(a)
	}
	s.cfg, s.unread = a.Variable("CFG"), a.Unread()
	s.places = s.cfg
	return s, nil
}

// real is the path without symbolic links, as PHP's `__FILE__` has it, or the path itself where nothing is there.
func real(path string) string {
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		return resolved
	}
	return path
}

func isBootlib(file string) bool { return strings.HasSuffix(file, "/local/vmoodle/bootlib.php") }

// defaults is the file that VMoodle includes last (bootlib.php, vmoodle_boot_configuration), "" when there is none.
func defaults(cfg phpsource.Value, tenant bool) string {
	name := cfg.Get("vmoodlehardmasterdefaults").Text()
	if tenant {
		name = cfg.Get("vmoodlehardchildsdefaults").Text()
	}
	if name == "" {
		return ""
	}
	if exclude := cfg.Get("vmoodlehardchildsdefaultsexclude").Text(); tenant && exclude != "" {
		if excluded, err := regexp.MatchString(exclude, cfg.Get("wwwroot").Text()); excluded || err != nil {
			return ""
		}
	}
	return filepath.Join(cfg.Get("dirroot").Text(), "local", "defaults_"+name+".php")
}

// sourceError is a file that is no PHP to our reader; to php itself it may be.
func sourceError(err error) error {
	var syntax *phpsource.SyntaxError
	if !errors.As(err, &syntax) {
		return err
	}
	return &ConfigError{File: syntax.File, Line: syntax.Line, Problem: syntax.Problem, Hint: "check it with php -l", Err: err, evaluable: true}
}
