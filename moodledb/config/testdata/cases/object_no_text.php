<?php
unset($CFG); global $CFG; $CFG = new stdClass();
$CFG->dbpass = new ArrayObject(['x']);
