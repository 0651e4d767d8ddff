<?php
unset($CFG); global $CFG; $CFG = new stdClass();
defined('MDL_KEY') || define('MDL_KEY', 'mine'); $CFG->dbpass = MDL_KEY;
