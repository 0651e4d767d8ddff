package config

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"renew_mnetkeys/moodledb/phpsource"
	"renew_mnetkeys/moodledb/siteuser"
)

// Read reads config.php and what it includes, VMoodle's vconfig.php too, up to lib/setup.php.
// Nothing is executed, unless one of the files uses something outside the language of [phpsource]:
// then php evaluates it. The result is the configuration of config.php's own site;
// [Config.ForTenant] gives that of another tenant. Errors are an *Error or an *UnsupportedDBError.
func Read(ctx context.Context, path string, o Options) (*Config, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, &Error{File: path, Problem: err.Error(), Err: err}
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	return readFor(ctx, absolute, o, nil)
}

// readFor reads config.php as a tenant sees it: the values of the array's register replace those of
// config.php where VMoodle does so. With nil it reads the file for its own site.
func readFor(ctx context.Context, path string, o Options, tenant map[string]string) (*Config, error) {
	s, err := readSource(path, o, tenant)
	if err == nil {
		err = s.numbers()
	}
	dataroot := ""
	if err == nil {
		dataroot = cmp.Or(tenant["dataroot"], o.Overrides["dataroot"], s.value("dataroot").Text())
		err = s.rights(dataroot)
	}
	var computed *phpsource.ComputedError
	if errors.As(err, &computed) {
		s, err = evaluate(ctx, path, o, tenant, computed, dataroot)
	}
	if err != nil {
		return nil, err
	}
	for name, text := range o.Overrides {
		if _, ofTenant := tenant[name]; !ofTenant {
			s.fixed[name] = text
		}
	}
	c, err := s.config(o)
	if err == nil {
		c.askForSocket(ctx)
	}
	return c, err
}

// usedSettings are the names of $CFG that are read.
func usedSettings() []string {
	return []string{
		"dbtype", "dbhost", "dbname", "dbuser", "dbpass", "prefix", "wwwroot", "dataroot", "dirroot", "cachedir", "altcacheconfigpath",
		"noreplyaddress", "mnetkeylifetime", "mnet_dispatcher_mode", "forced_plugin_settings", "pathtophp", "dboptions",
		"vmasterdbtype", "vmasterdbhost", "vmasterdbname", "vmasterdblogin", "vmasterdbpass", "vmasterprefix", "vchildsdblogin", "vchildsdbpass",
		"alternative_cache_factory_class", "tool_forcedcache_config_path",
	}
}

// usedOptions are the elements of dboptions that are read.
func usedOptions() []string {
	return []string{"dbport", "dbsocket", "dbschema", "ssl", "connecttimeout"}
}

// check finds a --cfg that would have no effect.
func (o Options) check() error {
	known := map[string]bool{}
	for _, name := range usedSettings() {
		known[name] = name != "dboptions"
	}
	options := []string{}
	for _, name := range usedOptions() {
		known["dboptions."+name] = true
		options = append(options, "dboptions."+name)
	}
	for name, text := range o.Overrides {
		if !known[name] {
			return &Error{Setting: name, Problem: "is not read, so --cfg cannot override it",
				Advice: "known are " + strings.Join(append(usedSettings()[:16], "alternative_cache_factory_class", "tool_forcedcache_config_path"), ", ") + ", " + strings.Join(options, ", ") + ", and vconfig.php's"}
		}
		if name == "forced_plugin_settings" && text != "" {
			return &Error{Setting: name, Problem: "can only be overridden by nothing: --cfg forced_plugin_settings="}
		}
	}
	return nil
}

// environment looks a variable up in the environment that php would inherit. A variable that is set
// and empty exists.
func (o Options) environment(name string) (string, bool) {
	if o.Environ == nil {
		if strings.HasPrefix(name, "MNETKEYS_") {
			return "", false
		}
		return os.LookupEnv(name)
	}
	for _, entry := range o.Environ {
		if key, value, _ := strings.Cut(entry, "="); key == name && !strings.HasPrefix(name, "MNETKEYS_") {
			return value, true
		}
	}
	return "", false
}

