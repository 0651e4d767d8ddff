<?php
// Drops the two entries that a renewal changes, and tells which stores Moodle has for them. It stands behind site.php.

try {
    if (!is_readable($mnetkeys_config)) {
        throw new RuntimeException('config.php is not readable');
    }
    require($mnetkeys_config);
    if ($mnetkeys_tenant !== '' && rtrim($CFG->wwwroot, '/') !== $mnetkeys_tenant) {
        mnetkeys_answer('config.php has loaded another site');
    } else {
        cache_helper::invalidate_by_definition('core', 'config', [], ['mnet', 'core']);
        mnetkeys_answer(mnetkeys_stores());
    }
} catch (Throwable $thrown) {
    mnetkeys_answer(get_class($thrown) . ' at ' . $thrown->getFile() . ':' . $thrown->getLine());
}
