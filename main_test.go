package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"renew_mnetkeys/testbed"
)

// asCommand makes the test binary be the command: tests that send signals, or
// run as another user, need a process of its own.
const asCommand = "RENEW_MNETKEYS_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	testscript.Main(testbed.Wrap(m), map[string]func(){"renew_mnetkeys": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir) // no config.php of this machine
			return nil
		},
	})
}
