package packaging_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/internal/testbed"
)

const (
	name     = "renew-mnetkeys"
	optional = "/etc/renew_mnetkeys.conf"
	timer    = "renew_mnetkeys.timer"
	enabled  = "/etc/systemd/system/timers.target.wants/" + timer
)

// isInstalledAndRemoved installs the package on this machine, checks that dpkg, man, systemctl and
// the shells know it, and removes it again.
func isInstalledAndRemoved(t *testing.T, deb string) {
	if os.Geteuid() != 0 {
		testbed.Missing(t, "only root can install a package")
	}
	testbed.Program(t, "dpkg")
	for _, path := range []string{optional, "/usr/bin/renew_mnetkeys"} {
		if _, err := os.Lstat(path); err == nil {
			testbed.Missing(t, path+" is there: this machine has an installation of its own, which is left alone")
		}
	}
	t.Cleanup(func() { dpkg(t, "--purge", name) })
	dpkg(t, "--install", deb)
	paths := strings.Fields(output(t, "dpkg", "--listfiles", name))

	isUsable(t)
	if got := strings.Fields(output(t, "dpkg-query", "--show", "--showformat=${Conffiles}", name)); len(got) != 2 || got[0] != optional {
		t.Errorf("conffiles: %q", got)
	}
	optionsAreRead(t)
	timerIsOff(t)

	dpkg(t, "--remove", name)
	if _, err := os.Lstat(enabled); err == nil {
		t.Errorf("%s is left of an enabled timer", enabled)
	}
	if text, err := os.ReadFile(optional); err != nil || !strings.Contains(string(text), "/no/such/config.php") {
		t.Errorf("what the administrator wrote is gone with the package, not when it is purged: %v", err)
	}
	dpkg(t, "--purge", name)
	isGone(t, paths)
}

// dpkg runs dpkg, which waits for other installations that are under way.
func dpkg(t *testing.T, args ...string) {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(time.Second) {
		cmd := exec.Command("dpkg", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8")
		said, err := cmd.CombinedOutput()
		if err == nil {
			return
		}
		if !strings.Contains(string(said), "lock") || time.Since(begun) > time.Minute {
			t.Fatalf("dpkg %s: %v\n%s", args, err, said)
		}
	}
}

func isUsable(t *testing.T) {
	t.Helper()
	version := output(t, "/usr/bin/renew_mnetkeys", "--version")
	// It must be a revision that git has: HEAD may be another one by now.
	if revision := regexp.MustCompile(`\b[0-9a-f]{40}\b`).FindString(version); revision == "" {
		t.Errorf("--version names no revision: %q", version)
	} else {
		output(t, "git", "cat-file", "-e", revision+"^{commit}")
	}
	if help := output(t, "/usr/bin/renew_mnetkeys", "--help"); !strings.Contains(help, "--dry-run") {
		t.Errorf("--help: %q", help)
	}
	if path := output(t, "man", "-w", "renew_mnetkeys"); !strings.Contains(path, "/usr/share/man/man8/renew_mnetkeys.8.gz") {
		t.Errorf("man finds %q", path)
	}
	// The shells look in these places by themselves. Tests at their terminals, in the folder above,
	// check what is completed.
	if said := output(t, "zsh", "-fc", "autoload -Uz compinit && compinit -u -D && print $_comps[renew_mnetkeys]"); said != "_renew_mnetkeys\n" {
		t.Errorf("zsh completes with %q", said)
	}
	if said := output(t, "fish", "-c", "complete -C 'renew_mnetkeys chec'"); !strings.HasPrefix(said, "check\t") {
		t.Errorf("fish completes %q", said)
	}
	if said := output(t, "bash", "-c", "source /usr/share/bash-completion/completions/renew_mnetkeys && complete -p renew_mnetkeys"); !strings.Contains(said, "_renew_mnetkeys") {
		t.Errorf("bash completes by %q", said)
	}
}

// optionsAreRead runs the command with the file as it was installed, then with a line of its own in
// it.
func optionsAreRead(t *testing.T) {
	t.Helper()
	refused := func(want string, args ...string) {
		t.Helper()
		cmd := exec.Command("/usr/bin/renew_mnetkeys", args...)
		cmd.Env, cmd.Dir = []string{"PATH=" + os.Getenv("PATH")}, t.TempDir()
		if said, err := cmd.CombinedOutput(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(said), want) {
			t.Errorf("renew_mnetkeys %s: %v\n%s", args, err, said)
		}
	}
	refused("/no/other/config.php", "status", "--config=/no/other/config.php", "--options="+optional)
	file, err := os.OpenFile(optional, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString("config = /no/such/config.php\n"); err != nil {
		t.Fatal(err)
	}
	file.Close()
	refused("/no/such/config.php", "status")
}

// timerIsOff leaves the timer enabled, so that the removal finds it.
func timerIsOff(t *testing.T) {
	t.Helper()
	said, err := exec.Command(testbed.Program(t, "systemctl"), "is-enabled", timer).CombinedOutput()
	if err == nil || strings.TrimSpace(string(said)) != "disabled" {
		t.Errorf("systemctl is-enabled: %q, %v", said, err)
	}
	if said := output(t, "systemd-analyze", "verify", "--man=no", "/lib/systemd/system/renew_mnetkeys.service", "/lib/systemd/system/"+timer); said != "" {
		t.Errorf("systemd says of the units: %s", said)
	}
	output(t, "systemctl", "enable", timer)
	if _, err := os.Lstat(enabled); err != nil {
		t.Error(err)
	}
}

// isGone demands that no file of the package is left, and that dpkg does not mention it.
func isGone(t *testing.T, paths []string) {
	t.Helper()
	files := 0
	for _, path := range paths { // /lib may be a link to a directory
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			t.Errorf("%s is left", path)
		} else if err != nil {
			files++
		}
	}
	if files < 10 {
		t.Errorf("the package had only %d files: %v", files, paths)
	}
	left, err := filepath.Glob("/var/lib/dpkg/info/" + name + ".*")
	if err != nil || len(left) != 0 {
		t.Errorf("dpkg keeps %v, %v", left, err)
	}
	if _, err := os.Stat("/usr/share/doc/" + name); err == nil {
		t.Error("its directory is left")
	}
}
