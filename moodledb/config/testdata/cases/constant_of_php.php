<?php
unset($CFG); global $CFG; $CFG = new stdClass();
defined('ERA') || define('ERA', 'mine'); $CFG->dbpass = ERA;
