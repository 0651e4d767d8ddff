<?php
unset($CFG); global $CFG; $CFG = new stdClass();
$CFG->dbpass = file_exists(__DIR__ . '/link/../by-way.inc') ? 'y' : 'n';
