<?php $CFG->dbpass = 'another setup';
