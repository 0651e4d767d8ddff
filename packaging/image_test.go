package packaging_test

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

type descriptor struct {
	Digest   string
	Size     int64
	Platform struct{ Architecture string }
}

// imageRuns reads the layout as a registry's client does, digest by digest, and runs what is in the
// file system that comes out. tools/release has it read by a library too.
func imageRuns(t *testing.T, dist string, count int, arch, revision string) {
	dir := t.TempDir()
	output(t, "tar", "-x", "-C", dir, "-f", one(t, dist, "renew_mnetkeys-*.oci.tar"))
	var top, all struct{ Manifests []descriptor }
	read(t, filepath.Join(dir, "index.json"), &top)
	read(t, blob(t, dir, top.Manifests[0]), &all)
	if len(top.Manifests) != 1 || len(all.Manifests) != count {
		t.Fatalf("%d manifests of %d architectures, not of %d", len(top.Manifests), len(all.Manifests), count)
	}
	i := slices.IndexFunc(all.Manifests, func(d descriptor) bool { return d.Platform.Architecture == strings.TrimSuffix(arch, "v7") })
	var manifest struct {
		Config descriptor
		Layers []descriptor
	}
	read(t, blob(t, dir, all.Manifests[i]), &manifest)
	var config struct {
		Config struct {
			User       string
			Entrypoint []string
		}
	}
	read(t, blob(t, dir, manifest.Config), &config)
	if config.Config.User != "65532:65532" || fmt.Sprint(config.Config.Entrypoint) != "[/usr/bin/renew_mnetkeys]" || len(manifest.Layers) != 1 {
		t.Errorf("%+v, %d layers", config, len(manifest.Layers))
	}
	root := t.TempDir()
	output(t, "tar", "-xz", "-C", root, "-f", blob(t, dir, manifest.Layers[0]))
	if !x509.NewCertPool().AppendCertsFromPEM([]byte(file(t, filepath.Join(root, "etc/ssl/certs/ca-certificates.crt")))) {
		t.Error("the image trusts nobody")
	}
	runsAsNobody(t, root, revision)
}

func runsAsNobody(t *testing.T, root, revision string) {
	t.Helper()
	if os.Geteuid() != 0 {
		testbed.Missing(t, "only root can change the root directory")
	}
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "/usr/bin/renew_mnetkeys", "--version")
	cmd.Env, cmd.Dir = []string{}, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	said, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(said), revision) {
		t.Errorf("--version: %q, %v", said, err)
	}
}

// blob is the file with a digest, which it must have.
func blob(t *testing.T, dir string, d descriptor) string {
	t.Helper()
	path := filepath.Join(dir, "blobs", strings.Replace(d.Digest, ":", "/", 1))
	content := file(t, path)
	if sum := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(content))); sum != d.Digest || int64(len(content)) != d.Size {
		t.Errorf("%s is %s, and of %d bytes, not %d", path, sum, len(content), d.Size)
	}
	return path
}

func read(t *testing.T, path string, to any) {
	t.Helper()
	if err := json.Unmarshal([]byte(file(t, path)), to); err != nil {
		t.Fatal(err)
	}
}
