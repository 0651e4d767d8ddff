package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// target is what a binary is built for.
type target struct{ os, arch string } // arch as in the names of files: armv7

var allTargets = []target{{"linux", "amd64"}, {"linux", "arm64"}, {"linux", "armv7"}, {"darwin", "amd64"}, {"darwin", "arm64"}, {"freebsd", "amd64"}}

func (t target) String() string { return t.os + "/" + t.arch }

// env fixes all that go build would take from the machine.
func (t target) env() []string {
	arch := t.arch
	if arch == "armv7" {
		arch = "arm"
	}
	// GOWORK: the versions of go.mod, not those that smoke/ asks for. The tag leaves out a Markdown
	// parser, with which urfave/cli writes manuals. buildvcs: a binary from a worktree must be that
	// from a clone; main.revision says it. The binary is stripped: it needs no DWARF.
	return []string{"GOOS=" + t.os, "GOARCH=" + arch, "GOARM=7", "GOAMD64=v1", "GOARM64=v8.0", "CGO_ENABLED=0", "GOWORK=off",
		"GOEXPERIMENT=", "GOFLAGS=-tags=urfave_cli_no_docs -buildvcs=false -trimpath -gcflags=all=-dwarf=false", "LC_ALL=C", "TZ=UTC"}
}

func selected(only string) ([]target, error) {
	if only == "" {
		return allTargets, nil
	}
	var chosen []target
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(allTargets, func(t target) bool { return t.String() == name })
		if i < 0 {
			return nil, fmt.Errorf("no target %s: they are %v", name, allTargets)
		}
		chosen = append(chosen, allTargets[i])
	}
	return chosen, nil
}

// build makes the binary, stripped, unless it was made already.
func (r *release) build(ctx context.Context, t target) (string, error) {
	path := filepath.Join(r.work, "bin", t.os+"-"+t.arch)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	flags := fmt.Sprintf("-s -w -X main.revision=%s -X main.date=%s", r.revision, r.date)
	_, err := output(ctx, r.root, t.env(), "go", "build", "-ldflags="+flags, "-o", path, ".")
	return path, err
}

// host is this machine, on which the command is asked for its own manual.
func host() target {
	arch := runtime.GOARCH
	if arch == "arm" {
		arch = "armv7"
	}
	return target{runtime.GOOS, arch}
}

// fill puts all that belongs to a target into a directory, which has the name of the archive.
func (r *release) fill(ctx context.Context, t target) (string, error) {
	name := fmt.Sprintf("renew_mnetkeys-%s-%s-%s", r.version, t.os, t.arch)
	dir := filepath.Join(r.work, name)
	if err := os.CopyFS(dir, os.DirFS(r.common())); err != nil {
		return "", err
	}
	binary, err := r.build(ctx, t)
	if err != nil {
		return "", err
	}
	if err := copyFile(binary, filepath.Join(dir, "renew_mnetkeys"), 0o755); err != nil {
		return "", err
	}
	bom := filepath.Join(r.dist, name+".cdx.json")
	if err := r.sbom(ctx, t, bom); err != nil {
		return "", fmt.Errorf("SBOM: %w", err)
	}
	if err := copyFile(bom, filepath.Join(dir, "renew_mnetkeys.cdx.json"), 0o644); err != nil {
		return "", err
	}
	return dir, r.normalise(dir)
}
