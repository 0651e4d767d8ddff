// Package config finds and reads the config.php of a Moodle site: where its database is, and the
// settings that a renewal of the MNet key needs. It knows the settings exactly as PHP would have
// them, or says why it cannot: it never returns a value that it guessed.
//
// It reads the small language of [phpsource] by itself and executes nothing for that. What is
// outside of that language is evaluated by PHP, as the user who owns dataroot if we are root, with
// nothing of Moodle loaded.
//
// PHP runs with the php.ini of the command line, auto_prepend_file included, as it does for
// Moodle's own scripts and for those that drop a cache (package muc). What the php.ini of the web
// server has besides is not known here. Settings are those of a script of the command line:
// CLI_SCRIPT is true, PHP_SAPI is cli, and $_SERVER has no REMOTE_ADDR, with which Moodle ends such
// a script. --host gives the name, scheme and port of the request, and no more.
//
// A file that is read to its end without lib/setup.php is accepted: the site may be one that this
// machine does not have. A file that returns before is not, nor is, to PHP, one that has a return
// anywhere and does not come to lib/setup.php: PHP does not tell that from its end.
//
// If we are root, the reader looks at no file that the owner of dataroot may not reach: PHP then
// does, as that user.
//
// It refuses: a file that only PHP can evaluate if there is no PHP; a file that ends before
// lib/setup.php; a site that depends on a web request that nobody named; a key that config.php
// itself forces; a prefix that could change a statement of SQL; a database that is not MySQL or
// MariaDB. It opens no database: the register of a VMoodle array is read by package moodledb.
package config
