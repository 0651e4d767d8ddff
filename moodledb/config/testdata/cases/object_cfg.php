<?php
unset($CFG); global $CFG; $CFG = new stdClass();
$CFG = new ArrayObject([], ArrayObject::ARRAY_AS_PROPS); $CFG->dbpass = 'of-an-array';
