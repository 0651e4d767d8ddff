<?php
$CFG = new stdClass();
$CFG->dbtype = 'mysqli';
$CFG->dbhost = '127.0.0.1';
$CFG->dbname = implode('_', ['moodle', 'prod']);
$CFG->dbuser = 'moodle';
$CFG->dbpass = base64_decode('U0VDUkVULTg=');
$CFG->prefix = 'mdl_';
$settings = json_decode('{"wwwroot": "https://computed.example.org", "dataroot": "/srv/data"}');
foreach ($settings as $name => $value) {
    $CFG->$name = $value;
}
if (str_starts_with(php_uname(), 'NoSuchSystem')) {
    $CFG->dbhost = 'elsewhere';
}
$CFG->cachedir = sprintf('%s/cache', $CFG->dataroot);
require_once(__DIR__ . '/lib/setup.php');
$CFG->dbname = 'after setup';
