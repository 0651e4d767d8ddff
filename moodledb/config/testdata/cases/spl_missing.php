<?php
unset($CFG); global $CFG; $CFG = new stdClass();
$i = new SplFileInfo(__DIR__ . '/nope'); $CFG->dbpass = 'x' . (int)$i->isFile() . (int)$i->isDir() . (int)$i->isReadable() . (int)$i->isLink();
