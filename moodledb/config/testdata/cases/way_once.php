<?php
unset($CFG); global $CFG; $CFG = new stdClass();
include_once __DIR__ . '/link/../by-way.inc'; $CFG->dbpass .= ' mid'; include_once __DIR__ . '/by-way.inc'; include_once __DIR__ . '/elsewhere/by-way.inc';
