package muc

import "strings"

// factoryOf is the class that chooses the stores instead of Moodle's own one:
// $CFG->alternative_cache_factory_class, "" if that is not set (PHP's empty()) or names Moodle's
// class, which is core_cache\factory since 4.5.
func factoryOf(class string) string {
	switch className(class) {
	case "", "0", "cache_factory", `core_cache\factory`:
		return ""
	}
	return class
}

// className is a class name as PHP compares it.
func className(class string) string { return strings.ToLower(strings.TrimPrefix(class, `\`)) }

// configuration finds out what is known of the stores, and returns the name of the source. With
// another factory, muc/config.php says nothing: it is the configuration from before, and its stores
// contain what was cached then. The error is a *ConfigError, a *PermissionError or a *FactoryError.
func (where location) configuration() (conf *configuration, from string, err error) {
	switch {
	case factoryOf(where.Factory) == "":
		if from, err = configPath(where); err == nil {
			conf, err = readConfiguration(from)
		}
	case className(where.Factory) == "tool_forcedcache_cache_factory":
		conf, from, err = where.forced()
	default:
		err = &FactoryError{where.Factory}
	}
	return conf, from, err
}

// FactoryError is a cache factory whose choice of stores only Moodle itself knows.
type FactoryError struct{ Class string }

func (e *FactoryError) Error() string {
	return "the cache factory " + e.Class + " chooses the cache stores, and only Moodle's own PHP knows which"
}

// Hint says what else drops the cache.
func (e *FactoryError) Hint() string { return adviseMoodle }
