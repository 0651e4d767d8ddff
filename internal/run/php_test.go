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
	settings := filepath.Join(dir, "php")
	asked := filepath.Join(dir, "asked")
	script := "#!/bin/sh\necho >>" + asked + "\nexec " + php + ` -d mysqli.default_socket=/run/a.sock "$@"` + "\n"
	if err := os.WriteFile(settings, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	socket := defaultSockets(settings)
	for range 3 {
		if got := socket(t.Context(), &config.Config{File: file, Dataroot: dir}); got != "/run/a.sock" {
			t.Errorf("the default socket is %q", got)
		}
	}
	if times, err := os.ReadFile(asked); err != nil || string(times) != "\n" {
		t.Errorf("asked %q, %v", times, err)
	}
	if got := defaultSockets("/no/php")(t.Context(), &config.Config{File: file, Dataroot: dir}); got != "" {
		t.Errorf("the default socket of a php that is not there: %q", got)
	}
	if got := commandLinePHP(&config.Config{File: file}, "/no/php")(t.Context()); got != "" {
		t.Errorf("of a php that is not there: %q", got)
	}
}
