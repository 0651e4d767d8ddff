// Package test runs the command as its users do, and looks at exit codes, output, tables and peers.
// It knows nothing of the command except its output. Sites are real PHP (testbed.PHPSite), or an
// array whose web servers are fakes in this process ([fleet]).
package test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"renew_mnetkeys/internal/testbed"
)

func TestMain(m *testing.M) {
	const installed = "/etc/renew_mnetkeys.conf"
	if _, err := os.Stat(installed); err == nil {
		fmt.Fprintln(os.Stderr, installed+" is on this machine, and every command would read it: move it away to run these tests")
		os.Exit(1)
	}
	testbed.Main(withBuilds{m})
}

func TestScripts(t *testing.T) {
	dir := filepath.Dir(binary(t))
	testscript.Run(t, testscript.Params{
		Dir:                 "../testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir) // no config.php of this machine
			env.Setenv("PATH", dir+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("GORACE", noSleep)
			return nil
		},
	})
}
