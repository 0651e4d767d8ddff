<?php
if (!defined('CLI_SCRIPT') || defined('CACHE_DISABLE_ALL')) {
    die('Not a CLI script that uses the cache');
}

class dml_connection_exception extends Exception {
}

class cache_helper {
    public static function invalidate_by_definition($component, $area, array $identifiers = array(), $keys = array()) {
        global $CFG;
        $seen = ['site' => $CFG->wwwroot, 'definition' => "$component/$area", 'identifiers' => $identifiers, 'keys' => $keys,
            'dbpass' => $CFG->dbpass, 'ours' => getenv('MNETKEYS_TEST')];
        file_put_contents($CFG->dataroot . '/seen.json', json_encode($seen));
    }
}

function stub_connect($password) {
    throw new dml_connection_exception("cannot connect with password $password");
}

switch (getenv('STUB_FAULT')) {
    case 'no database':
        ini_set('display_errors', '1');
        stub_connect($CFG->dbpass);
    case 'fatal':
        ini_set('display_errors', '1');
        trigger_error("cannot connect with password $CFG->dbpass", E_USER_ERROR);
    case 'noise':
        $stderr = fopen('php://stderr', 'w');
        for ($i = 0; $i < 20000; $i++) {
            echo "<p>Notice: Undefined variable: a line of a site with debugging on</p>\n";
            fwrite($stderr, "and the same on stderr, with password $CFG->dbpass\n");
        }
        break;
    case 'hang':
        touch($CFG->dataroot . '/hanging');
        sleep(600);
}
