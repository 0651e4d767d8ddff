package dialect

import (
	"os"
	"os/exec"
	"testing"
)

// again runs the calling test in a process of its own, with variables.
func again(t *testing.T, variables ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), variables...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
