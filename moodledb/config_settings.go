package moodledb

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"renew_mnetkeys/moodledb/phpsource"
)

// config makes a Config of the settings. What is not used is not looked at: it may be anything.
func (s *settings) config(o ReadOptions) (*Config, error) {
	c := &Config{File: s.file, options: o}
	if err := s.database(c); err != nil {
		return nil, err
	}
	if err := s.site(c); err != nil {
		return nil, err
	}
	if err := s.dboptions(c); err != nil {
		return nil, err
	}
	if err := s.caches(c); err != nil {
		return nil, err
	}
	var err error
	if c.Register, err = s.register(); err != nil {
		return nil, err
	}
	if _, _, err := c.Endpoint(); err != nil {
		return nil, s.at("dbhost", err)
	}
	if c.Wwwroot, err = s.wwwroot(); err != nil {
		if o.Wwwroot == "" {
			return nil, err
		}
		if c.Register == nil {
			c.Wwwroot = strings.TrimSuffix(o.Wwwroot, "/")
		}
	}
	return c, nil
}

// field is a text setting and where it goes.
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
	if err := supported(c.DBType); err != nil {
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
		field{"altcacheconfigpath", &c.AltCacheConfigPath, false}); err != nil {
		return err
	}
	if c.Dirroot == "" {
		c.Dirroot = s.dir
	}
	if c.CacheDir == "" {
		c.CacheDir = filepath.Join(c.Dataroot, "cache")
	}
	// An address that is computed is only a line in the certificate: Moodle's default does.
	c.NoReplyAddress = s.value("noreplyaddress").Text()
	days, err := s.needed("mnetkeylifetime")
	c.KeyLifetimeDays = int(max(0, min(days.Int(), 36500)))
	return err
}

// dboptions are read as lib/dml/mysqli_native_moodle_database.php does: dbsocket only when it is a path.
func (s *settings) dboptions(c *Config) error {
	read := map[string]phpsource.Value{}
	for _, name := range []string{"dbport", "dbsocket", "ssl", "connecttimeout"} {
		v, err := s.needed("dboptions." + name)
		if err != nil {
			return err
		}
		read[name] = v
	}
	port := read["dbport"].Int()
	if port < 0 || port > 65535 {
		return s.at("dboptions.dbport", &ConfigError{Setting: "dboptions.dbport", Problem: "is no port number"})
	}
	c.DBPort = int(port)
	if socket := read["dbsocket"].Text(); strings.Contains(socket, "/") {
		c.DBSocket = socket
	}
	c.ConnectTimeout = time.Duration(max(0, min(read["connecttimeout"].Int(), 3600))) * time.Second
	switch mode := read["ssl"].Text(); mode {
	case "require", "verify-full":
		c.SSL = mode
	case "", "0", "disable":
	default:
		// Moodle 4.4 refuses it, older ones ignore the option: what works either way is TLS where the server has it.
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
		return "", s.at("wwwroot", &ConfigError{Setting: "wwwroot", Problem: "is no http or https URL", Hint: hintFor("wwwroot")})
	}
	return text, nil
}

// value is a setting as it was read, null when it is not set. dboptions.x is an element of dboptions.
// What depends on the web request stays unknown: php on a command line gives an address that no peer knows.
func (s *settings) value(name string) phpsource.Value {
	if v := dig(s.places, name); v.OfRequest() {
		return v
	}
	return dig(s.cfg, name)
}

func dig(v phpsource.Value, name string) phpsource.Value {
	for part := range strings.SplitSeq(name, ".") {
		v = v.Get(part)
	}
	return v
}

// needed is a setting that must be known where it is set.
func (s *settings) needed(name string) (phpsource.Value, error) {
	v := s.value(name)
	if v.Kind() != phpsource.Unevaluated || s.replaced(name) {
		return v, nil
	}
	return v, &ConfigError{File: v.At().File, Line: v.At().Line, Setting: name, Problem: "is not literal: it " + v.Why(), Hint: hintFor(name), evaluable: !v.OfRequest()}
}

// replaced says that the command line stands for the whole of dboptions: one of its elements was given, so the others are not asked for.
func (s *settings) replaced(name string) bool {
	if !strings.HasPrefix(name, "dboptions.") {
		return false
	}
	for fixed := range s.fixed {
		if strings.HasPrefix(fixed, "dboptions.") {
			return true
		}
	}
	return false
}

// text is a setting as PHP makes a string of it. required: nothing is an error.
func (s *settings) text(name string, required bool) (string, error) {
	v, err := s.needed(name)
	if err != nil {
		return "", err
	}
	fail := func(problem string, at phpsource.Position, evaluable bool) (string, error) {
		if at.File == "" {
			at.File = s.file
		}
		return "", &ConfigError{File: at.File, Line: at.Line, Setting: name, Problem: problem, Hint: hintFor(name), evaluable: evaluable}
	}
	switch {
	case v.Kind() == phpsource.Array || v.Kind() == phpsource.Object:
		return fail("is no text", s.place(name), false)
	case v.Text() != "" || !required && !unsetVariable(name, v):
		return v.Text(), nil
	case v.Kind() != phpsource.Null:
		return fail("is empty; does it come from an environment variable that is not set here?", s.place(name), false)
	case len(s.unread) > 0:
		return fail("is not set before this line, which "+s.unread[0].Why(), s.unread[0].At(), true)
	case s.cfg.Kind() == phpsource.Null:
		return fail("is not set: is this Moodle's config.php?", phpsource.Position{}, false)
	}
	return fail("is not set", phpsource.Position{}, false)
}

// unsetVariable says that a setting is false where nobody writes false: getenv() of a variable that is not set, as under cron.
func unsetVariable(name string, v phpsource.Value) bool {
	return v.Kind() == phpsource.Bool && (name == "dbhost" || name == "dbpass" || name == "prefix")
}

func (s *settings) place(name string) phpsource.Position { return dig(s.places, name).At() }

// at gives a ConfigError the file and the line of its setting.
func (s *settings) at(name string, err error) error {
	var e *ConfigError
	if errors.As(err, &e) && e.Line == 0 {
		e.File = s.file
		if at := s.place(name); at.Line > 0 {
			e.File, e.Line = at.File, at.Line
		}
	}
	return err
}

// hintFor names the flag that replaces a setting.
func hintFor(name string) string {
	switch {
	case name == "wwwroot":
		return "say which site with --host=URL"
	case strings.HasSuffix(name, "pass"):
		return fmt.Sprintf("replace it with --cfg %s=@FILE", name)
	}
	return fmt.Sprintf("replace it with --cfg %s=VALUE", name)
}

func supported(dbtype string) error {
	switch dbtype {
	case "mysqli", "mariadb", "auroramysql":
		return nil
	}
	return &UnsupportedDBError{DBType: dbtype}
}

// rePrefix is what may be spliced into SQL. With 30 characters Moodle's longest table names still fit into MySQL's 64.
var rePrefix = regexp.MustCompile(`^[A-Za-z0-9_]{0,30}$`)

func checkPrefix(setting, prefix string) error {
	if rePrefix.MatchString(prefix) {
		return nil
	}
	return &ConfigError{Setting: setting, Problem: "may have letters, digits and underscores only, at most 30"}
}
