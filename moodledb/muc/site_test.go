package muc

import (
	"errors"
	"flag"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/rotate"
)

// identifier is the siteidentifier of table config on the site that testdata/*.php were written
// for.
const identifier = "hsv9Sd8dhfmVXo3aJyLqtc0wq2OFBf8ymoodle.example.org"

// site is a dataroot of a test, without any Moodle.
type site struct {
	t    *testing.T
	root string
}

func newSite(t *testing.T) site {
	t.Helper()
	return site{t, t.TempDir()}
}

func (s site) location() location {
	return location{Dataroot: s.root, SiteIdentifier: identifier}
}

// write makes a file below the dataroot, with its directories, and returns its path.
func (s site) write(name, content string) string {
	s.t.Helper()
	path := filepath.Join(s.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// configure writes muc/config.php: a file of testdata with pairs of old and new text replaced. Each
// old text must be there.
func (s site) configure(fixture string, replace ...string) {
	s.t.Helper()
	s.write("muc/config.php", fixtureText(s.t, fixture, replace...))
}

func fixtureText(t testing.TB, fixture string, replace ...string) string {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("testdata", fixture+".php"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(source)
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(text, replace[i]) {
			t.Fatalf("%s has no %q", fixture, replace[i])
		}
		text = strings.ReplaceAll(text, replace[i], replace[i+1])
	}
	return text
}

// entry is where the file store of dir keeps a key of core/config. dir is relative to the dataroot
// and ends with core_config, or with the revision below it.
func entry(dir, cacheIdentifier, key string) string {
	name := entryName(cacheIdentifier, key)
	return filepath.Join(dir, name[:3]+"-cache", name+".cache")
}

const defaultStore = "cache/cachestore_file/default_application/core_config"

// warm writes entries, and beside them another key of core/config, which must survive scope Entry.
func (s site) warm(dir, cacheIdentifier string) (gone []string, other string) {
	s.t.Helper()
	for _, key := range []string{"mnet", "core"} {
		gone = append(gone, s.write(entry(dir, cacheIdentifier, key), "a:1:{…}"))
	}
	return gone, s.write(entry(dir, cacheIdentifier, "theme_boost"), "a:0:{}")
}

func (s site) open() *builtin {
	s.t.Helper()
	c, err := open(s.location(), options{})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func (s site) drop(scope rotate.Scope) result {
	s.t.Helper()
	r, err := s.open().drop(s.t.Context(), scope)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// removed is the sum over all stores.
func removed(r result) int {
	sum := 0
	for _, s := range r.Stores {
		sum += s.Removed
	}
	return sum
}

func (s site) absent(paths ...string) {
	s.t.Helper()
	for _, path := range paths {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			s.t.Errorf("%s is still there (%v)", path, err)
		}
	}
}

func (s site) present(paths ...string) {
	s.t.Helper()
	for _, path := range paths {
		if _, err := os.Lstat(path); err != nil {
			s.t.Errorf("gone: %v", err)
		}
	}
}

// unprivileged is true in a process to which file permissions apply. Root runs the test again as
// nobody and gets false.
func unprivileged(t *testing.T) bool {
	t.Helper()
	if os.Getuid() != 0 {
		return true
	}
	// Other users may not enter the directory in which go test builds.
	dir, err := os.MkdirTemp("", "muc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "muc.test")
	copyExecutable(t, binary)
	cmd := exec.CommandContext(t.Context(), binary, "-test.run=^"+t.Name()+"$", "-test.v")
	if into := flag.Lookup("test.gocoverdir").Value.String(); into != "" {
		defer takeCoverage(t, cmd, filepath.Join(dir, "covered"), into)()
	}
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	switch {
	case errors.Is(err, syscall.EPERM):
		testbed.Missing(t, "root may not become another user here")
	case err != nil:
		t.Errorf("as nobody: %v\n%s", err, out)
	}
	if !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("as nobody it did not pass:\n%s", out)
	}
	return false
}

// takeCoverage lets cmd write its coverage into dir, since it may not write to the right place; the
// returned function moves it there.
func takeCoverage(t *testing.T, cmd *exec.Cmd, dir, into string) func() {
	t.Helper()
	for _, err := range []error{os.Mkdir(dir, 0o755), os.Chmod(dir, 0o777)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd.Args = append(cmd.Args, "-test.gocoverdir="+dir)
	return func() {
		files, err := os.ReadDir(dir)
		if err != nil || len(files) == 0 {
			t.Errorf("%d files of coverage, %v", len(files), err)
		}
		for _, file := range files {
			text, err := os.ReadFile(filepath.Join(dir, file.Name()))
			if err == nil {
				err = os.WriteFile(filepath.Join(into, file.Name()), text, 0o644)
			}
			if err != nil {
				t.Error(err)
			}
		}
	}
}

func copyExecutable(t *testing.T, to string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}
