package test

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A run may have a password in its environment, which other processes of the same user must not
// see.
func TestNobodyReadsTheEnvironmentOfARun(t *testing.T) {
	t.Parallel()
	dir, config, silent := silentDatabase(t)
	cmd := command(t, "--config="+config, "--deadline=20s")
	cmd.Path = filepath.Join(dir, "renew_mnetkeys")
	copyFile(t, built(t, forRace...), cmd.Path)
	open(t, dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	end := begin(t, cmd)
	hold(t, silent)
	info, err := os.Stat(fmt.Sprintf("/proc/%d/environ", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; owner != 0 || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the environment of a run as 65534 belongs to %d, %v", owner, info.Mode())
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if r := end(); r.code != 143 {
		t.Errorf("it ends %d: %s", r.code, r.stderr)
	}
}
