<?php
// VMoodle's: the code's directory is set, vconfig.php is required.
unset($CFG); global $CFG; $CFG = new stdClass();
$CFG->dbtype = 'mariadb'; $CFG->dbhost = 'localhost'; $CFG->dbname = 'master'; $CFG->dbuser = 'm'; $CFG->dbpass = 'of-master'; $CFG->prefix = 'mdl_';
$CFG->wwwroot = 'https://master.example';
$CFG->dataroot = '/d';
$CFG->dirroot = dirname(__FILE__);
if (isset($CLI_VMOODLE_PRECHECK) && $CLI_VMOODLE_PRECHECK == true) {
    return;
}
require_once($CFG->dirroot."/local/vmoodle/vconfig.php");
require_once("$CFG->dirroot/lib/setup.php");
