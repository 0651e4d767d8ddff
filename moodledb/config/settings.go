package config

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"renew_mnetkeys/moodledb/phpsource"
	"renew_mnetkeys/moodledb/siteuser"
)

// config makes a Config of the settings. Unused settings are not checked: they may be anything.
func (s *settings) config(o Options) (*Config, error) {
	if s.unknown != nil {
		if err := s.onlyFixed(o); err != nil {
			return nil, err
		}
	}
	if kind := s.cfg.Kind(); kind != phpsource.Object && kind != phpsource.Null {
		return nil, &Error{File: s.file, Line: s.line(s.cfg.At()), Problem: "it sets no $CFG", Advice: hintConfig}
	}
	c := &Config{File: s.file, options: o, ofRequest: s.ofRequest}
	for _, read := range []func(*Config) error{s.database, s.site, s.forced, s.dboptions, s.caches} {
		if err := read(c); err != nil {
			return nil, err
		}
	}
	var err error
	if c.Register, err = s.register(); err != nil {
		return nil, err
	}
	if _, _, err := c.Endpoint(); err != nil {
		return nil, s.at("dbhost", err)
	}
	if s.unknown != nil && s.fixed["wwwroot"] == "" {
		s.fixed["wwwroot"] = o.Wwwroot
	}
	if _, given := s.fixed["wwwroot"]; given {
		c.ofRequest = false
	}
	if c.Shared = o.Shared; c.Shared {
		if err := siteuser.CheckShared(c.File, c.Dataroot); err != nil {
			return nil, err
		}
	}
	if c.Wwwroot, err = s.wwwroot(); err != nil {
		return nil, err
	}
	return c, nil
}

// onlyFixed demands that the command line gives every setting if nothing of config.php is known.
func (s *settings) onlyFixed(o Options) error {
	var missing []string
	for _, name := range usedSettings() {
		_, given := s.fixed[name]
		ofRegister := name != "vmasterdbname" && (strings.HasPrefix(name, "vmaster") || strings.HasPrefix(name, "vchilds"))
		switch {
		case given, name == "pathtophp", name == "wwwroot" && o.Wwwroot != "", ofRegister && s.fixed["vmasterdbname"] == "",
			name == "tool_forcedcache_config_path" && s.fixed["alternative_cache_factory_class"] == "":
		case name != "dboptions":
			missing = append(missing, name)
		case !s.optionFixed():
			missing = append(missing, "dboptions.dbport")
		}
	}
	if len(missing) == 0 {
		return nil
	}
	s.unknown.Advice += ", or give all of these by --cfg NAME=VALUE: " + strings.Join(missing, ", ")
	return s.unknown
}

// optionFixed says whether the command line sets one of dboptions; then it decides all of them.
func (s *settings) optionFixed() bool {
	for name := range s.fixed {
		if strings.HasPrefix(name, "dboptions.") {
			return true
		}
	}
	return false
}

// field is a text setting and its destination.
type field struct {
	name     string
	to       *string
	required bool
}

func (s *settings) fill(fields ...field) error {
	for _, f := range fields {
		var err error
		if *f.to, err = s.text(f.name, f.required); err != nil {
			return err
		}
	}
	return nil
}

func (s *settings) database(c *Config) error {
	if err := s.fill(field{"dbtype", &c.DBType, true}); err != nil {
		return err
	}
	if _, err := c.Dialect(); err != nil {
		return err
	}
	if err := s.fill(field{"dbhost", &c.DBHost, false}, field{"dbname", &c.DBName, true}, field{"dbuser", &c.DBUser, true},
		field{"dbpass", &c.DBPass, false}, field{"prefix", &c.Prefix, false}); err != nil {
		return err
	}
	if err := checkPrefix("prefix", c.Prefix); err != nil {
		return s.at("prefix", err)
	}
	return nil
}

func (s *settings) site(c *Config) error {
	if err := s.fill(field{"dataroot", &c.Dataroot, true}, field{"dirroot", &c.Dirroot, false}, field{"cachedir", &c.CacheDir, false},
		field{"altcacheconfigpath", &c.AltCacheConfigPath, false}, field{"pathtophp", &c.PathToPHP, false}); err != nil {
		return err
	}
	if c.Dirroot == "" {
		c.Dirroot = s.dir
	}
	if c.CacheDir == "" {
		c.CacheDir = filepath.Join(c.Dataroot, "cache")
	}
	for _, name := range []string{"mnetkeylifetime", "mnet_dispatcher_mode", "noreplyaddress"} {
		if _, err := s.text(name, false); err != nil {
			return err
		}
	}
	if kind := s.value("dboptions").Kind(); kind != phpsource.Null && kind != phpsource.Array {
		return s.at("dboptions", &Error{Setting: "dboptions", Problem: "is not an array"})
	}
	return nil
}

// Forcible are the settings of table config that are read: initialise_cfg (lib/setuplib.php)
// reads from the table only what config.php has not set.
func Forcible() []string {
	return []string{"siteidentifier", "mnet_dispatcher_mode", "mnet_localhost_id", "mnet_all_hosts_id", "mnetkeylifetime", "noreplyaddress",
		"proxyhost", "proxyport", "proxytype", "proxyuser", "proxypassword", "proxybypass"}
}

