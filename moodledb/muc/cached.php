<?php
// Reads the entry of plugin mnet from every store of core/config. It stands between site.php and load.php. The stores are asked themselves, since the cache
// would fill a store that misses it from the next one.

function mnetkeys_work() {
    $definition = cache_factory::instance()->create_definition('core', 'config');
    $key = cache_helper::hash_key('mnet', $definition);
    $answer = [];
    $memory = [];
    foreach (cache_config::instance()->get_stores_for_definition($definition) as $name => $details) {
        $memory[$name] = isset($details['plugin']) && $details['plugin'] === 'apcu';
        $answer[$name] = ['problem' => 'it is not ready in this php'];
    }
    foreach (cache_helper::get_cache_stores($definition) as $store) {
        $name = $store->my_name();
        if (!empty($memory[$name])) {
            $answer[$name] = ['problem' => 'it is in the memory of the web server\'s processes'];
            continue;
        }
        try {
            $value = $store->get($key);
        } catch (Throwable $thrown) {
            $answer[$name] = ['problem' => get_class($thrown) . ' at ' . $thrown->getFile() . ':' . $thrown->getLine()];
            continue;
        }
        $found = new stdClass();
        foreach (is_array($value) ? ['openssl', 'openssl_history'] : [] as $setting) {
            if (isset($value[$setting]) && is_string($value[$setting])) {
                $found->$setting = base64_encode($value[$setting]);
            }
        }
        $unknown = $value !== false && $value !== null && !is_array($value);
        $answer[$name] = ['problem' => $unknown ? 'the entry is no settings of Moodle' : '', 'found' => $found];
    }
    return json_encode((object) $answer);
}
