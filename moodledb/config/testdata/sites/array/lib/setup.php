<?php
// Stands for Moodle's: run, it would leave a file behind.
file_put_contents(getenv('SETUP_WAS_RUN'), 'run');
$CFG->dbname = 'setup';
