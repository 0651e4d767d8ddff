package testbed

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// configPHP is config.php as Moodle's installer writes it.
const configPHP = `<?php  // Moodle configuration file

unset($CFG);
global $CFG;
$CFG = new stdClass();

$CFG->dbtype    = %s;
$CFG->dblibrary = 'native';
$CFG->dbhost    = %s;
$CFG->dbname    = %s;
$CFG->dbuser    = %s;
$CFG->dbpass    = %s;
$CFG->prefix    = %s;
$CFG->dboptions = array (
  'dbpersist' => 0,
  'dbport' => %d,
  'dbsocket' => %s,
%s);

$CFG->wwwroot   = %s;
$CFG->dataroot  = %s;
$CFG->admin     = 'admin';

$CFG->directorypermissions = 0777;

$CFG->vmoodle_patched = %t; // only this fixture knows it

require_once(__DIR__ . '/lib/setup.php');
`

func (s *Site) config() string {
	host, socket := s.DB.Host, ""
	if s.options.Socket {
		host, socket = "localhost", s.DB.Socket
	}
	more := "  'dbcollation' => 'utf8mb4_unicode_ci',\n"
	if s.DB.DBType == PostgreSQLType {
		schema := s.DB.Schema
		if schema != "" {
			schema = `"` + schema + `"` // it would be folded to lower case
		}
		more = fmt.Sprintf("  'dbschema' => %s,\n  'dbhandlesoptions' => %t,\n", literal(schema), s.options.Pooled)
	}
	return fmt.Sprintf(configPHP, literal(s.DB.DBType), literal(host), literal(s.DB.Name), literal(s.DB.User), literal(s.DB.Password), literal(s.DB.Prefix),
		s.DB.Port, literal(socket), more, literal(s.Wwwroot), literal(s.Dataroot), s.options.Kind == Patched)
}

// literal is a PHP string.
func literal(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}

// opensslCNF is the file that OPENSSL_CONF names, so that the machine's own does not matter. It
// ends with the list of providers.
const opensslCNF = `openssl_conf = top
[top]
providers = providers
[on]
activate = 1
[req]
default_bits = 2048
string_mask = utf8only
distinguished_name = dn
[dn]
[v3_ca]
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
basicConstraints = critical, CA:true
[providers]
default = on
`

func (s *Site) openssl() string {
	if s.options.NoRC4 {
		return opensslCNF
	}
	return opensslCNF + "legacy = on\n"
}

func (s *Site) environment() []string {
	return []string{"OPENSSL_CONF=" + filepath.Join(s.Dirroot, "openssl.cnf"), "PHP_CLI_SERVER_WORKERS=" + strconv.Itoa(s.options.Workers)}
}

// install makes PHP fill the site's tables.
func (s *Site) install(t testing.TB) {
	t.Helper()
	wish := map[string]any{"fullname": s.options.FullName, "cache": s.options.Cache, "redis": nil}
	if s.Redis != nil {
		wish["redis"] = map[string]string{"server": s.Redis.Addr, "password": s.Redis.Password, "prefix": s.options.RedisPrefix}
	}
	input, err := json.Marshal(wish)
	if err != nil {
		t.Fatal(err)
	}
	s.handKey(t)
	cmd := exec.Command(s.php, filepath.Join(s.Dirroot, "admin", "cli", "install.php"))
	cmd.Stdin, cmd.Env = strings.NewReader(string(input)), append(os.Environ(), s.environment()...)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("testbed: install %s: %v: %s", s.Wwwroot, err, out)
	}
}
