<?php
// As much of a Moodle site as the tests of DropByPHP and CachedByPHP need, in a VMoodle array with one tenant. STUB_FAULT makes it misbehave.
unset($CFG);
global $CFG;
$CFG = new stdClass();
$CFG->wwwroot = 'http://main.example.test';
if (getenv('STUB_FAULT') === 'by host') {
    $host = getenv('HTTP_HOST') ?: 'main.example.test';
    $CFG->wwwroot = (empty($_SERVER['HTTPS']) ? 'http' : 'https') . '://' . $host;
    if ($host !== ($_SERVER['HTTP_HOST'] ?? 'main.example.test')) {
        die('environment and request differ');
    }
} else if (getenv('STUB_FAULT') === 'another site') {
    $CFG->wwwroot = 'http://another.example.test';
} else if (getenv('STUB_FAULT') === 'streams') {
    fwrite(STDERR, fgets(STDIN) . 'noise');
    fwrite(STDOUT, 'noise');
}
$CFG->dataroot = getenv('STUB_DATAROOT');
$CFG->dbpass = getenv('STUB_DBPASS');

if (isset($CLI_VMOODLE_PRECHECK)) {
    return;
}
if (defined('CLI_VMOODLE_OVERRIDE') && getenv('STUB_FAULT') !== 'no array') {
    if (CLI_VMOODLE_OVERRIDE !== 'http://child.example.test') {
        echo 'VMoodling (Mysql) : No configuration for this host';
        die;
    }
    $CFG->wwwroot = CLI_VMOODLE_OVERRIDE;
}
require_once(__DIR__ . '/lib/setup.php');
