package muc

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"renew_mnetkeys/moodledb/phpsource"
)

// forced is the configuration that admin/tool/forcedcache makes instead of muc/config.php
// (tool_forcedcache_cache_config, generate_config_array): from an array of config.php, or from a
// JSON file. It has no siteidentifier unless $CFG already had one at that time; this is the case of
// 'unknown'. What the plugin refuses stops the site as well; it is a *ConfigError here, like
// everything that depends on the release of the plugin or of Moodle.
func (where location) forced() (*configuration, string, error) {
	from, all := "$CFG->tool_forcedcache_config_array", where.ForcedCache
	fail := func(problem string) (*configuration, string, error) {
		return nil, from, &ConfigError{File: from, Problem: problem}
	}
	switch array := len(all.Entries()) > 0; {
	case array && where.ForcedCachePath != "":
		return fail("is set, and so is tool_forcedcache_config_path: the plugin takes one of them only")
	case !array && where.ForcedCachePath == "":
		return fail("is not set, nor is tool_forcedcache_config_path: what then counts depends on the plugin's release")
	case !array:
		var err error
		from = where.ForcedCachePath
		if all, err = readForced(from); err != nil {
			return nil, from, err
		}
	}
	stores, rules := all.Get("stores"), all.Get("rules")
	if stores.Kind() != phpsource.Array || rules.Get("application").Kind() != phpsource.Array {
		return fail("has no stores, or no rules of mode application")
	}
	conf := &configuration{sharing: sharingSite}
	override := all.Get("definitionoverrides").Get(definitionID)
	if problem := conf.override(override); problem != "" {
		return fail(problem)
	}
	names, problem := forcedStores(rules.Get("application"), override)
	if problem != "" {
		return fail(problem)
	}
	if conf.instances, problem = forcedInstances(stores, names); problem != "" {
		return fail(problem)
	}
	return conf, from, nil
}

// readForced reads the JSON file as json_decode() does.
func readForced(file string) (none phpsource.Value, err error) {
	fail := func(problem string) (phpsource.Value, error) {
		return none, &ConfigError{File: file, Problem: problem}
	}
	if !filepath.IsAbs(file) {
		return fail("is a relative path, which depends on the web request")
	}
	source, err := readSource(file)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return none, newPermissionError("", file, err)
	case err != nil:
		return fail(cause(err).Error())
	case bytes.Contains(source, []byte("{{")):
		return fail("has a placeholder {{…}}, which is filled in elsewhere")
	}
	php, err := jsonAsPHP(source)
	if err != nil {
		return fail(err.Error())
	}
	assigned, err := phpsource.Parse(file, append([]byte("<?php $forced = "), append(php, ';')...), phpsource.Env{})
	if err != nil {
		return fail("its JSON nests too deep")
	}
	return assigned.Variable("forced"), nil
}

// override applies definitionoverrides of core/config. The problem is an override that changes the
// content or the name of an entry.
func (c *configuration) override(settings phpsource.Value) (problem string) {
	for _, e := range settings.Entries() {
		switch e.Key {
		case "canuselocalstore", "staticacceleration", "staticaccelerationsize", "sharingoptions":
		case "selectedsharingoption":
			c.sharing = e.Value.Int()
		case "userinputsharingkey":
			c.sharingKey = e.Value.Text()
		default:
			return fmt.Sprintf("overrides %q of definition core/config", e.Key)
		}
	}
	return ""
}

// forcedStores are the names of the stores of core/config, in the order in which they are read:
// those of the first rule whose conditions the definition meets
// (generate_definition_mappings_from_rules), nil if there is none.
func forcedStores(rules, override phpsource.Value) (names []string, problem string) {
	for _, r := range rules.Entries() {
		stores := r.Value.Get("stores")
		if stores.Kind() != phpsource.Array || len(stores.Entries()) == 0 {
			return nil, "has a rule of mode application without stores"
		}
		met, problem := meets(r.Value.Get("conditions"), override)
		if problem != "" {
			return nil, problem
		}
		if !met {
			continue
		}
		for _, s := range stores.Entries() {
			names = append(names, s.Value.Text())
		}
		return names, ""
	}
	return nil, ""
}

// meets compares the conditions with the definition of core/config in Moodle's lib/db/caches.php,
// by ===. name is the definition's id.
func meets(conditions, override phpsource.Value) (met bool, problem string) {
	met = true
	for _, c := range conditions.Entries() {
		kind, text := phpsource.String, ""
		switch c.Key {
		case "name":
			text = definitionID
		case "component":
			text = "core"
		case "area":
			text = "config"
		case "mode":
			kind, text = phpsource.Int, "1"
		case "staticacceleration", "simpledata":
			kind, text = phpsource.Bool, "1"
		case "canuselocalstore", "simplekeys", "requiredataguarantee", "requirelockingbeforewrite", "ttl", "datasource":
			kind = phpsource.Null // no release has it for this definition
		default:
			return false, fmt.Sprintf("has a rule with the condition %q, which depends on Moodle's release", c.Key)
		}
		if own := override.Get(c.Key); own.Kind() != phpsource.Null {
			kind, text = own.Kind(), own.Text()
		}
		met = met && kind != phpsource.Null && c.Value.Kind() == kind && c.Value.Text() == text
	}
	return met, ""
}

// forcedInstances are the stores of these names, lowest first, and Moodle's default store, which
// always exists, whatever the plugin's settings are.
func forcedInstances(stores phpsource.Value, names []string) (all []instance, problem string) {
	const defaultStore = "default_application"
	for _, name := range names {
		s := stores.Get(name)
		i := instance{name: name, plugin: s.Get("type").Text(), settings: s.Get("config")}
		switch {
		case name == defaultStore:
			i = instance{name: name, plugin: "file"} // the plugin replaces a store of that name by Moodle's own
		case s.Kind() == phpsource.Null:
			continue // Moodle leaves out a mapping to no store (cache_config::load)
		case i.plugin == "" || i.settings.Kind() != phpsource.Array:
			return nil, fmt.Sprintf("has a store %q without type or config", name)
		}
		if !slices.ContainsFunc(all, func(other instance) bool { return other.name == name }) {
			all = slices.Insert(all, 0, i)
		}
	}
	if !slices.ContainsFunc(all, func(i instance) bool { return i.name == defaultStore }) {
		all = slices.Insert(all, 0, instance{name: defaultStore, plugin: "file", fallback: len(all) > 0})
	}
	return all, ""
}
