<?php
unset($CFG); global $CFG; $CFG = new stdClass();
for ($i = 0; $i < 20000; $i++) { $CFG->{'db' . $i} = 'v'; } $CFG->dbpass = 'k';
