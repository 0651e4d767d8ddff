<?php
unset($CFG); global $CFG;
$CFG = new stdClass;

// All from the environment, with defaults.
$CFG->dbtype    = getenv('MOODLE_DB_TYPE') ?: 'mariadb';
$CFG->dbhost    = getenv('MOODLE_DB_HOST') ?: 'mariadb';
$CFG->dbname    = getenv('MOODLE_DB_NAME') ?: 'moodle';
$CFG->dbuser    = getenv('MOODLE_DB_USER') ?: 'moodle';
$CFG->dbpass    = getenv('MOODLE_DB_PASS');
$CFG->prefix    = getenv('MOODLE_DB_PREFIX') !== false ? getenv('MOODLE_DB_PREFIX') : 'mdl_';
$CFG->dboptions = [
    'dbpersist' => (bool) getenv('MOODLE_DB_PERSIST'),
    'dbport' => (int)(getenv('MOODLE_DB_PORT') ?: 3306),
    'dbcollation' => getenv('MOODLE_DB_COLLATION') ?: 'utf8mb4_unicode_ci',
];
if ($ssl = getenv('MOODLE_DB_SSL')) {
    $CFG->dboptions['ssl'] = $ssl;
}
if (getenv('MOODLE_HOST')):
    $CFG->wwwroot = 'https://' . trim(getenv('MOODLE_HOST'), '/');
else:
    $CFG->wwwroot = 'http://localhost:8080';
endif;
$CFG->dataroot  = '/var/www/moodledata';
$CFG->cachedir = "$CFG->dataroot/cache-" . (getenv('POD') ?: 'shared');
if (file_exists(__DIR__ . '/config.local.php')) {
    require __DIR__ . '/config.local.php';
}
require_once __DIR__ . '/lib/setup.php';
