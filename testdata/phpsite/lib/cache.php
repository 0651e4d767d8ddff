<?php

declare(strict_types=1);

namespace phpsite {
    /** One store of the configuration cache (definition core/config). null is a miss. */
    interface store {
        public function get(string $name): ?array;
        public function set(string $name, array $value): void;
        public function delete(string $name): void;
        public function purge(): void;
    }

    /** One file an entry, below directories of the first three letters of its name. */
    final class file_store implements store {
        private readonly string $directory;

        public function __construct(string $store, array $configuration = []) {
            $config = $GLOBALS['CFG'];
            $this->directory = ($configuration['path'] ?? ($config->cachedir ?? "$config->dataroot/cache") . "/cachestore_file/$store") . '/core_config';
        }

        private function path(string $name): string {
            return "$this->directory/" . substr($name, 0, 3) . "-cache/$name.cache";
        }

        public function get(string $name): ?array {
            $text = @file_get_contents($this->path($name));
            return $text === false ? null : unserialize($text, ['allowed_classes' => false]);
        }

        public function set(string $name, array $value): void {
            $path = $this->path($name);
            @mkdir(dirname($path), 0777, true);
            $temporary = $path . '.' . getmypid();
            file_put_contents($temporary, serialize($value));
            rename($temporary, $path);
        }

        public function delete(string $name): void {
            @unlink($this->path($name));
        }

        public function purge(): void {
            array_map(unlink(...), glob("$this->directory/*-cache/*.cache"));
        }
    }

    /** One hash, one field an entry. */
    final class redis_store implements store {
        private readonly \Redis $redis;
        private readonly string $hash;

        public function __construct(array $configuration) {
            [$host, $port] = explode(':', $configuration['server']);
            $this->redis = new \Redis();
            $this->redis->connect($host, (int) $port, 1.0);
            if (!empty($configuration['password'])) {
                $this->redis->auth($configuration['password']);
            }
            $this->redis->setOption(\Redis::OPT_SERIALIZER, (int) $configuration['serializer']);
            $this->hash = $configuration['prefix'] . md5('1 core config');
        }

        public function get(string $name): ?array {
            $value = $this->redis->hGet($this->hash, $name);
            return $value === false ? null : $value;
        }

        public function set(string $name, array $value): void {
            $this->redis->hSet($this->hash, $name, $value);
        }

        public function delete(string $name): void {
            $this->redis->hDel($this->hash, $name);
        }

        public function purge(): void {
            $this->redis->del($this->hash);
        }
    }

    /** All stores that serve core/config, as muc/config.php says, the first that is asked first. */
    final class config_cache {
        /** @var list<store> */
        private array $stores;
        private readonly string $prefix;
        private readonly array $names;

        private function __construct() {
            $configuration = self::configuration();
            $sorts = [];
            foreach ($configuration['modemappings'] as $mapping) {
                if ($mapping['mode'] === 1) {
                    $sorts[$mapping['store']] = $mapping['sort'];
                }
            }
            $own = array_filter($configuration['definitionmappings'], fn($m) => $m['definition'] === 'core/config');
            if ($own) {
                $sorts = array_column($own, 'sort', 'store');
            }
            arsort($sorts);
            $this->prefix = md5('1/core/config/' . $configuration['siteidentifier']);
            $this->names = array_map(fn($name) => $configuration['stores'][$name], array_combine(array_keys($sorts), array_keys($sorts)));
            $this->stores = array_map(fn($name) => match ($configuration['stores'][$name]['plugin']) {
                'file' => new file_store($name, $configuration['stores'][$name]['configuration'] ?? []),
                'redis', 'redissentinel' => new redis_store($configuration['stores'][$name]['configuration']),
                'apcu' => new file_store($name, ['path' => dirname($GLOBALS['CFG']->dataroot) . '/memory']), // stands for that of the web server
            }, array_keys(array_filter($sorts, fn($name) => $this->ready($name), ARRAY_FILTER_USE_KEY)));
        }

        /** Whether this process can use the store: the memory of the web server is not there on the command line, nor a directory that open_basedir forbids. */
        public function ready(string $store): bool {
            $path = $this->names[$store]['configuration']['path'] ?? null;
            return match ($this->names[$store]['plugin']) {
                'apcu' => PHP_SAPI !== 'cli',
                'file' => $path === null || @is_dir($path) || @mkdir($path, 0777, true),
                default => true,
            };
        }

        public static function get(): self {
            static $cache = null;
            return $cache ??= new self();
        }

        /** What the cache factory of config.php says, else muc/config.php; a site without that file has one file store. */
        private static function configuration(): array {
            $class = $GLOBALS['CFG']->alternative_cache_factory_class ?? 'cache_factory';
            if ($class !== 'cache_factory') {
                return (new $class())->configuration();
            }
            $file = ($GLOBALS['CFG']->altcacheconfigpath ?? $GLOBALS['CFG']->dataroot . '/muc') . '/config.php';
            if (is_file($file)) {
                require $file;
                return $configuration;
            }
            $row = database::get()->row("SELECT value FROM {config} WHERE name = 'siteidentifier'");
            return [
                'stores' => ['default_application' => ['plugin' => 'file']],
                'modemappings' => [['mode' => 1, 'store' => 'default_application', 'sort' => -1]],
                'definitionmappings' => [],
                'siteidentifier' => md5($row['value']),
            ];
        }

