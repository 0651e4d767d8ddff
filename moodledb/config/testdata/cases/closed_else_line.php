<?php
unset($CFG); global $CFG; $CFG = new stdClass();
$CFG->dbpass = 'x'; if (false) $x = 1 ?>
<?php else $CFG->dbpass = 'y';
