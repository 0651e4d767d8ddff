<?php
unset($CFG); global $CFG; $CFG = new stdClass();
try { $d = new DirectoryIterator('/missing'); } catch (Exception $e) { $CFG->dbpass = get_class($e); }
