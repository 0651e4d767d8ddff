// Package packaging_test packs a release as make release does, looks into all that it made, and
// installs its Debian package below a temporary directory. It also reads the files for cron,
// systemd and Kubernetes as those will, and their command lines as renew_mnetkeys will.
package packaging_test

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/internal/testbed"
)

func TestMain(m *testing.M) { testbed.Main(m) }

// release is the one of the source: VERSION.
func release(t *testing.T) string { return strings.TrimSpace(file(t, "../VERSION")) }

// machines are the architectures of Linux.
var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64, "armv7": elf.EM_ARM}

func hostArch(t *testing.T) string { return strings.TrimSpace(output(t, "go", "env", "GOHOSTARCH")) }

// sizeLimit is that of the binary, in bytes: 20 MB, and 6 MB for PostgreSQL.
const sizeLimit = 26_000_000

func TestARelease(t *testing.T) {
	targets, arches := "", []string{"amd64", "arm64", "armv7"} // all, in the long run
	if !testbed.Long() {
		arches = []string{hostArch(t)}
		targets = "linux/" + arches[0]
	}
	source, dist := snapshot(t), t.TempDir()
	pack(t, source, dist, targets)
	for name, file := range files(t, dist) {
		if file != name {
			t.Errorf("%s is not in SHA256SUMS as it is", name)
		}
	}
	for _, arch := range arches {
		t.Run("for "+arch+" holds what it should", func(t *testing.T) { holdsAll(t, one(t, dist, "*-linux-"+arch+".tar.gz"), machines[arch]) })
		t.Run("for "+arch+" says what it is made of", func(t *testing.T) { namesItsParts(t, one(t, dist, "*-linux-"+arch+".cdx.json"), arch) })
	}
	arch := arches[0]
	if testbed.Long() {
		arch = hostArch(t)
	}
	revision := strings.TrimSpace(output(t, "git", "-C", source, "rev-parse", "HEAD"))
	t.Run("is installed from its archive as the quick start says", func(t *testing.T) {
		isInstalledAsDocumented(t, one(t, dist, "*-linux-"+arch+".tar.gz"), arch)
	})
	t.Run("is installed, upgraded and removed by dpkg", func(t *testing.T) {
		isInstalledAndRemoved(t, one(t, dist, "renew-mnetkeys_*_"+debArch[arch]+".deb"), revision)
	})
	t.Run("is listed and unpacked as an rpm", func(t *testing.T) { rpmHolds(t, one(t, dist, "*."+rpmArch[arch]+".rpm")) })
	t.Run("is listed and unpacked as an apk", func(t *testing.T) { apkHolds(t, one(t, dist, "*_"+apkArch[arch]+".apk")) })
	t.Run("runs from its image", func(t *testing.T) { imageRuns(t, dist, len(arches), arch, revision) })
	if testbed.Long() {
		t.Run("is the same by the byte from another folder at another time", func(t *testing.T) { isTheSame(t, source, dist, targets) })
	}
}

// snapshot is a repository of its own with the files that are here, committed or not.
func snapshot(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "source")
	for name := range strings.SplitSeq(output(t, "git", "-C", "..", "ls-files", "-z", "--cached", "--others", "--exclude-standard"), "\x00") {
		content, err := os.ReadFile(filepath.Join("..", name))
		if name == "" || errors.Is(err, os.ErrNotExist) { // deleted, and not committed
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		place(t, filepath.Join(dir, name), content)
	}
	git := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir, "-c", "user.name=a", "-c", "user.email=a@example.org"}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_AUTHOR_DATE=2030-01-02T03:04:05Z", "GIT_COMMITTER_DATE=2030-01-02T03:04:05Z")
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", args, err, said)
		}
	}
	git("init", "-q")
	git("add", "--all")
	git("commit", "-q", "--message=snapshot")
	return dir
}

func place(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// pack makes a release. Without anything in Go's cache it compiles all of it.
func pack(t *testing.T, source, dist, targets string, env ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, testbed.Program(t, "make"), "-C", source, "release", "DIST="+dist, "TARGETS="+targets)
	cmd.Env = append(os.Environ(), env...)
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if !strings.Contains(string(said), "SHA256SUMS is not signed") {
		t.Errorf("there is no key, and it does not say that nothing is signed: %s", said)
	}
}

// files gives for each file of a release the name of the file with this sum in SHA256SUMS.
func files(t *testing.T, dist string) map[string]string {
	t.Helper()
	bySum := map[string]string{}
	for line := range strings.Lines(file(t, filepath.Join(dist, "SHA256SUMS"))) {
		sum, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		bySum[sum] = name
	}
	entries, err := os.ReadDir(dist)
	if err != nil || len(entries) != len(bySum)+1 {
		t.Fatalf("%d files and %d sums, %v", len(entries), len(bySum), err)
	}
	found := map[string]string{}
	for _, e := range entries {
		if e.Name() != "SHA256SUMS" {
			found[e.Name()] = bySum[fmt.Sprintf("%x", sha256.Sum256([]byte(file(t, filepath.Join(dist, e.Name())))))]
		}
	}
	return found
}

