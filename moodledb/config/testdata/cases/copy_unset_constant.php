<?php
unset($CFG); global $CFG; $CFG = new stdClass();
$a['x']['y']='1'; define('MDL_K',$a); unset($a['x']['y']); $CFG->dbpass = MDL_K['x']['y'] ?? 'lost';
