<?php
// What differs stands in other files.
$settings = require __DIR__ . '/ret.inc';
$CFG = (object) ['dbtype' => 'mysqli', 'dbname' => 'n', 'dbpass' => $settings['p']];
$CFG->dbpass .= '-' . $settings['k'];
$CFG->forced_plugin_settings['mnet']['openssl_generations'] = 5;
include_once(__DIR__ . '/set.inc');
if (!empty($CFG->p)) $CFG->dbpass .= "-{$CFG->p}";
require_once __DIR__ . '/lib/setup.php';
