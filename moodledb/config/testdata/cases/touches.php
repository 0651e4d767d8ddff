<?php
unset($CFG); global $CFG; $CFG = new stdClass();
$t = tempnam(sys_get_temp_dir(), 'x'); $CFG->dbpass = (int)touch($t, 7) . filemtime($t) . (int)chmod($t, 0600) . decoct(fileperms($t)); unlink($t);
