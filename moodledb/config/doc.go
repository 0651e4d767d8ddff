// Package config finds and reads the config.php of a Moodle site: where its database is, and the settings that a renewal of the MNet
// key needs. It knows the settings exactly as PHP would have them, or says why it cannot: it never returns a value that it guessed.
//
// It reads the small language of [phpsource] by itself and executes nothing for that. What is outside of that language is evaluated
// by PHP, as the user who owns dataroot if we are root, with nothing of Moodle loaded.
//
// It refuses: a file that only PHP can evaluate if there is no PHP; a file that ends before lib/setup.php; a site that depends on a web
// request that nobody named; a key that config.php itself forces; a prefix that could change a statement of SQL; a database that is
// not MySQL or MariaDB. It opens no database: the register of a VMoodle array is read by package moodledb.
package config
