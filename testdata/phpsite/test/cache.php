<?php
/** ?do=warm reads what every request reads; ?do=purge empties the configuration cache. */

namespace phpsite;

require __DIR__ . '/../config.php';

match ($_GET['do']) {
    'warm' => [settings('core'), settings('mnet')],
    'purge' => config_cache::get()->purge(),
};
json_page(true);
