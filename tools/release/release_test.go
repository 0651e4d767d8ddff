package main

import (
	"bytes"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aead.dev/minisign"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// fake is a release with little in it.
func fake(t *testing.T) (*release, string) {
	t.Helper()
	r := &release{work: t.TempDir(), dist: t.TempDir(), version: "7.8.9", revision: "abc", time: time.Unix(1900000000, 0).UTC()}
	dir := filepath.Join(r.work, "renew_mnetkeys-7.8.9-linux-armv7")
	for _, name := range []string{"renew_mnetkeys", "LICENSE", "LICENSES/go/LICENSE", "renew_mnetkeys.cdx.json"} {
		if err := writeFile(filepath.Join(dir, name), []byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	return r, dir
}

func TestALibraryReadsTheImage(t *testing.T) {
	r, dir := fake(t)
	images := newImages(r)
	if err := images.add(target{"linux", "armv7"}, dir); err != nil {
		t.Fatal(err)
	}
	if err := images.writeLayout(); err != nil {
		t.Fatal(err)
	}
	unpacked := t.TempDir()
	if said, err := exec.CommandContext(t.Context(), "tar", "-x", "-C", unpacked, "-f", filepath.Join(r.dist, "renew_mnetkeys-7.8.9.oci.tar")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	index, err := layout.ImageIndexFromPath(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Errorf("the layout: %v", err)
	}
	image, err := tarball.ImageFromPath(filepath.Join(r.dist, filepath.Base(dir)+".docker.tar"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(image); err != nil {
		t.Errorf("what docker loads: %v", err)
	}
	config, err := image.ConfigFile()
	if err != nil || config.Architecture != "arm" || config.Variant != "v7" || config.Config.User != "65532:65532" || !config.Created.Equal(r.time) {
		t.Errorf("%+v, %v", config, err)
	}
}

func TestSumsAreSignedOnlyWithAKey(t *testing.T) {
	public, private, err := minisign.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := private.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := minisign.EncryptKey("S3cret", private)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, plain, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env    map[string]string
		signed bool
		err    string
	}{
		"without a key":                     {nil, false, ""},
		"with a key in the environment":     {map[string]string{"MINISIGN_KEY": string(plain)}, true, ""},
		"with a key in a file":              {map[string]string{"MINISIGN_KEY_FILE": path}, true, ""},
		"with a key and its password":       {map[string]string{"MINISIGN_KEY": string(sealed), "MINISIGN_PASSWORD": "S3cret"}, true, ""},
		"with a key and another's password": {map[string]string{"MINISIGN_KEY": string(sealed), "MINISIGN_PASSWORD": "guess"}, false, "does not open it"},
		"with something else":               {map[string]string{"MINISIGN_KEY": "S3cret"}, false, "not a secret key"},
		"with a file that is not there":     {map[string]string{"MINISIGN_KEY_FILE": path + "s"}, false, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, variable := range []string{"MINISIGN_KEY", "MINISIGN_KEY_FILE", "MINISIGN_PASSWORD"} {
				t.Setenv(variable, c.env[variable])
			}
			r, _ := fake(t)
			if err := writeFile(filepath.Join(r.dist, "renew_mnetkeys-7.8.9"), []byte("content")); err != nil {
				t.Fatal(err)
			}
			err := r.sum()
			if (err == nil) != (c.err == "") || err != nil && (!strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "S3cret")) {
				t.Fatalf("%v, not %q", err, c.err)
			}
			signature, err := os.ReadFile(filepath.Join(r.dist, sumsFile+".minisig"))
			if (err == nil) != c.signed {
				t.Fatalf("signed: %v", err)
			}
			if c.signed {
				verifies(t, public, filepath.Join(r.dist, sumsFile), signature)
			}
		})
	}
}

func verifies(t *testing.T, public minisign.PublicKey, path string, signature []byte) {
	t.Helper()
	sums, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	hashed := minisign.NewReader(bytes.NewReader(sums))
	if _, err := new(bytes.Buffer).ReadFrom(hashed); err != nil {
		t.Fatal(err)
	}
	if !hashed.Verify(public, signature) || !strings.Contains(string(signature), "timestamp:1900000000\t") {
		t.Errorf("%s", signature)
	}
	// What minisign itself says of it, if it is here.
	if program, err := exec.LookPath("minisign"); err == nil {
		if said, err := exec.CommandContext(t.Context(), program, "-V", "-P", public.String(), "-m", path).CombinedOutput(); err != nil {
			t.Errorf("minisign: %v\n%s", err, said)
		}
	}
}
