<?php
// Stands for Moodle's: run, it would leave a file behind.
touch(getenv('SETUP_WAS_RUN'));
$CFG->dbname = 'setup';
