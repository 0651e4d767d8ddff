package config

// caches reads which class chooses the cache stores (lib/setup.php, cache_factory::instance()), and
// the settings that the class of tool_forcedcache reads
// (tool_forcedcache_cache_config::read_config_file()). The settings of that plugin only matter if a
// factory is set.
func (s *settings) caches(c *Config) error {
	if err := s.fill(field{"alternative_cache_factory_class", &c.CacheFactory, false}); err != nil || c.CacheFactory == "" {
		return err
	}
	c.ForcedCache = s.value("tool_forcedcache_config_array")
	return s.fill(field{"tool_forcedcache_config_path", &c.ForcedCachePath, false})
}
