<?php
unset($CFG); global $CFG; $CFG = new stdClass();
$CFG->f['mnet']['a']='kept'; $CFG->f['mnet']['b']='1'; $save=$CFG->f; unset($CFG->f['mnet']['a']); $CFG->dbpass = $save['mnet']['a'] ?? 'lost';
