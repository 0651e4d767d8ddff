<?php
unset($CFG); global $CFG; $CFG = new stdClass();
$CFG = array('dbpass' => 'x');
