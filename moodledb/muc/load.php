<?php
// The last part of a script: loads the site, and answers with what mnetkeys_work() finds there. config.php is to be required outside of any function, as Moodle's
// own scripts do it.

try {
    if (!is_readable($mnetkeys_config)) {
        throw new RuntimeException('config.php is not readable');
    }
    require($mnetkeys_config);
    if (rtrim($CFG->wwwroot, '/') !== $mnetkeys_wwwroot) {
        mnetkeys_answer('config.php has loaded another site');
    } else {
        mnetkeys_answer(mnetkeys_work());
    }
} catch (Throwable $thrown) {
    mnetkeys_answer(get_class($thrown) . ' at ' . $thrown->getFile() . ':' . $thrown->getLine());
}
