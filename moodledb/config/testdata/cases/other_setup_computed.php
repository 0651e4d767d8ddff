<?php
unset($CFG); global $CFG; $CFG = new stdClass();
$x = strrev('x'); require __DIR__ . '/inc/other/lib/setup.php'; $CFG->dbpass .= ' behind';
