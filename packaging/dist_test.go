// Package packaging_test packs a release as make dist does, looks into it, and installs its Debian
// package. It also reads the files for cron, systemd and Kubernetes as those programs will, and
// their command lines as renew_mnetkeys will.
package packaging_test

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/json"
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

// machines are the architectures of a release that are tested. All of them would cost another
// minute on a machine with an empty Go cache, so only a longer run tests all.
func machines(t *testing.T) map[string]elf.Machine {
	all := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	if testbed.Long() {
		return all
	}
	host := strings.TrimSpace(output(t, "go", "env", "GOHOSTARCH"))
	return map[string]elf.Machine{host: all[host]}
}

func TestARelease(t *testing.T) {
	dist, machines := t.TempDir(), machines(t)
	// With an empty Go cache, it compiles everything twice.
	ctx, cancel := context.WithTimeout(t.Context(), 7*time.Minute)
	defer cancel()
	if said, err := exec.CommandContext(ctx, testbed.Program(t, "make"), "-C", "..", "dist", "DIST="+dist, "ARCHS="+strings.Join(slices.Sorted(maps.Keys(machines)), " ")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	t.Run("is all in its sums", func(t *testing.T) { sumsHold(t, dist, len(machines)) })
	for arch, machine := range machines {
		t.Run("for "+arch+" holds what it should", func(t *testing.T) { holdsAll(t, one(t, dist, "*-linux-"+arch+".tar.gz"), machine) })
		t.Run("for "+arch+" says what it is made of", func(t *testing.T) { namesItsParts(t, one(t, dist, "*-linux-"+arch+".cdx.json"), arch) })
	}
	host := strings.TrimSpace(output(t, "go", "env", "GOHOSTARCH"))
	t.Run("is installed and removed", func(t *testing.T) { isInstalledAndRemoved(t, one(t, dist, "renew-mnetkeys_*_"+host+".deb")) })
}

func one(t *testing.T, dir, pattern string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(paths) != 1 {
		t.Fatalf("%s: %v, %v", pattern, paths, err)
	}
	return paths[0]
}

// output is what a command prints; the command must not fail.
func output(t *testing.T, command ...string) string {
	t.Helper()
	said, err := exec.CommandContext(t.Context(), testbed.Program(t, command[0]), command[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, said)
	}
	return string(said)
}

func sumsHold(t *testing.T, dist string, machines int) {
	sums, err := os.ReadFile(filepath.Join(dist, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dist)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 3*machines+1 {
		t.Errorf("%d files: %v", len(files), files)
	}
	for _, f := range files {
		if f.Name() == "SHA256SUMS" {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dist, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if line := fmt.Sprintf("%x  %s\n", sha256.Sum256(content), f.Name()); !strings.Contains(string(sums), line) {
			t.Errorf("not in SHA256SUMS: %s", line)
		}
	}
}

// holdsAll reads an archive: all files are in one directory, without a particular owner, with a
// static binary.
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
		"packaging/systemd/renew_mnetkeys.timer", "packaging/kubernetes/cronjob.yaml", "packaging/icinga2/renew_mnetkeys.conf",
		"packaging/nagios/renew_mnetkeys.cfg", "packaging/nrpe/renew_mnetkeys.cfg", "packaging/sudoers.d/renew_mnetkeys",
		"packaging/prometheus/renew_mnetkeys.rules.yml", "README.md", "LICENSE", "LICENSES-THIRD-PARTY"} {
		if !held[want] {
			t.Errorf("%s is not there, or empty", want)
		}
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

// namesItsParts demands every module that go.mod requires for the command itself, and that every
// dependency of a listed part is listed.
func namesItsParts(t *testing.T, path, arch string) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var bom struct {
		BOMFormat, SpecVersion string
		Metadata               struct {
			Component struct {
				Ref string `json:"bom-ref"`
			}
		}
		Components []struct {
			Ref           string `json:"bom-ref"`
			Name, Version string
		}
		Dependencies []struct {
			Ref       string
			DependsOn []string
		}
	}
	if err := json.Unmarshal(text, &bom); err != nil {
		t.Fatal(err)
	}
	if bom.BOMFormat != "CycloneDX" || bom.SpecVersion != "1.5" {
		t.Errorf("%s %s", bom.BOMFormat, bom.SpecVersion)
	}
	versions, refs := map[string]string{}, map[string]bool{bom.Metadata.Component.Ref: true}
	for _, c := range bom.Components {
		versions[c.Name], refs[c.Ref] = c.Version, true
	}
	if len(refs) != len(bom.Components)+1 || versions["std"] == "" {
		t.Errorf("components that are one, or no Go: %s", text)
	}
	for module, version := range required(t, arch) {
		if versions[module] != version {
			t.Errorf("%s is linked as %s, and listed as %q", module, version, versions[module])
		}
	}
	direct := 0
	for _, d := range bom.Dependencies {
		if d.Ref == bom.Metadata.Component.Ref {
			direct = len(d.DependsOn)
		}
		for _, ref := range append(d.DependsOn, d.Ref) {
			if !refs[ref] {
				t.Errorf("%q is no component", ref)
			}
		}
	}
	if direct < 5 || direct >= len(bom.Components) {
		t.Errorf("of %d components, %d are direct", len(bom.Components), direct)
	}
}

// required are the versions in go.mod of the modules that the command imports.
func required(t *testing.T, arch string) map[string]string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{end}}{{end}}", "..")
	list.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-tags=urfave_cli_no_docs")
	said, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{}
	for line := range strings.Lines(string(said)) {
		if module, version, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			versions[module] = version
		}
	}
	if versions["github.com/urfave/cli/v2"] == "" {
		t.Fatalf("go list does not know what the command imports: %s", said)
	}
	return versions
}
