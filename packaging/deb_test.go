package packaging_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

const (
	name        = "renew-mnetkeys"
	optionsFile = "/etc/renew_mnetkeys.conf"
	timer       = "renew_mnetkeys.timer"
	enabled     = "/etc/systemd/system/timers.target.wants/" + timer
)

var debArch = map[string]string{"amd64": "amd64", "arm64": "arm64", "armv7": "armhf"}

// tree is a directory that dpkg installs into, as if it was the root of a machine. Nothing of this
// machine is touched.
type tree string

// isInstalledAndRemoved installs the release before this one, upgrades it, and takes it away again.
func isInstalledAndRemoved(t *testing.T, deb, revision string) {
	if os.Geteuid() != 0 {
		testbed.Missing(t, "only root can install a package")
	}
	testbed.Program(t, "dpkg")
	root := tree(t.TempDir())
	for _, dir := range []string{"updates", "info", "triggers"} {
		if err := os.MkdirAll(root.path("/var/lib/dpkg/"+dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	place(t, root.path("/var/lib/dpkg/status"), nil)

	root.dpkg(t, "--install", older(t, deb))
	root.timerIsOff(t)
	root.optionsAreRead(t)
	root.dpkg(t, "--force-confdef", "--force-confold", "--install", deb)
	paths := strings.Fields(output(t, "dpkg-query", "--admindir="+root.path("/var/lib/dpkg"), "--listfiles", name))
	haveWhatIsDocumented(t, paths)
	root.isUsable(t, revision)
	if _, err := os.Lstat(root.path(enabled)); err != nil {
		t.Errorf("the upgrade disabled the timer: %v", err)
	}
	if kept := file(t, root.path(optionsFile)); !strings.Contains(kept, "/no/such/config.php") {
		t.Error("the upgrade took away what the administrator wrote")
	}
	if offered := file(t, root.path(optionsFile+".dpkg-dist")); strings.Contains(offered, "older") {
		t.Error("what the new release has is not beside the administrator's file")
	}

	root.dpkg(t, "--remove", name)
	if _, err := os.Lstat(root.path(enabled)); err == nil {
		t.Errorf("%s is left of an enabled timer", enabled)
	}
	if !strings.Contains(file(t, root.path(optionsFile)), "/no/such/config.php") {
		t.Error("what the administrator wrote is gone with the package, not when it is purged")
	}
	root.dpkg(t, "--purge", name)
	root.isGone(t, paths)
}

// haveWhatIsDocumented fails if a document names a file below the package's own directory that is
// not among the paths.
func haveWhatIsDocumented(t *testing.T, paths []string) {
	t.Helper()
	named := regexp.MustCompile("/usr/share/doc/" + name + `(/[\w-]+(\.\w+)*)+`)
	seen := 0
	for _, pattern := range []string{"../README.md", "../docs/*.md", "../docs/fr/*.md", "README.md"} {
		documents, err := filepath.Glob(pattern)
		if err != nil || len(documents) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, document := range documents {
			for _, path := range named.FindAllString(file(t, document), -1) {
				seen++
				if !slices.Contains(paths, path) {
					t.Errorf("%s names %s, which the package does not have", document, path)
				}
			}
		}
	}
	if seen == 0 {
		t.Error("no document names a file of the package")
	}
}

// older is the package with a lower version and another file of options.
func older(t *testing.T, deb string) string {
	t.Helper()
	dir, path := t.TempDir(), filepath.Join(t.TempDir(), "older.deb")
	output(t, "dpkg-deb", "--raw-extract", deb, dir)
	control := filepath.Join(dir, "DEBIAN/control")
	place(t, control, []byte(broken(t, file(t, control), "Version: "+release(t), "Version: 0.9.0")))
	place(t, filepath.Join(dir, optionsFile), []byte("# older\n"))
	output(t, "dpkg-deb", "-Znone", "--build", dir, path)
	return path
}

func (r tree) path(name string) string { return filepath.Join(string(r), name) }

func (r tree) dpkg(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "dpkg", append([]string{"--root=" + string(r), "--force-script-chrootless", "--log=" + r.path("/dpkg.log")}, args...)...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("dpkg %s: %v\n%s", args, err, said)
	}
}

// command runs what was installed, which needs nothing else of a machine.
func (r tree) command(t *testing.T, args ...string) (string, int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/usr/bin/renew_mnetkeys", args...)
	cmd.Env, cmd.Dir = []string{"PATH=/usr/bin"}, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: string(r)}
	said, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(said), cmd.ProcessState.ExitCode()
}

func (r tree) isUsable(t *testing.T, revision string) {
	t.Helper()
	if said, code := r.command(t, "--version"); code != 0 || !strings.Contains(said, release(t)+" (revision "+revision+", 2030-01-02, go") {
		t.Errorf("--version, exit code %d: %q", code, said)
	}
	if said, code := r.command(t, "--help"); code != 0 || !strings.Contains(said, "--dry-run") {
		t.Errorf("--help, exit code %d: %q", code, said)
	}
	if path := output(t, "man", "--manpath="+r.path("/usr/share/man"), "-w", "renew_mnetkeys"); !strings.HasSuffix(path, "/usr/share/man/man8/renew_mnetkeys.8.gz\n") {
		t.Errorf("man finds %q", path)
	}
	// What is completed is tested at terminals, in the folder test.
	zsh := "fpath=(" + r.path("/usr/share/zsh/vendor-completions") + " $fpath); autoload -Uz compinit && compinit -u -D && print $_comps[renew_mnetkeys]"
	if said := output(t, "zsh", "-fc", zsh); said != "_renew_mnetkeys\n" {
		t.Errorf("zsh completes with %q", said)
	}
	fish := "set fish_complete_path " + r.path("/usr/share/fish/vendor_completions.d") + "; set PATH " + r.path("/usr/bin") + " $PATH; complete -C 'renew_mnetkeys chec'"
	if said := output(t, "fish", "-c", fish); !strings.HasPrefix(said, "check\t") {
		t.Errorf("fish completes %q", said)
	}
	bash := "source " + r.path("/usr/share/bash-completion/completions/renew_mnetkeys") + " && complete -p renew_mnetkeys"
	if said := output(t, "bash", "-c", bash); !strings.Contains(said, "_renew_mnetkeys") {
		t.Errorf("bash completes by %q", said)
	}
}

// optionsAreRead writes a line into the file as an administrator does, and runs the command, which
// reads it unasked.
func (r tree) optionsAreRead(t *testing.T) {
	t.Helper()
	text := file(t, r.path(optionsFile))
	place(t, r.path(optionsFile), []byte(text+"config = /no/such/config.php\n"))
	if said, code := r.command(t, "status"); code != 2 || !strings.Contains(said, "/no/such/config.php") {
		t.Errorf("status, exit code %d: %s", code, said)
	}
}

// timerIsOff enables the timer by the documented command, for the upgrade to keep and the removal
// to find.
func (r tree) timerIsOff(t *testing.T) {
	t.Helper()
	said, err := exec.CommandContext(t.Context(), testbed.Program(t, "systemctl"), "--root="+string(r), "is-enabled", timer).CombinedOutput()
	if err == nil || strings.TrimSpace(string(said)) != "disabled" {
		t.Errorf("systemctl is-enabled: %q, %v", said, err)
	}
	output(t, "systemctl", "--root="+string(r), "enable", timer)
	if _, err := os.Lstat(r.path(enabled)); err != nil {
		t.Error(err)
	}
}

// isGone wants no file of the package left, and no word of it with dpkg.
func (r tree) isGone(t *testing.T, paths []string) {
	t.Helper()
	gone := 0
	for _, path := range paths {
		if info, err := os.Stat(r.path(path)); err == nil && !info.IsDir() {
			t.Errorf("%s is left", path)
		} else if err != nil {
			gone++
		}
	}
	if gone < 10 {
		t.Errorf("the package had only %d files: %v", gone, paths)
	}
	left, err := filepath.Glob(r.path("/var/lib/dpkg/info/" + name + ".*"))
	if err != nil || len(left) != 0 {
		t.Errorf("dpkg keeps %v, %v", left, err)
	}
}
