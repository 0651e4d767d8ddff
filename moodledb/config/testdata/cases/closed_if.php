<?php
unset($CFG); global $CFG; $CFG = new stdClass();
$CFG->dbpass = 'x'; if (false) ?>
 <?php $CFG->dbpass = 'y';
