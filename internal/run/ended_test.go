package run

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/internal/output"
)

const arrayConfig = `<?php
$CFG = new stdClass();
$CFG->dbtype = 'mariadb';
$CFG->dbhost = $CFG->vmasterdbhost = '127.0.0.1';
$CFG->dbname = $CFG->vmasterdbname = 'moodle';
$CFG->dbuser = $CFG->vmasterdblogin = 'moodle';
$CFG->dbpass = $CFG->vmasterdbpass = 'secret';
$CFG->prefix = $CFG->vmasterprefix = 'mdl_';
$CFG->vmasterdbtype = 'mysqli';
$CFG->dboptions = ['dbport' => 1];
$CFG->wwwroot = 'http://master.example';
$CFG->dataroot = '/nowhere';
require_once(__DIR__ . '/lib/setup.php');
`

// A signal at the register says as little about the database as one at a tenant.
func TestARunThatASignalEndsAtTheRegisterSaysSo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.php")
	if err := os.WriteFile(file, []byte(arrayConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(&output.SignalError{Signal: syscall.SIGINT})
	for name, args := range map[string][]string{
		"one tenant": {"--host=http://tenant.example"},
		"array":      {"--all"},
		"push":       {"push", "--host=http://tenant.example"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr strings.Builder
			cmd, args := cmdline.CommandOf(cmdline.Arguments(append([]string{"renew_mnetkeys"}, append(args, "--config="+file)...)))
			code := obey(ctx, cmd, args, func(string) string { return "" }, &output.Results{W: &stdout}, &stderr)
			// A command would lack the user and the config.php, which are not known yet.
			if code != 130 || stderr.String() != "error: nothing was done: interrupted by SIGINT\nhint: nothing was changed: start it again at any time\n" {
				t.Errorf("exit code %d: %s", code, stderr.String())
			}
		})
	}
}

// A monitoring system shows stdout alone.
func TestACheckThatIsWronglyCalledSaysWhatToDo(t *testing.T) {
	var stdout, stderr strings.Builder
	cmd, args := cmdline.CommandOf(cmdline.Arguments([]string{"renew_mnetkeys", "check", "--hots=https://t.example"}))
	code := obey(t.Context(), cmd, args, func(string) string { return "" }, &output.Results{W: &stdout}, &stderr)
	if want := "MNET UNKNOWN - unknown option --hots\nnext: did you mean --host?\n"; code != 3 || stdout.String() != want || stderr.String() != "" {
		t.Errorf("exit code %d: %s%s", code, stdout.String(), stderr.String())
	}
}
