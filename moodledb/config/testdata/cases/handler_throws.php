<?php
unset($CFG); global $CFG; $CFG = new stdClass();
set_error_handler(function ($n, $m) { throw new ErrorException($m); }); $CFG->dbpass = file_exists('/missing') ? 'there' : 'gone'; try { file_get_contents('/missing'); } catch (ErrorException $e) { $CFG->dbpass .= ' caught'; }
