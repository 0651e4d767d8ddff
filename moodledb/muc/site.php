<?php
// The first part of a script that renew_mnetkeys runs from stdin with arguments: the path of config.php, the wwwroot that it must load, and one more
// if that is a tenant of a VMoodle array. What it writes to file descriptor 3 is the answer. It holds no message of an exception: such a one can quote config.php.

function mnetkeys_answer($answer) {
    global $mnetkeys_out;
    if ($mnetkeys_out) {
        fwrite($mnetkeys_out, $answer);
        $mnetkeys_out = null; // The first answer counts.
    }
}

/** Which stores serve core/config, by Moodle's own cache: their names, plugins and places, never a password, and whether this php can use them. */
function mnetkeys_stores() {
    $places = ['redis' => 'server', 'file' => 'path'];
    $definition = cache_factory::instance()->create_definition('core', 'config');
    $stores = [];
    foreach (cache_config::instance()->get_stores_for_definition($definition) as $name => $details) {
        $plugin = isset($details['plugin']) ? (string) $details['plugin'] : '';
        $setting = isset($places[$plugin]) ? $places[$plugin] : '';
        $place = isset($details['configuration'][$setting]) ? $details['configuration'][$setting] : '';
        $stores[$name] = ['plugin' => $plugin, 'place' => is_string($place) ? $place : '', 'ready' => false];
    }
    foreach (cache_helper::get_cache_stores($definition) as $store) {
        if (isset($stores[$store->my_name()])) {
            $stores[$store->my_name()]['ready'] = true;
        }
    }
    return json_encode((object) $stores);
}

$mnetkeys_out = fopen('php://fd/3', 'w');

register_shutdown_function(function () {
    $error = error_get_last();
    $fatal = $error && ($error['type'] & (E_ERROR | E_PARSE | E_CORE_ERROR | E_COMPILE_ERROR | E_USER_ERROR));
    mnetkeys_answer($fatal ? 'fatal error at ' . $error['file'] . ':' . $error['line'] : 'the site ended the script while it was loading');
});

define('CLI_SCRIPT', true);
$mnetkeys_config = $argv[1];
$mnetkeys_wwwroot = rtrim($argv[2], '/');
if (isset($argv[3])) {
    define('CLI_VMOODLE_OVERRIDE', $mnetkeys_wwwroot);
}
unset($CLI_VMOODLE_PRECHECK); // Set, it would make config.php return before it has chosen the tenant.

