<?php
unset($CFG); global $CFG; $CFG = new stdClass();
$p = proc_open('cat', [0 => ['file', __DIR__ . '/by-way.inc', 'r'], 1 => ['pipe', 'w']], $pipes); $CFG->dbpass = stream_get_contents($pipes[1]) . implode(gzfile(__DIR__ . '/by-way.inc')); proc_close($p);
