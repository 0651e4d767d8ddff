<?php
$CFG = new stdClass();
$secrets = include __DIR__ . '/secrets.php';
$CFG->dbtype = 'mariadb';
$CFG->dbhost = 'p:db.example.org';
$CFG->dbname = $secrets['name'];
$CFG->dbuser = $secrets['user'];
$CFG->dbpass = $secrets['pass'];
$CFG->prefix = '';
$CFG->wwwroot = 'https://split.example.org';
$CFG->dataroot = '/srv/split';
@include __DIR__ . '/not-there.php';
require_once '/usr/share/moodle/public/lib/setup.php';
