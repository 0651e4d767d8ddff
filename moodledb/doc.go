// Package moodledb works on the database of a Moodle tenant, which config.php describes (package
// moodledb/config reads it): it reads what a renewal of the MNet key has to know, stores the new
// key, and does of MNet's bookkeeping what Moodle does in mnet/environment.php and mnet/peer.php
// and VMoodle in its lib.php. It also reads VMoodle's register of tenants. It neither parses
// certificates nor calls anybody: keys and certificates are text here.
//
// It writes to mnet_host, mnet_host2service, config and the settings of plugin mnet in
// config_plugins, to nothing else, and only where what it replaces is what was read before. It
// never deletes a row, and refuses to drop a private key that it cannot read.
package moodledb
