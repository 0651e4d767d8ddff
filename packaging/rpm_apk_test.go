package packaging_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

var (
	rpmArch = map[string]string{"amd64": "x86_64", "arm64": "aarch64", "armv7": "armv7hl"}
	apkArch = map[string]string{"amd64": "x86_64", "arm64": "aarch64", "armv7": "armv7"}
)

// inEveryPackage is what nobody should have to look for.
var inEveryPackage = []string{"/usr/bin/renew_mnetkeys", "/usr/share/man/man8/renew_mnetkeys.8.gz", "/etc/renew_mnetkeys.conf",
	"/usr/lib/systemd/system/renew_mnetkeys.service", "/usr/lib/systemd/system/renew_mnetkeys.timer",
	"/usr/share/bash-completion/completions/renew_mnetkeys", "/usr/share/fish/vendor_completions.d/renew_mnetkeys.fish",
	"/usr/share/zsh/site-functions/_renew_mnetkeys",
	"/usr/share/doc/renew-mnetkeys/packaging/cron.d/renew_mnetkeys", "/usr/share/doc/renew-mnetkeys/packaging/sudoers.d/renew_mnetkeys",
	"/usr/share/doc/renew-mnetkeys/packaging/nrpe/renew_mnetkeys.cfg", "/usr/share/doc/renew-mnetkeys/SECURITY.md",
	"/usr/share/doc/renew-mnetkeys/docs/schema/renew_mnetkeys.schema.json", "/usr/share/doc/renew-mnetkeys/LICENSES/go/LICENSE"}

func lists(t *testing.T, list string) {
	t.Helper()
	for _, path := range inEveryPackage {
		if !strings.Contains(list, path+"\n") {
			t.Errorf("%s is not in it", path)
		}
	}
}

// rpmHolds has rpm check the package, list it, and install it into a directory. No script of it is
// run.
func rpmHolds(t *testing.T, path string) {
	testbed.Program(t, "rpm")
	root := t.TempDir()
	if said := output(t, "rpm", "--nosignature", "--checksig", path); !strings.Contains(said, "digests OK") {
		t.Errorf("rpm --checksig: %s", said)
	}
	query := func(args ...string) string {
		return output(t, append([]string{"rpm", "--dbpath=" + root, "--nosignature", "-qp"}, append(args, path)...)...)
	}
	lists(t, query("--list"))
	if said := query("--configfiles"); said != "/etc/renew_mnetkeys.conf\n" {
		t.Errorf("configuration files: %q", said)
	}
	if said := query("--queryformat=%{NAME} %{VERSION} %{LICENSE} %{BUILDHOST}"); said != "renew-mnetkeys "+release(t)+" MIT localhost" {
		t.Errorf("it is %q", said)
	}
	if said := query("--scripts"); !strings.Contains(said, "systemctl --quiet") || strings.Contains(said, "enable --now") {
		t.Errorf("scripts: %s", said)
	}
	unpacks(t, path)
}

// apkHolds reads the package as what it is: three archives one behind the other, in the first the
// script, in the second .PKGINFO. Debian 12 has no apk.
func apkHolds(t *testing.T, path string) {
	list := output(t, "tar", "--ignore-zeros", "--warning=no-unknown-keyword", "--list", "--gzip", "--file="+path)
	lists(t, "/"+strings.ReplaceAll(list, "\n", "\n/"))
	info := output(t, "tar", "--ignore-zeros", "--warning=no-unknown-keyword", "--extract", "--to-stdout", "--gzip", "--file="+path, ".PKGINFO")
	for _, line := range []string{"pkgname = renew-mnetkeys\n", "pkgver = " + release(t) + "\n", "license = MIT\n"} {
		if !strings.Contains(info, line) {
			t.Errorf(".PKGINFO has no %q:\n%s", line, info)
		}
	}
	unpacks(t, path)
}

// unpacks takes the binary out by libarchive, which knows both, and runs it.
func unpacks(t *testing.T, path string) {
	t.Helper()
	dir := t.TempDir()
	output(t, "bsdtar", "-x", "-C", dir, "-f", path)
	said, err := exec.CommandContext(t.Context(), filepath.Join(dir, "usr/bin/renew_mnetkeys"), "--version").Output()
	if err != nil || !strings.Contains(string(said), release(t)+" (revision ") {
		t.Errorf("--version: %q, %v", said, err)
	}
}
