<?php // env: DOCKER_DB=mariadb DOCKER_NAME=moodle DOCKER_USER=moodle DOCKER_PASS=m@0dl3ing DOCKER_COLLATION=utf8mb4_bin DOCKER_PORT=127.0.0.1:8000 DOCKER_HOST=web.example
// As developers' containers have it: all by getenv, the port out of an address.
unset($CFG);
global $CFG;
$CFG = new stdClass();

$CFG->dbtype = getenv('DOCKER_DB');
$CFG->dblibrary = 'native';
$CFG->dbhost = 'db';
$CFG->dbname = getenv('DOCKER_NAME');
$CFG->dbuser = getenv('DOCKER_USER');
$CFG->dbpass = getenv('DOCKER_PASS');
$CFG->prefix = 'm_';
$CFG->dboptions = ['dbcollation' => getenv('DOCKER_COLLATION')];
if (getenv('DOCKER_DB') === 'sqlsrv') {
    $CFG->dboptions['extrainfo'] = ['Encrypt' => false];
}
$name = 'localhost';
if (!empty(getenv('DOCKER_HOST'))) {
    $name = getenv('DOCKER_HOST');
}
$CFG->wwwroot = "http://{$name}";
$port = getenv('DOCKER_PORT');
if (!empty($port)) {
    $pieces = explode(':', $port);
    $port = end($pieces);
    if ((string)(int)$port === (string)$port) {
        $CFG->wwwroot .= ":{$port}";
    }
}
$CFG->dataroot = '/var/www/moodledata';
$CFG->directorypermissions = 0777;
$CFG->debug = (E_ALL | E_STRICT);
$CFG->pathtophp = '/usr/local/bin/php';
define('TEST_EXTERNAL_URL', 'http://tests:9000');
$CFG->behat_profiles = array('default' => array('browser' => getenv('DOCKER_BROWSER'), 'wd_host' => 'http://selenium:4444/wd/hub'));
if (getenv('DOCKER_APP')) {
    $appport = getenv('DOCKER_APP_PORT') ?: 8100;
    $CFG->behat_app = "http://app:$appport";
}
if (property_exists($CFG, 'behat_app')) {
    $mock = sha1($CFG->behat_app);
} else {
    $mock = sha1($CFG->wwwroot);
}
if (getenv('DOCKER_MOCK')) {
    define('TEST_MOCK_SERVER', "http://mock/{$mock}");
}
require_once(__DIR__ . '/lib/setup.php');
