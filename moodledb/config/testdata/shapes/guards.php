<?php
/**
 * Guards as they stand in files of sites.
 */
if (!defined('CLI_SCRIPT') && PHP_SAPI === 'cli' && false) {
    die('This is not for the command line.');
}
if (php_sapi_name() != 'cli' && !defined('CLI_SCRIPT')) { exit(1); }
if (defined('CLI_SCRIPT') && CLI_SCRIPT === true) {
    $cli = true;
}
if (php_sapi_name() === 'cli' && empty($_SERVER['REMOTE_ADDR'])) {
    $cli = true;
}
if (isset($_SERVER['REMOTE_ADDR']) && PHP_SAPI === 'cli') { exit(1); }
@error_reporting(E_ALL & ~E_NOTICE);
@ini_set('display_errors', '0');
ini_set('session.cookie_httponly', 1);
date_default_timezone_set("Europe/Paris");
setlocale(LC_ALL, 'fr_FR.UTF-8');
umask(0002);
set_time_limit(0);
unset($CFG);
global $CFG;
$CFG = new stdClass;
$CFG->dbtype    = 'mysqli';
$CFG->dbhost    = 'localhost';
$CFG->dbname    = 'guarded';
$CFG->dbuser    = 'u';
$CFG->dbpass    = 'pa$$"w\'ord\\';
$CFG->prefix    = 'mdl_';
$CFG->wwwroot   = 'https://guards.example';
$CFG->dataroot  = '/srv/data';
if (isset($CLI_VMOODLE_PRECHECK) && $CLI_VMOODLE_PRECHECK == true) {
    $CFG->dbpass = 'precheck';
    return;
}
if (!isset($CFG->nosuch)): $CFG->dbpass .= empty($cli) ? 'x' : ''; else: die(); endif;
$CFG->passwordsaltmain = 'pd&PxP]8v][HV@Ko6uj>yh]e3*1i;+';
return require_once(dirname(__FILE__) . '/lib/setup.php');
