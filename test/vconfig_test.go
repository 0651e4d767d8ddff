package test

import (
	"os"
	"path/filepath"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

// PHP only warns of a file that it cannot include, and config.php without it is of one site.
func TestAVConfigThatThisUserCannotReadIsNamed(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("needs root, who alone can run a command as another user")
	}
	testbed.PHP(t)
	dir := t.TempDir()
	site := &testbed.Site{ConfigFile: filepath.Join(dir, "config.php"), Dataroot: filepath.Join(dir, "data", "moodle")}
	vconfig := filepath.Join(dir, "local", "vmoodle", "vconfig.php")
	for _, d := range []string{site.Dataroot, filepath.Dir(vconfig)} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	placeFile(t, site.ConfigFile, `<?php
$CFG = new stdClass;
$CFG->dbtype = 'mysqli'; $CFG->dbhost = 'localhost'; $CFG->dbname = 'm'; $CFG->dbuser = 'm'; $CFG->dbpass = 'm'; $CFG->prefix = 'mdl_';
$CFG->wwwroot = 'https://master.example.org'; $CFG->dataroot = '`+site.Dataroot+`'; $CFG->dirroot = '`+dir+`';
include $CFG->dirroot.'/local/vmoodle/vconfig.php';
require_once($CFG->dirroot.'/lib/setup.php');
`)
	placeFile(t, vconfig, "<?php\n$CFG->vmasterdbname = 'm';\nrequire_once(__DIR__.'/bootlib.php');\nvmoodle_boot_configuration();\n")
	bootlib := filepath.Join(filepath.Dir(vconfig), "bootlib.php")
	placeFile(t, bootlib, "<?php\nfunction vmoodle_boot_configuration() {}\n")
	mode := func(path string, mode os.FileMode) {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	mode(site.ConfigFile, 0o644)
	mode(vconfig, 0o600)
	renew := ofNobody(t, site)
	for _, c := range []struct{ option, problem string }{
		{"--host=https://one.example.org", "https://one.example.org: config.php is of https://master.example.org, and configures no VMoodle array"},
		{"--host=https://mastr.example.org", "https://mastr.example.org: config.php is of https://master.example.org, and configures no VMoodle array"},
		{"--all", site.ConfigFile + " configures no VMoodle array (--all)"},
	} {
		renew(c.option).expect(t, 2, "error: "+c.problem+": "+vconfig+": cannot be read by this user\n",
			"hint: only root can read it: make it readable for the web server's user. Then run: sudo -u www-data renew_mnetkeys "+c.option+" --config="+site.ConfigFile+"\n")
	}
	// Without the functions of this one, vconfig.php ends with an error of PHP.
	mode(vconfig, 0o644)
	mode(bootlib, 0o600)
	renew("--all").expect(t, 2, "error: "+bootlib+": cannot be read by this user\n",
		"hint: only root can read it: make it readable for the web server's user. Then run: sudo -u www-data renew_mnetkeys --all --config="+site.ConfigFile+"\n")
}
