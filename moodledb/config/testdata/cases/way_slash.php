<?php
unset($CFG); global $CFG; $CFG = new stdClass();
$CFG->dbpass = @file_get_contents(__DIR__ . '/by-way.inc/') ?: 'none';
