<?php // env: DB_HOST= DB_PORT=3307
// Docker's secrets are files; what is set and empty is not what is not set.
unset($CFG); global $CFG;
$CFG = new \stdClass();
$CFG->dbtype = 'mariadb';
$CFG->dbhost = getenv('DB_HOST') ?: 'mariadb';
$CFG->dbname = getenv('DB_NAME') !== false ? getenv('DB_NAME') : 'moodle';
$CFG->dbuser = trim(file_get_contents(__DIR__ . '/secret.txt'));
$CFG->dbpass = rtrim(file_get_contents(dirname(__FILE__) . '/secret.txt'), "\r\n");
$CFG->prefix = getenv('DB_PREFIX') ?: 'mdl_';
$CFG->dboptions = array('dbpersist' => false, 'dbport' => (int)(getenv('DB_PORT') ?: 3306), 'readonly' => ['latency' => 0.5]);
$file = getenv('DB_PASS_FILE');
if ($file !== false && is_readable($file)) {
    $CFG->dbpass = trim(file_get_contents($file));
}
$CFG->wwwroot = 'https://secrets.example';
$CFG->dataroot = dirname(dirname(__FILE__)) . '/moodledata';
if (file_exists(__DIR__ . '/set.inc')) {
    include(__DIR__ . '/set.inc');
}
@include __DIR__ . '/config-local.php';
require_once(__DIR__ . '/lib/setup.php'); // Do not edit

// There is no closing tag, since white space behind it would be sent.
