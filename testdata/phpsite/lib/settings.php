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
            : database::get()->rows('SELECT name, value FROM ' . plugins_table() . ' WHERE plugin = ?', $plugin);
        return array_column($rows, 'value', 'name');
    });
    return $plugin === 'core' ? array_filter((array) $GLOBALS['CFG'], is_scalar(...)) + $settings : $settings;
}

/** The table that is read: of the primary, or of a replica that lags. */
function plugins_table(): string {
    return isset($GLOBALS['CFG']->read_replica) ? '{replica_config_plugins}' : '{config_plugins}';
}

/** Stores a setting of the plugin and drops the cached entry. */
function set_setting(string $plugin, string $name, string $value): void {
    store_setting($plugin, $name, $value);
    config_cache::get()->delete($plugin);
}

/** Stores it in the database alone, leaving the cache stale. */
function store_setting(string $plugin, string $name, string $value): void {
    $table = $plugin === 'core' ? 'config' : 'config_plugins';
    $key = ['name' => $name] + ($plugin === 'core' ? [] : ['plugin' => $plugin]);
    $where = implode(' = ? AND ', array_keys($key)) . ' = ?';
    $db = database::get();
    if ($db->row("SELECT id FROM {{$table}} WHERE $where", ...array_values($key)) === null) {
        $db->insert($table, $key + ['value' => $value]);
    } else {
        $db->rows("UPDATE {{$table}} SET value = ? WHERE $where", $value, ...array_values($key));
    }
}
