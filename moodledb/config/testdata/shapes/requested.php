<?php // host: http://x.example
// As images set wwwroot from the request.
unset($CFG);
global $CFG;
$CFG = new stdClass();
$CFG->dbtype = 'mariadb';
$CFG->dbhost = 'mariadb:3306';
$CFG->dbname = 'bitnami';
$CFG->dbuser = 'bn';
$CFG->dbpass = '';
$CFG->prefix = 'mdl_';
$CFG->dboptions = array (
  'dbpersist' => 0,
  'dbport' => 3306,
  'dbsocket' => '',
  'dbcollation' => 'utf8mb4_general_ci',
);
if (empty($_SERVER['HTTP_HOST'])) {
  $_SERVER['HTTP_HOST'] = '127.0.0.1:8080';
}
if (isset($_SERVER['HTTPS']) && $_SERVER['HTTPS'] == 'on') {
  $CFG->wwwroot   = 'https://' . $_SERVER['HTTP_HOST'];
  $CFG->dbpass = 'tls';
} else {
  $CFG->wwwroot   = 'http://' . $_SERVER['HTTP_HOST'];
  $CFG->dbpass = "by-$_SERVER[HTTP_HOST]";
}
if (isset($_SERVER['REQUEST_SCHEME']) && $_SERVER['REQUEST_SCHEME'] === 'https' || $_SERVER['SERVER_PORT'] == 443) {
  $CFG->dbpass .= '-tls';
} else {
  $CFG->dbpass .= "-$_SERVER[SERVER_PORT]";
}
$CFG->dataroot  = '/bitnami/moodledata';
$CFG->admin     = 'admin';
$CFG->directorypermissions = 02775;
require_once(__DIR__ . '/lib/setup.php');
