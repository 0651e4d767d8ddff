<?php
$CFG = new stdClass();
$CFG->dbtype    = 'pgsql';
$CFG->dbhost    = 'localhost';
$CFG->dbname    = $undefined->whatever();
$CFG->wwwroot   = 'https://moodle.example.org';
require_once(__DIR__ . '/lib/setup.php');