// isTheSame packs again, from another folder, later, and with another time zone and language.
func isTheSame(t *testing.T, source, dist, targets string) {
	clone, again := filepath.Join(t.TempDir(), "clone"), t.TempDir()
	output(t, "git", "clone", "-q", source, clone)
	pack(t, clone, again, targets, "TZ=Asia/Tokyo", "LANG=de_DE.UTF-8", "LC_ALL=de_DE.UTF-8")
	if first, second := file(t, filepath.Join(dist, "SHA256SUMS")), file(t, filepath.Join(again, "SHA256SUMS")); first != second {
		t.Errorf("first\n%s\nthen\n%s", first, second)
	}
}

// isInstalledAsDocumented pastes the lines of docs/quick-start.md, with directories below a
// temporary one.
func isInstalledAsDocumented(t *testing.T, path, arch string) {
	_, lines, _ := strings.Cut(file(t, "../docs/quick-start.md"), "from the archive:\n\n```sh\n")
	lines, _, found := strings.Cut(lines, "```\n")
	if !found || !strings.Contains(lines, " /usr/bin/\n") || !strings.Contains(lines, " /etc/\n") {
		t.Fatalf("docs/quick-start.md installs nothing from the archive: %s", lines)
	}
	root := t.TempDir()
	for _, dir := range []string{"usr/bin", "etc"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	script := strings.NewReplacer(" /usr/", " "+root+"/usr/", " /etc/", " "+root+"/etc/", "linux-amd64", "linux-"+arch).Replace(lines)
	cmd := exec.CommandContext(t.Context(), "sh", "-euc", script)
	cmd.Dir = t.TempDir()
	if err := os.Symlink(path, filepath.Join(cmd.Dir, filepath.Base(path))); err != nil {
		t.Fatal(err)
	}
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, said)
	}
	if said := output(t, filepath.Join(root, "usr/bin/renew_mnetkeys"), "--version"); !strings.Contains(said, release(t)) {
		t.Errorf("--version: %q", said)
	}
	if sample := file(t, filepath.Join(root, "etc/renew_mnetkeys.conf")); !strings.Contains(sample, "config") {
		t.Errorf("the sample of options: %q", sample)
	}
}

func one(t *testing.T, dir, pattern string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(paths) != 1 {
		t.Fatalf("%s: %v, %v", pattern, paths, err)
	}
	return paths[0]
}

// output is what a command prints, which must not fail.
func output(t *testing.T, command ...string) string {
	t.Helper()
	said, err := exec.CommandContext(t.Context(), testbed.Program(t, command[0]), command[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, said)
	}
	return string(said)
}

// holdsAll reads an archive: all in one directory, nobody's in particular, with a static binary.
func holdsAll(t *testing.T, path string, machine elf.Machine) {
	top := strings.TrimSuffix(filepath.Base(path), ".tar.gz") + "/"
	dir, held := t.TempDir(), map[string]bool{}
	each(t, path, func(h *tar.Header, content io.Reader) {
		name, inside := strings.CutPrefix(h.Name, top)
		if !inside || h.Uid != 0 || h.Gid != 0 || h.Mode&0o022 != 0 || strings.HasSuffix(name, "_test.go") {
			t.Errorf("%s of %d:%d, mode %o", h.Name, h.Uid, h.Gid, h.Mode)
		}
		held[name] = h.Size > 0
		if name == "renew_mnetkeys" {
			binary, err := os.Create(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(binary, content); err != nil {
				t.Fatal(err)
			}
			binary.Close()
		}
	})
	for _, want := range []string{"renew_mnetkeys", "renew_mnetkeys.8", "renew_mnetkeys.conf", "completions/renew_mnetkeys.bash", "completions/_renew_mnetkeys",
		"completions/renew_mnetkeys.fish", "packaging/README.md", "packaging/cron.d/renew_mnetkeys", "packaging/systemd/renew_mnetkeys.service",
		"packaging/systemd/renew_mnetkeys.timer", "packaging/kubernetes/cronjob.yaml", "packaging/kubernetes/kustomization.yaml", "packaging/icinga2/renew_mnetkeys.conf",
		"packaging/nagios/renew_mnetkeys.cfg", "packaging/nrpe/renew_mnetkeys.cfg", "packaging/sudoers.d/renew_mnetkeys",
		"packaging/prometheus/renew_mnetkeys.rules.yml", "README.md", "LICENSE", "SECURITY.md", "CHANGELOG.md", "CONTRIBUTING.md", "renew_mnetkeys.cdx.json",
		"docs/schema/renew_mnetkeys.schema.json", "LICENSES/go/LICENSE"} {
		if !held[want] {
			t.Errorf("%s is not there, or empty", want)
		}
	}
	for module, version := range required(t, "amd64") {
		if licences := "LICENSES/" + module + "@" + version + "/"; !slices.ContainsFunc(slices.Collect(maps.Keys(held)), func(name string) bool { return strings.HasPrefix(name, licences) }) {
			t.Errorf("the licence of %s is not there", module)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "renew_mnetkeys")); err != nil || info.Size() > sizeLimit {
		t.Errorf("the binary is larger than %d bytes: %v, %v", sizeLimit, info, err)
	}
	binary, err := elf.Open(filepath.Join(dir, "renew_mnetkeys"))
	if err != nil {
		t.Fatal(err)
	}
	defer binary.Close()
	if binary.Machine != machine {
		t.Errorf("the binary is for %v", binary.Machine)
	}
	for _, p := range binary.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the binary is not static")
		}
	}
}

// each reads the entries of a tar.gz.
func each(t *testing.T, path string, do func(*tar.Header, io.Reader)) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unpacked, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	for archive := tar.NewReader(unpacked); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		do(h, archive)
	}
}
