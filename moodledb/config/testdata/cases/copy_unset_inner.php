<?php
unset($CFG); global $CFG; $CFG = new stdClass();
$a['x']['y']='1'; $a['x']['z']='2'; $b=$a; unset($a['x']['y']); $CFG->dbpass = isset($b['x']['y']) ? 'kept' : 'lost';
