// Package testbed gives tests the real parts of a Moodle site: a server of MariaDB or PostgreSQL,
// Redis, PHP, and a small MNet site that runs on them (testdata/phpsite). Everything listens on 127.0.0.1, uses a
// temporary directory and is stopped by its process id.
//
// It contains no test of renew_mnetkeys itself and imports none of its packages, so that every
// package can use it.
package testbed

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// runner is the part of *testing.M that is needed here, so that a package can add its own steps
// before and after.
type runner interface{ Run() int }

// shared is what exists as long as the test process: no test owns it, so only [Main] can stop it.
var shared struct {
	sync.Mutex
	entered bool
	stop    []func()
}

// Main runs a package's tests and stops the servers they shared. Each package that uses [MariaDB]
// has
//
//	func TestMain(m *testing.M) { testbed.Main(m) }
func Main(m runner) { os.Exit(run(m)) }

func run(m runner) int {
	shared.Lock()
	shared.entered = true
	shared.Unlock()
	defer func() {
		shared.Lock()
		defer shared.Unlock()
		for i := len(shared.stop) - 1; i >= 0; i-- {
			shared.stop[i]()
		}
		shared.stop = nil
	}()
	return m.Run()
}

// atExit registers stop, which is called after the last test of the process has ended.
func atExit(t testing.TB, stop func()) {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if !shared.entered {
		stop()
		t.Fatal("testbed: this package needs a TestMain that calls testbed.Main, or its servers would outlive it")
	}
	shared.stop = append(shared.stop, stop)
}

// Missing ends a test that cannot run here. On a developer's machine that is a skip with its
// reason; with CI=true it is a failure, because there a skipped test would look like a passed one.
func Missing(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("testbed: %s, and CI=true", reason)
	} else {
		t.Skipf("testbed: %s", reason)
	}
}

// Program finds an executable, also in the directories where Debian installs servers but which are
// not in the PATH of unprivileged users.
func Program(t testing.TB, names ...string) string {
	t.Helper()
	for _, name := range names {
		for _, candidate := range []string{name, "/usr/sbin/" + name, "/usr/local/sbin/" + name} {
			if path, err := exec.LookPath(candidate); err == nil {
				return path
			}
		}
	}
	Missing(t, names[0]+" is not installed")
	return ""
}

// Root is the top of the repository, searched upwards from the working directory: go test starts in
// the package's own.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("testbed: not inside the repository")
		}
		dir = parent
	}
}
