package testbed

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// Kind is what a site does with a keyswap.
type Kind string

const (
	Stock   Kind = "stock"   // answers with its certificate and stores nothing
	Patched Kind = "patched" // VMoodle's: stores the caller's certificate if the keyswap is forced
)

// Cache is the store of the site's configuration cache.
type Cache string

const (
	FileCache    Cache = "file"    // Moodle's default application store
	RedisCache   Cache = "redis"   // one Redis store for all application caches
	StackedCache Cache = "stacked" // core/config is mapped to Redis first, then to the file store
)

// Options describe a site; the zero value is a stock Moodle with a file cache and the prefix mdl_.
type Options struct {
	Kind          Kind
	Cache         Cache
	RedisPassword string // "" for none
	RedisPrefix   string
	Prefix        string  // of its tables
	FullName      string  // title of its home page and organisation in its certificate
	Server        *Server // of its database, MariaDB if nil
	Schema        string  // of PostgreSQL, where its tables are
	Pooled        bool    // it and all others reach PostgreSQL through a pgbouncer
	Socket        bool    // config.php names the socket instead of 127.0.0.1 and the port
	NoRC4         bool    // OpenSSL without its legacy provider
	Workers       int     // PHP processes, 4 if 0; a site that heals needs two at once
}

// Site is a running MNet site of testdata/phpsite. It ends with its test.
type Site struct {
	Wwwroot    string // http://127.0.0.1:port
	Dirroot    string // where its PHP files are
	ConfigFile string // its config.php, in Moodle's form
	Dataroot   string
	DB         *Database
	Redis      *RedisServer // nil with FileCache

	options Options
	port    int
	php     string
	process *process
}

// PHPSite installs and starts a site.
func PHPSite(t testing.TB, options Options) *Site {
	t.Helper()
	s := &Site{options: options.withDefaults(), php: PHP(t, "mysqli", "pgsql", "openssl", "xmlrpc", "redis"), port: FreePort(t)}
	if s.options.Server == nil {
		s.options.Server = MariaDB(t)
	}
	s.DB = s.options.Server.DatabaseIn(t, s.options.Prefix, s.options.Schema)
	if s.options.Pooled {
		s.DB = s.DB.Pooled(t)
	}
	if s.options.Cache != FileCache {
		s.Redis = Redis(t, s.options.RedisPassword)
	}
	dir := t.TempDir()
	s.Wwwroot, s.Dataroot = fmt.Sprintf("http://127.0.0.1:%d", s.port), filepath.Join(dir, "dataroot")
	s.Dirroot = filepath.Join(dir, "moodle")
	s.ConfigFile = filepath.Join(s.Dirroot, "config.php")
	if err := os.CopyFS(s.Dirroot, os.DirFS(filepath.Join(Root(t), "testdata", "phpsite"))); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(s.Dataroot, 0o777); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"config.php": s.config(), "openssl.cnf": s.openssl()} {
		if err := os.WriteFile(filepath.Join(s.Dirroot, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s.install(t)
	s.Start(t)
	t.Cleanup(s.Stop)
	return s
}

func (o Options) withDefaults() Options {
	if o.Kind == "" {
		o.Kind = Stock
	}
	if o.Cache == "" {
		o.Cache = FileCache
	}
	if o.Prefix == "" {
		o.Prefix = "mdl_"
	}
	if o.FullName == "" {
		o.FullName = "École & " + string(o.Kind)
	}
	if o.Workers == 0 {
		o.Workers = 4
	}
	return o
}

// Start starts the web server, as PHPSite does, after [Site.Stop].
func (s *Site) Start(t testing.TB) {
	t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", s.port)
	scratch := t.TempDir() // what the lifeline may remove
	var err error
	s.process, err = start(scratch, s.php, []string{"-S", address, "-t", s.Dirroot}, s.environment()...)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.process.await(func() error { return listens(address) }); err != nil {
		t.Fatalf("testbed: php -S: %v", err)
	}
}

// Stop ends the web server: the site is down, its database remains.
func (s *Site) Stop() { s.process.stop() }

// page gets a page of the site that must be there, into answer if that is not nil.
func (s *Site) page(t testing.TB, path string, answer any) {
	t.Helper()
	response, err := http.Get(s.Wwwroot + path)
	if err != nil {
		t.Fatalf("testbed: %v", err)
	}
	defer func() { _ = response.Body.Close() }()
	if err := json.NewDecoder(response.Body).Decode(answer); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("testbed: %s%s: %s: %v\n%s", s.Wwwroot, path, response.Status, err, s.process.log)
	}
}
