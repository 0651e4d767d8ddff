package moodledb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/go-sql-driver/mysql"

	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/moodledb/dialect"
	"renew_mnetkeys/rotate"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	config := &config.Config{DBHost: "127.0.0.1", DBPort: 3306, DBName: "moodle", DBUser: "www", DBPass: "secret", Prefix: "mdl_"}
	for number, hint := range map[uint16]string{
		1021: "room", 1114: "room", 1153: "max_allowed_packet", 1040: "later", 1044: "dbname", 1045: "dbpass", 1049: "dbname", 1130: "web server", 1142: "SELECT, INSERT and UPDATE", 1143: "UPDATE",
		1129: "flush-hosts", 1226: "raise its limits", 1251: "of a current kind", 1524: "of a current kind", 1820: "new password", 1862: "new password", 3118: "unlock", 3955: "unlock", 4151: "unlock",
		3159: "ssl", 1205: "other transactions", 1054: "its message says why", 9999: "its message says why",
		1203: "later", 1227: "UPDATE", 1290: "replica", 1698: "dbpass", 1792: "replica", 1836: "replica",
	} {
		answer := &mysql.MySQLError{Number: number, Message: "of the server"}
		err := explain(config, fmt.Errorf("driver: %w", answer))
		var access *AccessError
		if !errors.As(err, &access) || !strings.Contains(access.Hint(), hint) || !strings.Contains(err.Error(), "database moodle at 127.0.0.1:3306 as www") {
			t.Errorf("%d: %v", number, err)
		}
		if !isMySQL(err, number) {
			t.Errorf("%d cannot be decided on any more: %v", number, err)
		}
	}
	atOnce := &mysql.MySQLError{Number: 1226, Message: "User 'www' has exceeded the 'max_user_connections' resource (current value: 1)"}
	if hint := rotate.HintOf(explain(config, atOnce)); strings.Contains(hint, "hour") || !strings.Contains(hint, "MAX_USER_CONNECTIONS") {
		t.Errorf("a limit of connections at one time: %s", hint)
	}
	for name, err := range map[string]error{
		"an error of our own": rotate.ErrConflict,
		"a cancelled context": context.Canceled,
	} {
		if got := explain(config, err); got != err {
			t.Errorf("%s becomes %v", name, got)
		}
	}
	late := explain(config, fmt.Errorf("timeout: %w", context.DeadlineExceeded))
	if late.Error() != "database moodle at 127.0.0.1:3306 as www: no answer in time" || !errors.Is(late, context.DeadlineExceeded) || errors.As(late, new(*AccessError)) {
		t.Errorf("a deadline becomes %v", late)
	}
}

// An operator who reads the hint should not have to find out which of three accounts it is.
func TestARefusedLoginNamesTheSettingsOfTheAccount(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "config.php")
	for children, want := range map[string]string{
		"": "vdblogin and vdbpass in VMoodle's register",
		"$CFG->vchildsdblogin = 'a'; $CFG->vchildsdbpass = 'b';": "vchildsdblogin and vchildsdbpass in vconfig.php",
		"$CFG->vchildsdblogin = 'a';":                            "vchildsdblogin in vconfig.php and vdbpass in VMoodle's register",
		"$CFG->vchildsdbpass = 'b';":                             "vdblogin in VMoodle's register and vchildsdbpass in vconfig.php",
	} {
		if err := os.WriteFile(file, []byte(`<?php $CFG = new stdClass();
			$CFG->dbtype = 'mariadb'; $CFG->dbhost = 'db'; $CFG->dbname = 'm'; $CFG->dbuser = 'm'; $CFG->dbpass = 'm'; $CFG->prefix = 'mdl_';
			$CFG->wwwroot = 'https://m.example'; $CFG->dataroot = '/m'; $CFG->vmasterdbname = 'r'; $CFG->vmasterdbhost = 'db'; $CFG->vmasterprefix = 'mdl_'; `+children), 0o600); err != nil {
			t.Fatal(err)
		}
		own, err := config.Read(t.Context(), file, config.Options{})
		if err != nil {
			t.Fatal(err)
		}
		tenant, err := own.ForTenant(t.Context(), config.TenantRow{Wwwroot: "https://t.example", DBType: "mariadb", DBHost: "db", DBName: "t", DBUser: "t", DBPass: "t", Prefix: "mdl_", Dataroot: "/t"})
		if err != nil {
			t.Fatal(err)
		}
		for c, want := range map[*config.Config]string{own: "dbuser and dbpass in config.php", own.OfRegister(): "vmasterdblogin and vmasterdbpass in vconfig.php", tenant: want} {
			if hint := rotate.HintOf(explain(c, &mysql.MySQLError{Number: 1290})); strings.Contains(hint, "{") || strings.Contains(hint, " dbhost") != (c == own) {
				t.Errorf("%s: %q", children, hint)
			}
			if hint := rotate.HintOf(explain(c, &mysql.MySQLError{Number: 1045})); !strings.HasPrefix(hint, "check "+want+". ") {
				t.Errorf("%s: %q, want %s", children, hint, want)
			}
		}
	}
}