// forced reads what config.php sets instead of the tables. What it sets to null, an array or an
// object is empty: get_config (lib/moodlelib.php) leaves it out, so initialise_cfg does not replace
// it by what the tables say.
func (s *settings) forced(c *Config) error {
	c.Forced = map[string]string{}
	for _, name := range Forcible() {
		if v, set := s.find(name); set {
			c.Forced[name] = v.Text()
		}
	}
	for _, plugin := range []string{"mnet", "local_vmoodle"} {
		for _, e := range s.value("forced_plugin_settings").Get(plugin).Entries() {
			c.Forced[plugin+"/"+e.Key] = e.Value.Text()
			if plugin == "mnet" && (e.Key == "openssl" || e.Key == "openssl_history") {
				return &Error{File: s.file, Line: s.line(e.Value.At()), Setting: "forced_plugin_settings", Problem: "sets the MNet key itself: Moodle never looks at a key that is stored",
					Advice: "remove mnet " + e.Key + " from $CFG->forced_plugin_settings"}
			}
		}
	}
	return nil
}

// dboptions are read as lib/dml/mysqli_native_moodle_database.php and
// pgsql_native_moodle_database.php do: with dbhandlesoptions Moodle does not send dbschema, so that
// the database chooses the schema.
func (s *settings) dboptions(c *Config) error {
	read := map[string]phpsource.Value{}
	for _, name := range usedOptions() {
		read[name] = s.value("dboptions." + name)
	}
	port := read["dbport"].Int()
	if port < 0 || port > 65535 {
		return s.at("dboptions.dbport", &Error{Setting: "dboptions.dbport", Problem: "is not a port number"})
	}
	c.DBPort = int(port)
	if socket := read["dbsocket"].Text(); socket != "0" { // which is nothing for PHP
		c.DBSocket = socket
	}
	if !s.value("dboptions.dbhandlesoptions").Truth() {
		c.DBSchema = read["dbschema"].Text()
	}
	c.ConnectTimeout = time.Duration(max(0, min(read["connecttimeout"].Int(), 3600))) * time.Second
	switch mode := read["ssl"].Text(); mode {
	case "", "disable", "require", "verify-full":
		c.SSL = mode
	case "0":
		c.SSL = "disable"
	default:
		// Moodle 4.4 refuses the value, older versions ignore the option. TLS if the server
		// supports it works with both.
		c.SSL = "prefer"
	}
	return nil
}

func (s *settings) wwwroot() (string, error) {
	text, err := s.text("wwwroot", true)
	if err != nil {
		return "", err
	}
	text = strings.TrimSuffix(text, "/")
	if u, err := url.Parse(text); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", s.at("wwwroot", &Error{Setting: "wwwroot", Problem: "is not an http or https URL", Advice: hintFor("wwwroot")})
	}
	return text, nil
}

// value is a setting, null if it is not set. dboptions.x is an element of dboptions.
func (s *settings) value(name string) phpsource.Value {
	v, _ := s.find(name)
	return v
}

// find also says whether a setting is set, even if only to null.
func (s *settings) find(name string) (v phpsource.Value, set bool) {
	if text, fixed := s.fixed[name]; fixed {
		return phpsource.StringValue(text), true
	}
	v = s.cfg
	for part := range strings.SplitSeq(name, ".") {
		set = slices.ContainsFunc(v.Entries(), func(e phpsource.Entry) bool { return e.Key == part })
		v = v.Get(part)
	}
	return v, set
}

// text is a setting as PHP converts it to a string. required: an empty value is an error.
func (s *settings) text(name string, required bool) (string, error) {
	v := s.value(name)
	fail := func(problem string) (string, error) {
		return "", s.at(name, &Error{File: s.file, Setting: name, Problem: problem, Advice: hintFor(name)})
	}
	switch _, fixed := s.fixed[name]; {
	case fixed && required && v.Text() == "":
		return fail("is empty in --cfg")
	case v.Kind() == phpsource.Array || v.Kind() == phpsource.Object:
		return fail("is not a text")
	case v.Text() != "" || !required && !unsetVariable(name, v):
		return v.Text(), nil
	case v.Kind() != phpsource.Null:
		return fail("is empty; does it come from an environment variable that is not set here?")
	case s.cfg.Kind() == phpsource.Null:
		return "", s.at(name, &Error{File: s.file, Setting: name, Problem: "is not set: the file sets nothing of $CFG, so it is not Moodle's config.php",
			Advice: "name Moodle's config.php with --config=PATH"})
	}
	if s.host != "" {
		return fail("is not set: config.php may have no site for " + s.host)
	}
	return fail("is not set")
}

// unsetVariable says that a setting is false although false is not written in the file: getenv() of
// a variable that is not set, as under cron.
func unsetVariable(name string, v phpsource.Value) bool {
	return v.Kind() == phpsource.Bool && (name == "dbhost" || name == "dbpass" || name == "prefix")
}

// line is the line of a position in config.php, 0 if php gave the value without its position.
func (s *settings) line(at phpsource.Position) int {
	if s.evaluated {
		return 0
	}
	return at.Line
}

// at gives an Error the file and the line of its setting.
func (s *settings) at(name string, err error) error {
	var e *Error
	if errors.As(err, &e) && e.Line == 0 {
		e.File = s.file
		if at := s.value(name).At(); s.line(at) > 0 {
			e.File, e.Line = at.File, at.Line
		}
	}
	return err
}

// hintFor names the flag that replaces a setting.
func hintFor(name string) string {
	switch {
	case name == "wwwroot":
		return hintHost
	case strings.HasSuffix(name, "pass"):
		return fmt.Sprintf("replace it with --cfg %s=@FILE", name)
	}
	return fmt.Sprintf("replace it with --cfg %s=VALUE", name)
}

// rePrefix is what may be spliced into SQL. With 30 characters, Moodle's longest table names still
// fit into MySQL's 64.
var rePrefix = regexp.MustCompile(`^[A-Za-z0-9_]{0,30}$`)

func checkPrefix(setting, prefix string) error {
	if rePrefix.MatchString(prefix) {
		return nil
	}
	return &Error{Setting: setting, Problem: "may have letters, digits and underscores only, at most 30"}
}
