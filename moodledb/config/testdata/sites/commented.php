<?PHP
///////////////////////////////////////////////////////////////////////////
//  As config-dist.php: more comments than settings, in all three kinds.  //
///////////////////////////////////////////////////////////////////////////
unset($CFG);  // Ignore this line
global $CFG;  // This is necessary here for PHPUnit execution
$CFG = new stdClass();

//=========================================================================
// 1. DATABASE SETUP
//=========================================================================
# $CFG->dbtype = 'pgsql';      # the old one; don't use
$CFG->dbtype    = 'mysqli';      // 'pgsql', 'mariadb', 'mysqli', "auroramysql", 'sqlsrv' or 'oci'
$CFG->dblibrary = 'native';     // 'native' only at the moment
$CFG->dbhost    = /* 'old.example.org' */ 'db.example.org';  // it's the primary
$CFG->dbname    = 'moodle' /* trailing */ ;
$CFG->dbuser    = 'username';   // your database username
$CFG->dbpass    = '#not//a/*comment*/?>SECRET-2';
$CFG->prefix    = 'm311_';       // prefix to use for all table names
$CFG->dboptions = array(
    'dbpersist' => false,       // should persistent database connections be
                                //  used? set to 'false' for the most stable
    'dbsocket'  => false,       // should connection via UNIX socket be used?
    'dbport'    => '3307',          // the TCP port number to use when connecting
    'dbcollation' => 'utf8mb4_unicode_ci', # MySQL has partial and full UTF-8
    'connecttimeout' => 5,
    // 'ssl' => 'verify-full',
    'ssl' => 'require',
    // 'readonly' => [          // Set to read-only slave details
    //   'instance' => [ ['dbhost' => 'slave.dbhost'] ],
    // ],
    'readonly' => [
        'instance' => [['dbhost' => 'replica.example.org', 'dbport' => 3309, 'dbuser' => '', 'dbpass' => 'SECRET-3']],
        'exclude_tables' => ['config'],
    ],
);
/*
 * $CFG->wwwroot = 'http://wrong.example.org';
 */
$CFG->wwwroot   = 'http://localhost/moodle/';
$CFG->dataroot  = '/home/example/moodledata';
$CFG->directorypermissions = 02777;
$CFG->admin = 'admin';
//      $CFG->session_handler_class = '\core\session\redis';
$CFG->mnetkeylifetime = 28 * 2;
$CFG->noreplyaddress = 'noreply@example.org';
$CFG->cachedir = '/var/cache/moodle';
$CFG->altcacheconfigpath = '/etc/moodle/muc.php';
@error_reporting(E_ALL | E_STRICT);   // NOT FOR PRODUCTION SERVERS!
@ini_set('display_errors', '1');
// if ($_COOKIE['MoodleSession'] === 'x') {
define('CONTEXT_CACHE_MAX_SIZE', 7500);
if (!defined('PHPUNIT_TEST') && false) { $CFG->dbname = 'phpunit'; }
$CFG->phpunit_prefix = 'phpu_';
$CFG->forced_plugin_settings = array('pluginname'  => array('settingname' => 'value', 'secretsetting' => 'SECRET-4'));
$CFG->auth_instructions = "<p class=\"x\">Don't; use $CFG->wwwroot or {$CFG->dboptions['ssl']}</p>";
require_once(dirname(__FILE__) . '/lib/setup.php'); // Do not edit
$CFG->dbname = 'after setup';
