<?php
// Stands for VMoodle's: run, it would leave a file behind.
function vmoodle_get_hostname() {
    global $CFG;
    file_put_contents(getenv('BOOTLIB_WAS_RUN'), 'run');
    $CFG->vmoodleroot = 'http://' . $_SERVER['HTTP_HOST'];
}

function vmoodle_boot_configuration() {
    global $CFG;
    $CFG->dbname = 'booted';
    file_put_contents(getenv('BOOTLIB_WAS_RUN'), 'run');
    die('no database');
}
