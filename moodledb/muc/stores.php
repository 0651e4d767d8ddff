<?php
// Tells which stores serve core/config, and drops nothing. It stands behind site.php.

try {
    if (!is_readable($mnetkeys_config)) {
        throw new RuntimeException('config.php is not readable');
    }
    require($mnetkeys_config);
    if ($mnetkeys_tenant !== '' && rtrim($CFG->wwwroot, '/') !== $mnetkeys_tenant) {
        mnetkeys_answer('config.php has loaded another site');
    } else {
        mnetkeys_answer(mnetkeys_stores());
    }
} catch (Throwable $thrown) {
    mnetkeys_answer(get_class($thrown) . ' at ' . $thrown->getFile() . ':' . $thrown->getLine());
}
