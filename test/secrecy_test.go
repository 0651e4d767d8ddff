package test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

// A database that accepts and never answers keeps the command waiting while it is inspected from
// outside.
func TestNobodyReadsTheMemoryOfARun(t *testing.T) {
	t.Parallel()
	dir, config, silent := silentDatabase(t)
	cmd := command(t, "--config="+config, "--deadline=20s")
	end := begin(t, cmd)
	hold(t, silent)
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(limits)) {
		if strings.HasPrefix(line, "Max core file size") && strings.Fields(line)[4] != "0" {
			t.Errorf("a core dump would be written: %s", line)
		}
	}
	// The kernel gives the files of a process that must not be dumped to root: this is how its own
	// user is kept from its memory.
	child := command(t, "--config="+config, "--deadline=20s")
	child.Path = filepath.Join(dir, "renew_mnetkeys")
	copyFile(t, built(t, forRace...), child.Path)
	open(t, dir)
	child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	endChild := begin(t, child)
	hold(t, silent)
	info, err := os.Stat(fmt.Sprintf("/proc/%d/mem", child.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; owner != 0 {
		t.Errorf("the memory of a run as 65534 belongs to %d", owner)
	}
	for _, p := range []*os.Process{cmd.Process, child.Process} {
		_ = p.Signal(syscall.SIGTERM)
	}
	for _, end := range []func() ran{end, endChild} {
		if r := end(); r.code != 143 {
			t.Errorf("it ends %d: %s", r.code, r.stderr)
		}
	}
}

// silentDatabase is a site in dir whose database accepts connections and never answers.
func silentDatabase(t *testing.T) (dir, config string, silent net.Listener) {
	t.Helper()
	if os.Geteuid() != 0 {
		testbed.Missing(t, "only root may start the command as somebody else and look at it as the same")
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	dir = t.TempDir()
	config = filepath.Join(dir, "config.php")
	text := fmt.Sprintf("<?php $CFG = new stdClass(); $CFG->dbtype='mariadb'; $CFG->dbhost='127.0.0.1'; $CFG->dbname='m'; $CFG->dbuser='u'; $CFG->dbpass='p'; $CFG->prefix='mdl_';"+
		" $CFG->wwwroot='http://own.example'; $CFG->dataroot='%s'; $CFG->dboptions=array('dbport'=>%d);", dir, silent.Addr().(*net.TCPAddr).Port)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir, config, silent
}

// hold accepts a connection and keeps it open: a connection without a reference is closed.
func hold(t *testing.T, l net.Listener) {
	t.Helper()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
}
