package metrics

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"renew_mnetkeys/rotate"
)

// writer in the environment makes the test program write the file that it names. WRITER_LIMIT is
// the size limit of files for it; if it is "0", the program writes again and again.
const writer = "METRICS_TEST_WRITER"

func TestMain(m *testing.M) {
	path := os.Getenv(writer)
	if path == "" {
		os.Exit(m.Run())
	}
	if os.Getenv("WRITER_LIMIT") == "0" {
		for {
			if err := writeMany(path); err != nil {
				panic(err)
			}
		}
	}
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 4096, Max: 4096}); err != nil {
		panic(err)
	}
	fmt.Print(writeMany(path))
}

const many = 200

// writeMany writes a file of many tenants.
func writeMany(path string) error {
	f, err := Open(path)
	if err != nil {
		return err
	}
	for i := range many {
		f.Add(report(fmt.Sprintf("https://%d.example", i), 20, rotate.Accepted))
	}
	return f.Write(run(1, 0))
}

func asWriter(path, limit string) *exec.Cmd {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), writer+"="+path, "WRITER_LIMIT="+limit, "GORACE=atexit_sleep_ms=0")
	return c
}

// names are the files of a directory.
func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

func TestOpenRefusesWhatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	for _, err := range []error{os.Mkdir(filepath.Join(dir, "dir.prom"), 0o700), syscall.Mkfifo(filepath.Join(dir, "pipe.prom"), 0o600),
		os.WriteFile(filepath.Join(dir, "file"), nil, 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	const suffix = "its name must end in .prom: the textfile collector reads no other file"
	tests := map[string]struct {
		path, problem string
		cause         error
	}{
		"no path":                       {"", suffix, nil},
		"another name":                  {dir + "/mnet.txt", suffix, nil},
		"a directory with the name":     {dir + "/dir.prom", "is not a regular file", nil},
		"a pipe":                        {dir + "/pipe.prom", "is not a regular file", nil},
		"a directory that is not there": {dir + "/none/mnet.prom", "cannot be written in the directory " + dir + "/none", fs.ErrNotExist},
		"a file as directory":           {dir + "/file/mnet.prom", "cannot be looked at", syscall.ENOTDIR},
		"a directory of the kernel":     {"/proc/mnet.prom", "cannot be written in the directory /proc", nil},
	}
	before := names(t, dir)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f, err := Open(test.path)
			var e *Error
			if f != nil || !errors.As(err, &e) || e.Path != test.path || e.Problem != test.problem || test.cause != nil && !errors.Is(err, test.cause) {
				t.Fatalf("error %v", err)
			}
			if strings.Contains(err.Error(), ".tmp") {
				t.Errorf("error %v names a file that users do not know", err)
			}
		})
	}
	if after := names(t, dir); after != before {
		t.Errorf("left behind: %s", after)
	}
}

func TestDirectoryThatMayNotBeWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mnet.prom")
	if err := os.Chmod(filepath.Dir(path), 0o500); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 {
		if _, err := Open(path); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("error %v", err)
		}
		return
	}
	// Root may write anywhere: another user has to try.
	program, dir := copyOfTest(t), filepath.Dir(path)
	c := asWriter(path, "4096")
	c.Path, c.Args[0], c.Dir = program, program, "/"
	// With -cover, or it could not write to the directory of the test.
	c.Env = append(c.Env, "GOCOVERDIR="+os.TempDir())
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	said, err := c.CombinedOutput()
	if want := "metrics file " + path + ": cannot be written in the directory " + filepath.Dir(path) + ": permission denied"; string(said) != want || err != nil {
		t.Errorf("%s, error %v", said, err)
	}
}