// settings are the result of reading a config.php.
type settings struct {
	file      string
	dir       string                 // the code's directory as lib/setup.php shows it
	cfg       phpsource.Value        // $CFG
	fixed     map[string]string      // what the command line sets
	ofRequest bool                   // what was read may depend on the web request that --host describes
	host      string                 // the site that --host names, if ofRequest
	looked    map[string]fs.FileMode // for our own reader: the files it used, and what for
	evaluated bool                   // for php: lines are those of its answer
	unknown   *Error                 // why nothing of the file is known; then only settings of the command line are
}

// numbers finds a setting that is a number whose string form only PHP knows.
func (s *settings) numbers() error {
	names := append(usedSettings(), Forcible()...)
	for _, name := range usedOptions() {
		names = append(names, "dboptions."+name)
	}
	for _, name := range names {
		if v := s.value(name); v.Kind() == phpsource.Number {
			return &phpsource.ComputedError{Position: v.At(), Problem: "sets $CFG->" + name + " to a number that is not known here"}
		}
	}
	return nil
}

// rights finds a file that the web server's user may see differently from root.
func (s *settings) rights(dataroot string) error {
	web, found := siteuser.Web(dataroot)
	for file, right := range s.looked {
		if found && !web.May(file, right) {
			return &phpsource.ComputedError{Position: phpsource.Position{File: s.file}, Problem: "looks at a file that the owner of dataroot may not reach"}
		}
	}
	return nil
}

// guard is the constant by which included files see that Moodle includes them. lib/setup.php
// defines it, so config.php runs before it exists.
const guard = "MOODLE_INTERNAL"

// readSource reads config.php by our own reader.
func readSource(path string, o Options, tenant map[string]string) (*settings, error) {
	source, err := siteuser.User{}.ReadFile(path, phpsource.MaxSize) // the user of this tool named it
	if err != nil {
		return nil, unreadable(path, err)
	}
	if !bytes.Contains(source, []byte("<?")) { // before php is run for what it computes
		return nil, &Error{File: path, Problem: "it contains no PHP code", Advice: hintConfig}
	}
	var ended *phpsource.EndError
	s, err := readLanguage(path, source, o, tenant, false)
	if errors.As(err, &ended) {
		// A file that ends unless the constant is defined is meant to be read with the constant: no
		// other reading gives a site.
		if s, err = readLanguage(path, source, o, tenant, true); errors.As(err, new(*phpsource.EndError)) {
			return nil, endedEarly(ended.File, ended.Line, ended.By, Request(o.asked(tenant))["HTTP_HOST"])
		}
	}
	return s, err
}

// endedEarly is the error of a config.php with which Moodle does not start.
func endedEarly(file string, line int, by, host string) *Error {
	e := &Error{File: file, Line: line, Problem: "config.php ends here by " + by + ", before lib/setup.php: Moodle cannot start with it",
		Advice: "check under which condition it ends, and run with the same environment as the web server"}
	if host != "" {
		e.Advice = "check whether config.php has a site for " + host + "; " + e.Advice
	}
	return e
}

