<?php
/** What a request does that has missed the cache, has read the replica as it was then, and fills the cache only now. */

namespace phpsite;

require __DIR__ . '/../config.php';

config_cache::get()->delete('mnet');
config_cache::get()->entry('mnet', fn() => array_column(
    database::get()->rows('SELECT name, value FROM {older_config_plugins} WHERE plugin = ?', 'mnet'), 'value', 'name'));
json_page(true);
