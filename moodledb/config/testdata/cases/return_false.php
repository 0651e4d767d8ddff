<?php
unset($CFG); global $CFG; $CFG = new stdClass();
$CFG->dbpass = strrev('wen'); if (PHP_VERSION_ID) { return false; }