// copyOfTest is a copy of the test program that every user can run.
func copyOfTest(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "metrics")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	from, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = from.Close() }()
	to, err := os.OpenFile(filepath.Join(dir, "program"), os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(to, from)
	if err := errors.Join(err, to.Chmod(0o755), to.Close(), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	return to.Name()
}

func TestFullDiskLeavesTheOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mnet.prom")
	write(t, path, run(1, 0), report("https://a.example", 20))
	before := read(t, path)
	// A limit on the file size: as on a full disk, the write comes back short.
	said, err := asWriter(path, "4096").CombinedOutput()
	if want := "metrics file " + path + ": cannot be written: file too large"; string(said) != want || err != nil {
		t.Errorf("%s, error %v", said, err)
	}
	if read(t, path) != before || names(t, filepath.Dir(path)) != "mnet.prom" {
		t.Errorf("the directory has %s", names(t, filepath.Dir(path)))
	}
}

func TestReaderNeverSeesHalfAFileAndKillingLeavesAWholeOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mnet.prom")
	if err := writeMany(path); err != nil {
		t.Fatal(err)
	}
	whole := read(t, path)
	if n := len(values(t, path, notAfter, "wwwroot")); n != many {
		t.Fatalf("%d tenants", n)
	}
	for range 20 { // until one was killed between writing and renaming
		c := asWriter(path, "0")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		// At least a moment, and then until it is writing, however long it takes to start on a busy
		// machine.
		soon, late := time.Now().Add(20*time.Millisecond), time.Now().Add(3*time.Second)
		for now := time.Now(); now.Before(soon) || now.Before(late) && names(t, filepath.Dir(path)) == "mnet.prom"; now = time.Now() {
			if read(t, path) != whole {
				t.Error("a reader saw another file")
			}
		}
		_ = c.Process.Kill()
		_ = c.Wait()
		if read(t, path) != whole {
			t.Fatal("killed, it left another file")
		}
		if all := names(t, filepath.Dir(path)); all != "mnet.prom" {
			for _, name := range strings.Fields(all) {
				if name != "mnet.prom" && strings.HasSuffix(name, ".prom") {
					t.Errorf("the collector would read %s", name)
				}
			}
			return
		}
	}
	t.Error("none was killed between writing and renaming: the test shows nothing")
}

func TestEverybodyMayReadTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mnet.prom")
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	write(t, path, run(1, 0))
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o644 {
		t.Errorf("%v, error %v", info.Mode(), err)
	}
}

func TestSymbolicLinkIsReplacedAndItsTargetLeft(t *testing.T) {
	dir := t.TempDir()
	target, path := filepath.Join(dir, "target"), filepath.Join(dir, "mnet.prom")
	for name, content := range map[string]string{"of a file": notAfter + `{wwwroot="https://a.example"} 7` + "\n", "of nothing": ""} {
		t.Run(name, func(t *testing.T) {
			_ = os.Remove(path)
			_ = os.Remove(target)
			if content != "" {
				if err := os.WriteFile(target, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Symlink(target, path); err != nil {
				t.Fatal(err)
			}
			write(t, path, run(1, 1), failed("https://a.example"))
			if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
				t.Errorf("%v, error %v", info, err)
			}
			if got := values(t, path, notAfter, "wwwroot"); (got["https://a.example"] == 7) != (content != "") {
				t.Errorf("%v", got)
			}
			if left, err := os.ReadFile(target); string(left) != content || (err == nil) != (content != "") {
				t.Errorf("the target has %q, error %v", left, err)
			}
		})
	}
}

// The daily renewal and the hourly check of a machine share a file.
func TestRunsThatEndAtTheSameMomentKeepEachOthersSeries(t *testing.T) {
	path := filepath.Join(t.TempDir(), "renew.prom")
	commands := []string{"renew", "push", "check", "verify", "doctor", "status", "rollback", "move"}
	var all sync.WaitGroup
	for _, command := range commands {
		all.Go(func() {
			f, err := Open(path)
			if err == nil {
				f.Add(report("https://"+command+".example", 20, rotate.Accepted))
				err = f.Write(Run{Command: command, Started: day(1), ExitCode: 4})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range commands {
		if !strings.Contains(string(text), `command="`+command+`"`) {
			t.Errorf("the series of %s are lost", command)
		}
	}
}
