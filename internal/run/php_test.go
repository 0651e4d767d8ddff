package run

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/moodledb/config"
)

func TestThePHPOnTheCommandLineSaysItsVersion(t *testing.T) {
	php, dir := testbed.PHP(t), t.TempDir()
	file := filepath.Join(dir, "config.php")
	if err := os.WriteFile(file, []byte("<?php exit(1);"), 0o644); err != nil {
		t.Fatal(err)
	}
	want, err := exec.Command(php, "-r", "echo PHP_VERSION;").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := commandLinePHP(&config.Config{File: file, Dataroot: dir, Dirroot: dir}, php)(t.Context()); got != string(want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := commandLinePHP(&config.Config{File: file}, "/no/php")(t.Context()); got != "" {
		t.Errorf("of a php that is not there: %q", got)
	}
}
