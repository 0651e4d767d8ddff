package test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

func TestADiagnosisThatIsPostedNamesNoHostAndNoSecret(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := filepath.Join(dir, "config.php")
	placeFile(t, config, `<?php
$CFG = new stdClass();
$CFG->dbtype = 'mariadb';
$CFG->dbhost = 'db.customer-one.invalid';
$CFG->dbname = 'moodle';
$CFG->dbuser = 'moodle';
$CFG->dbpass = 'S3cret-word';
$CFG->prefix = 'mdl_';
$CFG->wwwroot = 'https://www.customer-one.invalid/moodle';
$CFG->dataroot = '`+filepath.Join(dir, "moodledata")+`';
require_once(__DIR__ . '/lib/setup.php');
`)
	doctor := func(args ...string) string {
		t.Helper()
		r := run1(t, command(t, append([]string{"doctor", "--json", "--debug", "--config=" + config, "--timeout=2s"}, args...)...))
		if !json.Valid([]byte(r.stdout)) {
			t.Errorf("stdout is no JSON: %s", r.stdout)
		}
		return r.stdout + r.stderr
	}
	if said := doctor(); !strings.Contains(said, "customer-one") {
		t.Fatalf("no host is named at all, so that nothing is tested: %s", said)
	}
	said := doctor("--redact")
	for _, secret := range []string{"customer-one", "S3cret-word"} {
		if strings.Contains(said, secret) {
			t.Errorf("%s is in: %s", secret, said)
		}
	}
	if !strings.Contains(said, "https://host1.example/moodle") && !strings.Contains(said, "host2.example") {
		t.Errorf("there is no pseudonym: %s", said)
	}
}
