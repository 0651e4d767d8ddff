<?php
unset($CFG); global $CFG; $CFG = new stdClass();
class Secret { function __toString() { return 'text'; } } $CFG->dbpass = new Secret;
