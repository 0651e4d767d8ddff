<?php
// Drops the two entries that a renewal changes, and tells which stores Moodle has for them. It stands between site.php and load.php.

function mnetkeys_work() {
    cache_helper::invalidate_by_definition('core', 'config', [], ['mnet', 'core']);
    return mnetkeys_stores();
}
