<?php
unset($CFG); global $CFG; $CFG = new stdClass();
if (empty($_SERVER['REMOTE_ADDR']) && php_sapi_name() === 'cli') { $CFG->dbpass = 'cli'; }
