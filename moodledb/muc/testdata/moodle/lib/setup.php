<?php
if (!defined('CLI_SCRIPT') || defined('CACHE_DISABLE_ALL')) {
    die('Not a CLI script that uses the cache');
}

class dml_connection_exception extends Exception {
}

class cache_helper {
    public static function hash_key($key, $definition) {
        return "$definition-$key";
    }

    public static function get_cache_stores($definition) {
        $stores = [];
        foreach (array_keys(cache_config::instance()->get_stores_for_definition($definition)) as $name) {
            if ($name !== 'redis-unready') {
                $stores[] = new stub_store($name);
            }
        }
        return $stores;
    }

    public static function invalidate_by_definition($component, $area, array $identifiers = array(), $keys = array()) {
        global $CFG;
        $seen = ['site' => $CFG->wwwroot, 'definition' => "$component/$area", 'identifiers' => $identifiers, 'keys' => $keys,
            'dbpass' => $CFG->dbpass, 'ours' => getenv('MNETKEYS_TEST')];
        file_put_contents($CFG->dataroot . '/seen.json', json_encode($seen));
    }
}

/** One entry a file, as cachestore_file has it; STUB_DATAROOT/stores/<name>.json says what its store holds, or how it misbehaves. */
class stub_store {
    private $name;

    public function __construct($name) {
        $this->name = $name;
    }

    public function my_name() {
        return $this->name;
    }

    public function get($key) {
        global $CFG;
        $held = json_decode(file_get_contents("$CFG->dataroot/stores/$this->name.json"), true);
        if ($held === 'throws') {
            throw new dml_connection_exception("with password $CFG->dbpass");
        }
        return $held[$key] ?? false;
    }

    public function set($key, $value) {
        global $CFG;
        touch("$CFG->dataroot/was-filled");
    }
}

class cache_factory {
    public static function instance() {
        return new self();
    }

    public function create_definition($component, $area) {
        return "$component/$area";
    }
}

class cache_config {
    public static function instance() {
        return new self();
    }

    public function get_stores_for_definition($definition) {
        global $CFG;
        $stores = [];
        foreach (glob("$CFG->dataroot/stores/*.json") as $file) {
            $name = basename($file, '.json');
            $stores[$name] = ['plugin' => strtok($name, '-')];
        }
        return $stores;
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
