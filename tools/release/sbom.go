package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// sbom writes what the binary of a target is made of, as CycloneDX. The maker, pinned in
// tools/go.mod, works on a clone with the files as they are here, since it finds no version in a
// worktree. It asks no network, and writes neither a time nor a serial number.
func (r *release) sbom(ctx context.Context, t target, path string) error {
	maker, source := filepath.Join(r.work, "cyclonedx-gomod"), filepath.Join(r.work, "source")
	if _, err := os.Stat(source); errors.Is(err, fs.ErrNotExist) {
		_, err := output(ctx, filepath.Join(r.root, "tools"), host().env(), "go", "build", "-o", maker, "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod")
		if err != nil {
			return err
		}
		if _, err := output(ctx, r.root, nil, "git", "clone", "-q", r.root, source); err != nil {
			return err
		}
		if err := r.copyTracked(ctx, source); err != nil {
			return err
		}
		// Light, and over one that may be there: the maker asks git for the version.
		if _, err := output(ctx, source, nil, "git", "tag", "--force", "v"+r.version); err != nil {
			return err
		}
	}
	_, err := output(ctx, source, append(t.env(), "GOPROXY=off"), maker, "app", "-json", "-output-version", "1.5", "-std", "-noserial", "-notimestamp", "-output", path, source)
	return err
}
