<?php
unset($CFG); global $CFG; $CFG = new stdClass();
include __DIR__ . '/link/../by-way.inc';
