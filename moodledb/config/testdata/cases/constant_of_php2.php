<?php
unset($CFG); global $CFG; $CFG = new stdClass();
defined('DAY_1') || define('DAY_1', 'mine'); defined('CHAR_MAX') || define('CHAR_MAX', 'mine'); $CFG->dbpass = DAY_1 . CHAR_MAX;
