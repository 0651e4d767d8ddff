package muc

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestWhatIsNoFileInPlaceOfTheConfigurationIsRefusedAtOnce(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"a pipe":                   func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a directory":              func(path string) error { return os.Mkdir(path, 0o700) },
		"a device":                 func(path string) error { return os.Symlink("/dev/null", path) },
		"a file that is too large": func(path string) error { return os.WriteFile(path, make([]byte, 1<<20+1), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			path := s.write("muc/config.php", "")
			if err := errors.Join(os.Remove(path), put(path)); err != nil {
				t.Fatal(err)
			}
			refused := make(chan error, 1)
			go func() {
				_, err := open(s.location(), options{})
				refused <- err
			}()
			select {
			case err := <-refused:
				var unusable *ConfigError
				if !errors.As(err, &unusable) || unusable.File != path || !strings.Contains(err.Error(), "not a regular file of at most 1 MiB") {
					t.Errorf("error %v", err)
				}
			case <-time.After(5 * time.Second):
				t.Error("it is waited for")
			}
		})
	}
}

// The file is data: code that only PHP can evaluate, in the array or beside it, leaves no trace and
// is refused.
func TestNothingInTheConfigurationIsExecuted(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	for name, source := range map[string]string{
		"beside the array": "<?php touch('MARK'); `touch MARK`; $configuration = array('stores' => array());",
		"within the array": "<?php $configuration = array('siteidentifier' => touch('MARK'));",
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.write("muc/config.php", strings.ReplaceAll(source, "MARK", mark))
			_, err := open(s.location(), options{})
			var unusable *ConfigError
			if !errors.As(err, &unusable) {
				t.Errorf("error %v", err)
			}
			if _, err := os.Stat(mark); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("it was executed: %v", err)
			}
		})
	}
}
