<?php
unset($CFG); global $CFG; $CFG = new stdClass();
$x = strrev('x'); $CFG->dboptions = array(-3 => 'x', -2147483650 => PHP_INT_MIN); $CFG->dbpass = 'k';
