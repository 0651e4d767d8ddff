<?php
// Stands for VMoodle's: run, it would leave a file behind.
function vmoodle_get_hostname() {
    global $CFG;
    touch(getenv('BOOTLIB_WAS_RUN'));
    $CFG->vmoodleroot = 'http://' . $_SERVER['HTTP_HOST'];
}

function vmoodle_boot_configuration() {
    global $CFG;
    $CFG->dbname = 'booted';
    touch(getenv('BOOTLIB_WAS_RUN'));
    die('no database');
}
