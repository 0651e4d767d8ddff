<?php
$CFG = new stdClass();
$CFG->dbtype    = 'sqlsrv';
$CFG->dbhost    = 'localhost';
$CFG->wwwroot   = 'https://moodle.example.org';
require_once(__DIR__ . '/lib/setup.php');
