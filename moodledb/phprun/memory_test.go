package phprun_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/moodledb/phprun"
)

// A config.php that never stops growing gets 512 MiB and no more, and ends long before its time
// limit.
func TestPHPIsNotGivenAllMemory(t *testing.T) {
	php, err := exec.LookPath("php")
	if err != nil {
		testbed.Missing(t, "php is not installed")
	}
	config := filepath.Join(t.TempDir(), "config.php")
	if err := os.WriteFile(config, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := phprun.Script{PHP: php, Config: config, Dataroot: filepath.Dir(config), Limit: time.Minute, Source: `<?php
		$answer = fopen('php://fd/3', 'w');
		for ($text = 'x'; strlen($text) < 1 << 32; $text .= $text) {
			fwrite($answer, strlen($text) . "\n");
		}`}
	answer, err := s.Run(t.Context())
	lines := strings.Fields(string(answer))
	if err != nil || len(lines) == 0 || lines[len(lines)-1] != "268435456" {
		t.Errorf("%q, error %v", lines, err)
	}
}
