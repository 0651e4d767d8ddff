package main

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// nobody is who the image runs as: distroless images call this user nonroot.
const nobody = "65532"

// images are made without a daemon: one layer with the binary, the authorities to trust, and the
// licences.
type images struct {
	r     *release
	index v1.ImageIndex // of all architectures
}

func newImages(r *release) *images {
	return &images{r, mutate.IndexMediaType(empty.Index, types.OCIImageIndex)}
}

// add makes the image of a target, and the file of it that docker load and podman load read.
func (i *images) add(t target, dir string) error {
	root := filepath.Join(i.r.work, "rootfs-"+t.arch)
	if err := fillRoot(root, dir); err != nil {
		return err
	}
	var files bytes.Buffer
	if err := i.r.writeTar(&files, root, ""); err != nil {
		return err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files.Bytes())), nil },
		tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
	if err != nil {
		return err
	}
	image, platform, err := i.image(t, layer)
	if err != nil {
		return err
	}
	i.index = mutate.AppendManifests(i.index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: platform}})
	tag, err := name.NewTag("renew_mnetkeys:" + i.r.version)
	if err != nil {
		return err
	}
	return tarball.WriteToFile(filepath.Join(i.r.dist, filepath.Base(dir)+".docker.tar"), tag, image)
}

func (i *images) image(t target, layer v1.Layer) (v1.Image, *v1.Platform, error) {
	platform := &v1.Platform{OS: t.os, Architecture: t.arch}
	if t.arch == "armv7" {
		platform.Architecture, platform.Variant = "arm", "v7"
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	at := v1.Time{Time: i.r.time}
	image, err := mutate.Append(base, mutate.Addendum{Layer: layer, History: v1.History{Created: at, CreatedBy: "tools/release"}})
	if err != nil {
		return nil, nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, nil, err
	}
	config.OS, config.Architecture, config.Variant, config.Created = platform.OS, platform.Architecture, platform.Variant, at
	config.Config = v1.Config{User: nobody + ":" + nobody, Entrypoint: []string{"/usr/bin/renew_mnetkeys"}, Cmd: []string{"--help"},
		Env: []string{"PATH=/usr/bin"}, WorkingDir: "/", Labels: i.labels()}
	image, err = mutate.ConfigFile(image, config)
	return image, platform, err
}

func (i *images) labels() map[string]string {
	return map[string]string{
		"org.opencontainers.image.title": "renew_mnetkeys", "org.opencontainers.image.version": i.r.version, "org.opencontainers.image.revision": i.r.revision,
		"org.opencontainers.image.created": i.r.time.Format("2006-01-02T15:04:05Z"), "org.opencontainers.image.licenses": "MIT",
	}
}

// fillRoot makes the file system of the image.
func fillRoot(root, dir string) error {
	var roots bytes.Buffer
	for r := range bundle.Roots() {
		if r.Constraint == nil { // a file of certificates can not say which of its certificates count only for some
			if err := pem.Encode(&roots, &pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate}); err != nil {
				return err
			}
		}
	}
	for path, text := range map[string]string{
		"etc/ssl/certs/ca-certificates.crt": roots.String(),
		"etc/passwd":                        strings.ReplaceAll("root:x:0:0:root:/:/sbin/nologin\nnonroot:x:ID:ID:nonroot:/:/sbin/nologin\n", "ID", nobody),
		"etc/group":                         "root:x:0:\nnonroot:x:" + nobody + ":\n",
	} {
		if err := writeFile(filepath.Join(root, path), []byte(text)); err != nil {
			return err
		}
	}
	doc := filepath.Join(root, "usr/share/doc/renew_mnetkeys")
	if err := os.CopyFS(filepath.Join(doc, "LICENSES"), os.DirFS(filepath.Join(dir, "LICENSES"))); err != nil {
		return err
	}
	for _, file := range []string{"LICENSE", "renew_mnetkeys.cdx.json"} {
		if err := copyFile(filepath.Join(dir, file), filepath.Join(doc, file), 0o644); err != nil {
			return err
		}
	}
	if err := copyFile(filepath.Join(dir, "renew_mnetkeys"), filepath.Join(root, "usr/bin/renew_mnetkeys"), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(root, "tmp"), 0o755); err != nil {
		return err
	}
	return os.Chmod(filepath.Join(root, "tmp"), 0o777|os.ModeSticky)
}

// writeLayout writes all architectures as one OCI layout, for registries: skopeo copy, crane push,
// oras.
func (i *images) writeLayout() (err error) {
	if manifests, err := i.index.IndexManifest(); err != nil || len(manifests.Manifests) == 0 {
		return err // no target has an image
	}
	dir := filepath.Join(i.r.work, "oci")
	all, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	if err := all.AppendIndex(i.index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": i.r.version})); err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(i.r.dist, fmt.Sprintf("renew_mnetkeys-%s.oci.tar", i.r.version)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return i.r.writeTar(file, dir, "")
}