// The driver does not say which server it is, and each has its own program for it. A hint with a
// command is not shown for a link, whose other side the command would not reach.
func TestAHintOfADatabaseFitsEveryServerAndALink(t *testing.T) {
	t.Parallel()
	blocked := hints[dialect.HostBlocked]
	for _, cure := range []string{"mariadb-admin flush-hosts", "mysqladmin flush-hosts", "TRUNCATE TABLE performance_schema.host_cache"} {
		if !strings.Contains(blocked, cure) {
			t.Errorf("%q lacks %s", blocked, cure)
		}
	}
	for fault, hint := range hints {
		if strings.Contains(hint, "run: ") || strings.Contains(hint, "nothing was changed") { // what was, the run knows
			t.Errorf("%v: %q", fault, hint)
		}
	}
}

func TestExplainTellsTroublesOfTheNetworkApart(t *testing.T) {
	t.Parallel()
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "unix", Err: err} }
	for problem, c := range map[string]struct {
		err  error
		hint string
	}{
		"permission denied":              {dial(os.NewSyscallError("connect", syscall.EACCES)), "sudo -u www-data"},
		"no such socket":                 {dial(os.NewSyscallError("connect", syscall.ENOENT)), "127.0.0.1 as dbhost in config.php, without dbsocket"},
		"connection refused":             {dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), "dbhost in config.php and the port"},
		"the host name does not resolve": {dial(&net.DNSError{Err: "no such host", Name: "db", IsNotFound: true}), "check dbhost in config.php"},
		"no answer in time":              {dial(os.ErrDeadlineExceeded), "firewall"},
		"the connection was lost":        {dial(os.NewSyscallError("read", syscall.ECONNRESET)), "dbhost in config.php"},
	} {
		var access *AccessError
		if err := explain(&config.Config{DBHost: "db"}, c.err); !errors.As(err, &access) || access.Problem != problem || !strings.Contains(access.Hint(), c.hint) {
			t.Errorf("%v: %v", c.err, err)
		}
	}
}

// An empty host is right for a socket, so that only a socket that is not there makes it a mistake.
func TestAnEmptyHostIsNamedIfThereIsNoSocket(t *testing.T) {
	t.Parallel()
	err := explain(&config.Config{}, &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", syscall.ENOENT)})
	if hint := rotate.HintOf(err); !strings.HasPrefix(hint, "dbhost in config.php is empty") {
		t.Error(hint)
	}
}

func TestExplainShowsNoStatement(t *testing.T) {
	t.Parallel()
	answer := &mysql.MySQLError{Number: 1064, Message: "You have an error in your SQL syntax near '" + ownKey + "'"}
	err := explain(&config.Config{}, answer)
	if out := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(out, "PRIVATE") {
		t.Error(out)
	}
}
