<?php
unset($CFG); global $CFG; $CFG = new stdClass();
$a['x']['y']['z']='kept'; $b=$a['x']; unset($a['x']['y']['z']); $CFG->dbpass = $b['y']['z'] ?? 'lost';