// readLanguage reads source with the guard defined or not. tenant overrides $CFG where VMoodle does
// it: at the call of bootlib.php's functions. So what config.php derives afterwards, such as a
// cachedir below dataroot, is the tenant's, and what it assigns afterwards takes precedence.
func readLanguage(path string, source []byte, o Options, tenant map[string]string, guarded bool) (*settings, error) {
	reader := siteuser.Reader(path)
	s := &settings{file: path, dir: filepath.Dir(real(path)), fixed: map[string]string{}, looked: map[string]fs.FileMode{}}
	boot := map[string]bool{}
	switched := false
	over := func(a *phpsource.Assignments) {
		for name, text := range tenant {
			a.Set(phpsource.StringValue(text), "CFG", name)
		}
		switched = true
	}
	env := phpsource.Env{
		// The file is read as a script of VMoodle reads it at its second pass: with a tenant
		// chosen, and without $CLI_VMOODLE_PRECHECK.
		Constants: map[string]phpsource.Value{"CLI_SCRIPT": phpsource.BoolValue(true), "CLI_VMOODLE_OVERRIDE": phpsource.StringValue(tenant["wwwroot"])},
		Getenv:    o.environment,
		Server:    known(Request(o.asked(tenant))),
		Stat: func(file string) (fs.FileInfo, error) {
			s.looked[file] |= siteuser.Look
			return os.Stat(file)
		},
		Real: real,
		Read: func(file string) ([]byte, error) {
			s.looked[file] = siteuser.Read
			text, err := reader.ReadFile(file, phpsource.MaxSize)
			if err == nil && isBootlib(file) {
				for _, name := range reFunction.FindAllSubmatch(text, -1) {
					boot[strings.ToLower(string(name[1]))] = true
				}
				return nil, nil // functions, whose effect is already in tenant
			}
			return text, err
		},
		Stop: func(file string, a *phpsource.Assignments) bool {
			if !isSetup(file, filepath.Dir(path), s.dir, a.Variable("CFG").Get("dirroot").Text()) {
				return false
			}
			s.dir = filepath.Dir(filepath.Dir(file))
			return true
		},
		Call: func(name string, a *phpsource.Assignments) (string, bool) {
			if !boot[name] {
				return "", false
			}
			over(a)
			return defaults(a.Variable("CFG"), tenant != nil)
		},
	}
	if guarded {
		env.Constants[guard] = phpsource.BoolValue(true)
	}
	a, err := phpsource.Parse(real(path), source, env)
	if err != nil {
		return nil, err
	}
	if !switched {
		over(a)
	}
	if s.cfg, s.ofRequest = a.Variable("CFG"), a.OfRequest; s.ofRequest {
		s.host = o.asked(tenant)
	}
	return s, nil
}

// real is the path without symbolic links, as PHP's `__FILE__` has it, or the path itself if
// nothing is there.
func real(path string) string {
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		return resolved
	}
	return path
}

// isSetup distinguishes Moodle's lib/setup.php from that of other software: by its directory, or by
// the files beside it. A file that does not exist is judged by its name alone.
func isSetup(file string, roots ...string) bool {
	for _, root := range roots {
		for _, name := range []string{"lib/setup.php", "public/lib/setup.php"} {
			if setup := filepath.Join(root, name); root != "" && (file == setup || real(file) == real(setup)) {
				return true
			}
		}
	}
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return strings.HasSuffix(file, "/lib/setup.php")
	}
	_, err := os.Stat(filepath.Join(filepath.Dir(file), "moodlelib.php"))
	return err == nil && filepath.Base(file) == "setup.php"
}

func isBootlib(file string) bool { return strings.HasSuffix(file, "/local/vmoodle/bootlib.php") }

var reFunction = regexp.MustCompile(`(?m)^\s*function\s+(\w+)\s*\(`)

// rePlain matches patterns that every regular expression engine reads in the same way.
var rePlain = regexp.MustCompile(`^(?:[A-Za-z0-9_:@.^$|-]|\\[.-])*$`)

// defaults is the file that VMoodle includes last (bootlib.php, vmoodle_boot_configuration), "" if
// there is none. Only PHP's engine knows which tenants a pattern excludes, unless the pattern is a
// plain one.
func defaults(cfg phpsource.Value, tenant bool) (file string, known bool) {
	name := cfg.Get("vmoodlehardmasterdefaults").Text()
	if tenant {
		name = cfg.Get("vmoodlehardchildsdefaults").Text()
	}
	exclude := cfg.Get("vmoodlehardchildsdefaultsexclude").Text()
	if name == "" {
		return "", true
	}
	file = fmt.Sprintf("%s/local/defaults_%s.php", cfg.Get("dirroot").Text(), name)
	if !tenant || exclude == "" {
		return file, true
	}
	if excluded, err := regexp.MatchString(exclude, cfg.Get("wwwroot").Text()); err == nil && excluded {
		file = ""
	}
	return file, rePlain.MatchString(exclude)
}
