// Package moodledb works on the database of a Moodle tenant, which config.php describes (package
// moodledb/config reads it). It reads what a renewal of the MNet key needs, stores the new key, and
// does the part of MNet's bookkeeping that Moodle does in mnet/environment.php and mnet/peer.php
// and VMoodle in its lib.php. It also reads VMoodle's register of tenants. It neither parses
// certificates nor calls other sites: keys and certificates are text here.
//
// It writes to mnet_host, mnet_host2service, config and the settings of plugin mnet in
// config_plugins, to nothing else, and only if the replaced value is still the one that was read.
// It never deletes a row, and refuses to drop a private key that it cannot read.
package moodledb
