<?php
/**
 * Says where the register of the array is.
 */
if ((defined('CLI_SCRIPT') && CLI_SCRIPT) && !defined('WEB_CRON_EMULATED_CLI') && !defined('CLI_VMOODLE_OVERRIDE')) {
    return;
}
require_once($CFG->dirroot.'/local/vmoodle/bootlib.php');

$CFG->vmasterdbhost = 'localhost';
$CFG->vmasterdbtype = 'mariadb';
$CFG->vmasterdbname = 'master';
$CFG->vmasterdblogin = 'register';
$CFG->vmasterdbpass = 'SECRET-11';
$CFG->vmasterdbpersist =  false;
$CFG->vmasterprefix    = 'mdl_';
$CFG->vmoodledefault    = 1; // tells if the default physical config can be used as true host
// $CFG->vchildsdblogin = '';
// $CFG->vchildsdbpass = '';
$CFG->vmoodlehardchildsdefaults = 'childs';

vmoodle_get_hostname();

// TODO : insert customized additional code here if required

vmoodle_boot_configuration();
