<?php
unset($CFG); global $CFG; $CFG = new stdClass();
require __DIR__ . '/inc/other/lib/setup.php'; $CFG->dbpass .= ' behind';
