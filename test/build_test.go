package test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

// envCommand names a binary that is run instead of the one that is built here; coverage.sh sets it.
const envCommand = "MNETKEYS_TEST_COMMAND"

// noSleep is for GORACE: without it, every process of a race build sleeps for a second at its end.
const noSleep = "atexit_sleep_ms=0"

// forRace are the arguments that build the command with the race detector, if the tests have it.
var forRace []string

// binary is the command that tests run.
func binary(t testing.TB) string {
	t.Helper()
	if given := os.Getenv(envCommand); given != "" {
		return given
	}
	return built(t, forRace...)
}

// builds are the binaries that were built, by the arguments of go build.
var builds struct {
	sync.Mutex
	dir  string
	done map[string]string
}

// built is the command, built with these arguments of go build, once for all tests of the process.
func built(t testing.TB, args ...string) string {
	t.Helper()
	builds.Lock()
	defer builds.Unlock()
	key := strings.Join(args, " ")
	if builds.done[key] != "" {
		return builds.done[key]
	}
	if _, err := exec.LookPath("go"); err != nil {
		testbed.Missing(t, "go is not installed")
	}
	noteSources(t)
	if builds.dir == "" {
		dir, err := os.MkdirTemp("", "built")
		if err != nil {
			t.Fatal(err)
		}
		builds.dir, builds.done = dir, map[string]string{}
	}
	file := filepath.Join(builds.dir, fmt.Sprint(len(builds.done)), "renew_mnetkeys")
	build := exec.Command("go", append(append([]string{"build", "-o", file}, args...), "renew_mnetkeys")...)
	if slices.Contains(args, "-trimpath") { // as make release builds
		build.Env = append(build.Environ(), "CGO_ENABLED=0")
	}
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", build, err, out)
	}
	builds.done[key] = file
	return file
}

// noteSources reads all directories of sources: so go test repeats these tests, instead of printing
// a cached result, when a file in them has changed. The tests do not import the command, so that go
// test would not know.
func noteSources(t testing.TB) {
	t.Helper()
	root := testbed.Root(t)
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && path != root && strings.HasPrefix(entry.Name(), ".") {
			return fs.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// withBuilds removes the binaries when the last test has ended.
type withBuilds struct{ m *testing.M }

// Run returns the exit code of the tests.
func (w withBuilds) Run() int {
	defer func() { _ = os.RemoveAll(builds.dir) }()
	return w.m.Run()
}
