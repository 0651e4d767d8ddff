<?php
unset($CFG); global $CFG; $CFG = new stdClass();
$CFG->dbpass = function () { return 'x'; };