        private function name(string $key): string {
            return sha1("$this->prefix-$key");
        }

        /** The entry of the first store that has it, else what $read returns; stores that missed are filled. */
        public function entry(string $key, callable $read): array {
            $name = $this->name($key);
            $missed = [];
            foreach ($this->stores as $store) {
                $value = $store->get($name);
                if ($value !== null) {
                    break;
                }
                $missed[] = $store;
            }
            $value ??= $read();
            foreach ($missed as $store) {
                $store->set($name, $value);
            }
            return $value;
        }

        /** The stores by name, with what muc/config.php says of each. */
        public function names(): array {
            return $this->names;
        }

        /** What one store holds, null for what it misses; fills none. */
        public function held(string $store, string $key): ?array {
            $ready = array_values(array_filter(array_keys($this->names), $this->ready(...)));
            return $this->stores[array_search($store, $ready, true)]->get($this->name($key));
        }

        public function delete(string $key): void {
            foreach (array_reverse($this->stores) as $store) {
                $store->delete($this->name($key));
            }
        }

        public function purge(): void {
            foreach (array_reverse($this->stores) as $store) {
                $store->purge();
            }
        }
    }
}

namespace {
    /** The part of Moodle's API that a script outside uses to drop an entry, and to read what the stores hold without filling them. */
    class cache_factory {
        public static function instance(): self {
            return new self();
        }

        public function create_definition($component, $area) {
            return "$component/$area";
        }
    }

    /** What admin/tool/forcedcache does: the stores and rules of config.php or of a JSON file, for the definition core/config. */
    class tool_forcedcache_cache_factory {
        public function configuration(): array {
            global $CFG;
            $forced = $CFG->tool_forcedcache_config_array ?? json_decode(file_get_contents($CFG->tool_forcedcache_config_path), true);
            $stores = array_map(fn($s) => ['plugin' => $s['type'], 'configuration' => $s['config']], $forced['stores']);
            $stores['default_application'] = ['plugin' => 'file'];
            $definition = ['mode' => 1, 'staticacceleration' => true, 'simpledata' => true] + ($forced['definitionoverrides']['core/config'] ?? []);
            $mapped = ['default_application'];
            foreach ($forced['rules']['application'] as $rule) {
                $unmet = array_filter($rule['conditions'] ?? [],
                    fn($value, $name) => $name === 'name' ? $value !== 'core/config' : ($definition[$name] ?? null) !== $value, ARRAY_FILTER_USE_BOTH);
                if (!$unmet) {
                    $mapped = $rule['stores'];
                    break;
                }
            }
            $mappings = array_map(fn($store, $i) => ['definition' => 'core/config', 'store' => $store, 'sort' => -$i], $mapped, array_keys($mapped));
            return ['stores' => $stores, 'modemappings' => [], 'definitionmappings' => $mappings, 'siteidentifier' => 'unknown'];
        }
    }

    /** A factory that nobody knows. */
    class local_surprise_cache_factory {
        public function configuration(): array {
            return [
                'stores' => ['surprise' => ['plugin' => 'file', 'configuration' => ['path' => ($GLOBALS['CFG']->surprise_directory ?? $GLOBALS['CFG']->dataroot . '/surprise')]]],
                'modemappings' => [['mode' => 1, 'store' => 'surprise', 'sort' => -1]],
                'definitionmappings' => [],
                'siteidentifier' => 'of its own',
            ];
        }
    }

    class cache_config {
        public static function instance(): self {
            return new self();
        }

        public function get_stores_for_definition($definition) {
            return phpsite\config_cache::get()->names();
        }
    }

    /** A store as Moodle's own scripts see it. */
    class cache_store_of_config {
        public function __construct(private string $name) {
        }

        public function my_name() {
            return $this->name;
        }

        public function get($key) {
            return phpsite\config_cache::get()->held($this->name, $key) ?? false;
        }
    }

    class cache_helper {
        public static function hash_key($key, $definition) {
            return $key; // a store's own business here
        }

        public static function get_cache_stores($definition) {
            $cache = phpsite\config_cache::get();
            return array_map(fn($name) => new cache_store_of_config($name), array_filter(array_keys($cache->names()), $cache->ready(...)));
        }

        public static function invalidate_by_definition($component, $area, $identifiers = [], $keys = []) {
            if ([$component, $area] === ['core', 'config']) {
                array_map(fn($key) => phpsite\config_cache::get()->delete($key), (array) $keys);
            }
        }

        public static function purge_by_definition($component, $area, $identifiers = []) {
            if ([$component, $area] === ['core', 'config']) {
                phpsite\config_cache::get()->purge();
            }
        }
    }
}
