package muc

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"renew_mnetkeys/moodledb/phpsource"
	"renew_mnetkeys/moodledb/siteuser"
)

// configuration is what muc/config.php says about core/config.
type configuration struct {
	instances []instance // those that serve it, lowest first
	// siteIdentifier goes unchanged into the names of entries: the md5 of the site's identifier
	// when the file was made, on a cloned site that of its origin, or "unknown". Empty: Moodle has
	// not written it yet.
	siteIdentifier string
	sharing        int64  // selectedsharingoption
	sharingKey     string // userinputsharingkey
}

// instance is one configured store.
type instance struct {
	name, plugin string
	fallback     bool            // not mapped: Moodle uses it if no mapped store is ready
	settings     phpsource.Value // of the plugin, like path or server
}

// configPath is cache_config::get_config_file_path(). A directory or file that the web server may
// not write counts as not set. If the tool runs as root, the rights of the owner of dataroot
// decide, otherwise the tool's own. The error is a *ConfigError.
func configPath(where location) (string, error) {
	usual := filepath.Join(where.Dataroot, "muc", "config.php")
	alternative := where.AltCacheConfigPath
	if alternative == "" {
		return usual, nil
	}
	if !filepath.IsAbs(alternative) {
		return "", &ConfigError{File: alternative, Problem: "$CFG->altcacheconfigpath is a relative path, which depends on the web request"}
	}
	web, found := siteuser.Web(where.Dataroot)
	if info, err := os.Stat(where.Dataroot); err == nil && os.Geteuid() == 0 && !found && info.Mode()&0o022 != 0 {
		return "", &ConfigError{File: alternative, Problem: "whether the web server may write there is not known: dataroot belongs to root, and others may write to it"}
	}
	writable := func(path string) bool {
		return unix.Access(path, unix.W_OK) == nil && (!found || web.May(path, siteuser.Write))
	}
	info, err := os.Stat(alternative)
	if found && !web.May(alternative, siteuser.Look) {
		err = fs.ErrNotExist // for Moodle
	}
	switch {
	case err == nil && info.IsDir() && writable(alternative):
		return filepath.Join(alternative, "cacheconfig.php"), nil
	case writable(filepath.Dir(alternative)) && (err != nil || writable(alternative)):
		return alternative, nil
	}
	return usual, nil
}

// readConfiguration reads file; if it does not exist, the stores are those that Moodle will
// configure at the next request.
func readConfiguration(file string) (*configuration, error) {
	source, err := readSource(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &configuration{instances: []instance{{name: "default_application", plugin: "file"}}, sharing: sharingSite}, nil
	case errors.Is(err, fs.ErrPermission):
		return nil, newPermissionError("", file, err)
	case err != nil:
		return nil, &ConfigError{File: file, Problem: err.Error()}
	}
	conf, err := parseConfiguration(file, source)
	if err != nil {
		return nil, err
	}
	return conf, literal(file, source)
}

func readSource(file string) ([]byte, error) {
	source, err := siteuser.User{}.ReadFile(file, phpsource.MaxSize)
	var path *fs.PathError
	if errors.As(err, &path) && path.Op == "read" {
		return nil, errors.New("not a regular file of at most 1 MiB")
	}
	return source, err
}

// parseConfiguration reads what cache_config_writer::config_save() has written: $configuration in
// the form of var_export.
func parseConfiguration(file string, source []byte) (*configuration, error) {
	assigned, err := phpsource.Parse(file, source, phpsource.Env{Constants: map[string]phpsource.Value{"MOODLE_INTERNAL": phpsource.BoolValue(true)}})
	if err != nil {
		var computed *phpsource.ComputedError
		if errors.As(err, &computed) {
			return nil, &ConfigError{File: file, Line: computed.Line, Problem: computed.Problem}
		}
		return nil, &ConfigError{File: file, Problem: err.Error()}
	}
	all := assigned.Variable("configuration")
	definition := all.Get("definitions").Get(definitionID)
	if all.Kind() != phpsource.Array {
		return nil, &ConfigError{File: file, Line: all.At().Line, Problem: "assigns no array to $configuration"}
	}
	c := &configuration{
		instances:      servingStores(all),
		siteIdentifier: all.Get("siteidentifier").Text(),
		sharing:        sharingSite,
		sharingKey:     definition.Get("userinputsharingkey").Text(),
	}
	if option := definition.Get("selectedsharingoption"); option.Kind() != phpsource.Null {
		c.sharing = option.Int()
	}
	return c, nil
}
