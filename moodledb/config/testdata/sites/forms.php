<?php
define('DB_PREFIX', "m_");
define('SITE_DATA', '/srv');
$host = 'db';
$CFG = (object) ['dbtype' => 'auroramysql', 'dblibrary' => 'native'];
$CFG->dbhost = "{$host}.example.org:" . (3300 + 10);
$CFG->dbname = "moodle_{$host}";
$CFG->dbuser = $CFG->dbname = 'moodle_' . 'db';
$CFG->dbpass = 'it\'s "SECRET-5" $here \n';
$CFG->prefix = DB_PREFIX;
$CFG->dboptions['dbport'] = 3306;
$CFG->dboptions['dbsocket'] = true;
$CFG->wwwroot = "https://{$CFG->dboptions['dbport']}.example.org/$host";
$CFG->dataroot = SITE_DATA . '/moodledata';
$CFG->dirroot = dirname(__FILE__, 1);
$CFG->tool_generator_users_password = "\x53\x45\x43\x52\x45\x54\u{2d}6";
require_once("{$CFG->dirroot}/lib/setup.php");
