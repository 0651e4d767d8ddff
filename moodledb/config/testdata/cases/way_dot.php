<?php
unset($CFG); global $CFG; $CFG = new stdClass();
@include __DIR__ . '/by-way.inc/.';
