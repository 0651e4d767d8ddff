package main

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"database/sql"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"renew_mnetkeys/envelope"
)

// Conventions of Moodle's tables.
const (
	ownID         = 1 // of the local host row in mnet_host
	allHostsID    = 2
	pairSeparator = "@@@@@@@@" // between certificate and private key in setting openssl
)

const siteIdentifier = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7cF0hL127.0.0.1"

// makeTables gives the database Moodle's tables, empty, from the schema that the integration tests
// also use.
func makeTables(ctx context.Context, db *sql.DB, repository string) error {
	schema, err := os.ReadFile(filepath.Join(repository, "testdata", "moodle.sql"))
	if err != nil {
		return fmt.Errorf("read the schema: %w", err)
	}
	if _, err := db.ExecContext(ctx, strings.ReplaceAll(string(schema), "{prefix}", "mdl_")); err != nil {
		return fmt.Errorf("make the tables: %w", err)
	}
	return nil
}

// fillTables makes a tenant that has MNet on, one key pair, and peers whose users may sign on here.
func fillTables(ctx context.Context, db *sql.DB, wwwroot string, pair *envelope.KeyPair, peers []peer) error {
	type row struct {
		insert string
		values []any
	}
	const hosts = "INSERT INTO mdl_mnet_host (id, wwwroot, ip_address, name, public_key, public_key_expires, applicationid, sslverification) VALUES (?, ?, ?, ?, ?, ?, 1, ?)"
	rows := []row{
		{"INSERT INTO mdl_config (name, value) VALUES ('siteidentifier', ?), ('mnet_dispatcher_mode', 'strict'), ('mnet_localhost_id', ?), ('mnet_all_hosts_id', ?)",
			[]any{siteIdentifier, ownID, allHostsID}},
		{"INSERT INTO mdl_config_plugins (plugin, name, value) VALUES ('mnet', 'openssl', ?), ('mnet', 'openssl_history', 'a:0:{}')",
			[]any{pair.Certificate.PEM + pairSeparator + pair.PEM}},
		{"INSERT INTO mdl_course (id, fullname, shortname, format) VALUES (1, 'Smoke & Mirrors College', 'smoke', 'site')", nil},
		{"INSERT INTO mdl_mnet_application (id, name, display_name, xmlrpc_server_url) VALUES (1, 'moodle', 'Moodle', '/mnet/xmlrpc/server.php'), (2, 'mahara', 'Mahara', '/api/xmlrpc/server.php')", nil},
		{"INSERT INTO mdl_mnet_service (id, name, offer) VALUES (1, 'sso_idp', 1), (2, 'sso_sp', 1)", nil},
		{hosts, []any{ownID, wwwroot, "127.0.0.1", "", pair.Certificate.PEM, pair.Certificate.NotAfter.Unix(), 0}},
		{hosts, []any{allHostsID, "", "", "All Hosts", "", 0, 0}},
	}
	for i, p := range peers {
		id := allHostsID + 1 + i
		rows = append(rows,
			row{hosts, []any{id, p.wwwroot, "127.0.0.1", p.name, p.certificate.PEM, p.certificate.NotAfter.Unix(), 2}},
			row{"INSERT INTO mdl_mnet_host2service (hostid, serviceid, publish, subscribe) VALUES (?, 1, 1, 1), (?, 2, 1, 1)", []any{id, id}})
	}
	for _, r := range rows {
		if _, err := db.ExecContext(ctx, r.insert, r.values...); err != nil {
			return fmt.Errorf("fill the tables: %w", err)
		}
	}
	return nil
}

// writeConfig writes the config.php that Moodle's installer would, and gives its path.
func writeConfig(dir string, db account, wwwroot string) (string, error) {
	php := fmt.Sprintf(`<?php  // Moodle configuration file

unset($CFG);
global $CFG;
$CFG = new stdClass();

$CFG->dbtype    = 'mysqli';
$CFG->dblibrary = 'native';
$CFG->dbhost    = '%s';
$CFG->dbname    = '%s';
$CFG->dbuser    = '%s';
$CFG->dbpass    = '%s';
$CFG->prefix    = 'mdl_';
$CFG->dboptions = array (
  'dbpersist' => 0,
  'dbport' => %d,
  'dbsocket' => '',
  'dbcollation' => 'utf8mb4_unicode_ci',
);

$CFG->wwwroot   = '%s';
$CFG->dataroot  = __DIR__ . '/moodledata';
$CFG->admin     = 'admin';

$CFG->directorypermissions = 0770;

require_once(__DIR__ . '/lib/setup.php');
`, db.Host, db.Database, db.User, db.Password, db.Port, wwwroot)
	path := filepath.Join(dir, "config.php")
	if err := os.WriteFile(path, []byte(php), 0o600); err != nil {
		return "", fmt.Errorf("write config.php: %w", err)
	}
	return path, nil
}

// cacheEntry is the file in which Moodle's default file store keeps the settings of plugin mnet:
// definition core/config, hashed as cache_helper::hash_key and cachestore_file::file_path_for_key
// do.
func cacheEntry(dir string) string {
	site := md5.Sum([]byte(siteIdentifier))
	definition := md5.Sum([]byte("1/core/config/" + hex.EncodeToString(site[:])))
	key := sha1.Sum([]byte(hex.EncodeToString(definition[:]) + "-mnet"))
	name := hex.EncodeToString(key[:])
	return filepath.Join(dir, "moodledata", "cache", "cachestore_file", "default_application", "core_config", name[:3]+"-cache", name+".cache")
}
