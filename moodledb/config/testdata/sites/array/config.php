<?php  // Moodle configuration file of a VMoodle array

unset($CFG);
global $CFG;
$CFG = new stdClass();

$CFG->dirroot = dirname(__FILE__);
$CFG->dbtype    = 'mariadb';
$CFG->dblibrary = 'native';
$CFG->dbhost    = 'localhost';
$CFG->dbname    = 'master';
$CFG->dbuser    = 'master';
$CFG->dbpass    = 'SECRET-10';
$CFG->prefix    = 'mdl_';
$CFG->dboptions = array('dbpersist' => 0, 'dbport' => 3306, 'dbsocket' => '/run/array.sock', 'ssl' => 'require');
$CFG->wwwroot   = 'https://master.example.org';
$CFG->dataroot  = '/var/moodledata/master';

// Command line scripts of VMoodle read the file twice, at first only so far.
if (isset($CLI_VMOODLE_PRECHECK) && $CLI_VMOODLE_PRECHECK == true) {
    $CFG->wwwroot = 'https://precheck.example.org';
    $CFG->vmasterdbname = 'precheck';
    return;
}

require_once($CFG->dirroot.'/local/vmoodle/vconfig.php');

$CFG->cachedir = $CFG->dataroot.'/cache';
$CFG->trace = $CFG->dataroot.'/trace.log';

require_once($CFG->dirroot.'/lib/setup.php');
