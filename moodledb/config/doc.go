// Package config finds and reads the config.php of a Moodle site: where its database is, and the
// settings that a renewal of the MNet key needs. It returns the settings exactly as PHP would have
// them, or says why it cannot: it never returns a guessed value.
//
// It reads the small language of [phpsource] itself and executes nothing for that. PHP evaluates
// what is outside of that language. If the tool runs as root, PHP runs as the user who owns
// dataroot, and nothing of Moodle is loaded.
//
// PHP runs with the php.ini of the command line, auto_prepend_file included, as it does for
// Moodle's own scripts and for those that drop a cache (package muc). Additional settings in the
// php.ini of the web server are not known here. The file is read as by a script of the command
// line: CLI_SCRIPT is true, PHP_SAPI is cli, and $_SERVER has no REMOTE_ADDR, with which Moodle
// ends such a script. --host gives the name, scheme and port of the request, and no more.
//
// A file that is read to its end without lib/setup.php is accepted: the site may be one that this
// machine does not have. A file that returns before is refused. If PHP evaluates the file, it is
// also refused if it contains a return anywhere and does not reach lib/setup.php, because PHP does
// not distinguish a return from the end.
//
// If the tool runs as root, the reader uses no file that the owner of dataroot may not reach: PHP
// then evaluates config.php, as that user.
//
// It refuses: a file that only PHP can evaluate if there is no PHP; a file that ends before
// lib/setup.php; a site that depends on a web request if none is given; a key that config.php
// itself forces; a prefix that could change an SQL statement; a database that is neither MySQL nor
// PostgreSQL. It opens no database: package moodledb reads the register of a VMoodle array.
package config
