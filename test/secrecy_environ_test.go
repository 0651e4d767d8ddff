package test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

// A run as somebody may have a password in its environment, which others of the same user must not see.
func TestNobodyReadsTheEnvironmentOfARun(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		testbed.Missing(t, "only root may start the command as somebody else and look at it as the same")
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	dir := t.TempDir()
	config := filepath.Join(dir, "config.php")
	text := fmt.Sprintf("<?php $CFG = new stdClass(); $CFG->dbtype='mariadb'; $CFG->dbhost='127.0.0.1'; $CFG->dbname='m'; $CFG->dbuser='u'; $CFG->dbpass='p'; $CFG->prefix='mdl_';"+
		" $CFG->wwwroot='http://own.example'; $CFG->dataroot='%s'; $CFG->dboptions=array('dbport'=>%d);", dir, silent.Addr().(*net.TCPAddr).Port)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
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
