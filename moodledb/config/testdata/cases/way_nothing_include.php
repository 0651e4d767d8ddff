<?php
unset($CFG); global $CFG; $CFG = new stdClass();
@include __DIR__ . '/nothing/../by-way.inc';
