<?php
unset($CFG); global $CFG; $CFG = new stdClass();
$a['x']['y']='kept'; $b=[$a,$a]; unset($b[0]['x']['y']); $CFG->dbpass = $b[1]['x']['y'] ?? 'lost';
