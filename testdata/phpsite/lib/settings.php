<?php

declare(strict_types=1);

namespace phpsite;

/**
 * The settings of a plugin by name, or of table config for 'core', through the cache: what was stored past [set_setting] is
 * not seen until the entry is dropped. What config.php sets wins over table config.
 *
 * @return array<string, string>
 */
function settings(string $plugin): array {
    $settings = config_cache::get()->entry($plugin, function () use ($plugin) {
        $rows = $plugin === 'core'
            ? database::get()->rows('SELECT name, value FROM {config}')
            : database::get()->rows('SELECT name, value FROM {config_plugins} WHERE plugin = ?', $plugin);
        return array_column($rows, 'value', 'name');
    });
    return $plugin === 'core' ? array_filter((array) $GLOBALS['CFG'], is_scalar(...)) + $settings : $settings;
}

/** Stores a setting of the plugin and drops the cached entry. */
function set_setting(string $plugin, string $name, string $value): void {
    store_setting($plugin, $name, $value);
    config_cache::get()->delete($plugin);
}

/** Stores it in the database alone, leaving the cache stale. */
function store_setting(string $plugin, string $name, string $value): void {
    if ($plugin === 'core') {
        $sql = 'INSERT INTO {config} (name, value) VALUES (?, ?) ON DUPLICATE KEY UPDATE value = VALUES(value)';
        database::get()->run($sql, $name, $value);
        return;
    }
    $sql = 'INSERT INTO {config_plugins} (plugin, name, value) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE value = VALUES(value)';
    database::get()->run($sql, $plugin, $name, $value);
}
