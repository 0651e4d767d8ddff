<?php
/**
 * Makes the rows, the cache configuration and the first key of a site whose tables are empty.
 * Standard input: {"fullname": string, "cache": "file"|"redis"|"stacked", "redis": {"server", "password", "prefix"} or null}
 */

namespace phpsite;

define('CLI_SCRIPT', true);

require __DIR__ . '/../../config.php';

$wish = json_decode(file_get_contents('php://stdin'), true, flags: JSON_THROW_ON_ERROR);
$host = parse_url($CFG->wwwroot, PHP_URL_HOST);
$siteidentifier = bin2hex(random_bytes(16)) . $host;

$stores = ['default_application' => ['name' => 'default_application', 'plugin' => 'file', 'configuration' => [],
    'features' => 30, 'modes' => 3, 'default' => true, 'class' => 'cachestore_file', 'lock' => 'cachelock_file_default']];
if ($wish['redis']) {
    $stores['redis'] = ['name' => 'redis', 'plugin' => 'redis', 'configuration' => $wish['redis'] + ['serializer' => 1, 'compressor' => 0],
        'features' => 26, 'modes' => 3, 'mappingsonly' => false, 'class' => 'cachestore_redis', 'default' => false,
        'lock' => 'cachelock_file_default'];
}
$configuration = [
    'stores' => $stores,
    'modemappings' => [['mode' => 1, 'store' => $wish['cache'] === 'redis' ? 'redis' : 'default_application', 'sort' => -1]],
    'definitions' => [],
    'definitionmappings' => $wish['cache'] !== 'stacked' ? [] : [
        ['definition' => 'core/config', 'store' => 'redis', 'sort' => 1],
        ['definition' => 'core/config', 'store' => 'default_application', 'sort' => 0],
    ],
    'locks' => ['cachelock_file_default' => ['name' => 'cachelock_file_default', 'type' => 'cachelock_file', 'default' => true]],
    'siteidentifier' => md5($siteidentifier),
];
mkdir("$CFG->dataroot/muc");
$php = "<?php defined('MOODLE_INTERNAL') || die();\n \$configuration = " . var_export($configuration, true) . ";\n";
file_put_contents("$CFG->dataroot/muc/config.php", $php);

$db = database::get();
$db->insert('course', ['id' => 1, 'fullname' => $wish['fullname'], 'shortname' => 'site', 'format' => 'site']);
foreach (['moodle' => '/mnet', 'mahara' => '/api'] as $name => $where) {
    $db->insert('mnet_application', ['name' => $name, 'display_name' => ucfirst($name), 'xmlrpc_server_url' => "$where/xmlrpc/server.php"]);
}
foreach (['sso_idp', 'sso_sp', 'mnetadmin', 'dataexchange'] as $service) {
    $db->insert('mnet_service', ['name' => $service, 'apiversion' => '1', 'offer' => 1]);
}
$own = $db->insert('mnet_host', ['wwwroot' => $CFG->wwwroot, 'ip_address' => gethostbyname($host), 'name' => $wish['fullname'], 'public_key' => '']);
$all = $db->insert('mnet_host', ['name' => 'All Hosts', 'public_key' => '']);
$settings = ['siteidentifier' => $siteidentifier, 'mnet_localhost_id' => $own, 'mnet_all_hosts_id' => $all, 'mnet_dispatcher_mode' => 'strict'];
foreach ($settings as $name => $value) {
    set_setting('core', $name, (string) $value);
}
replace_pair(archive: false);
