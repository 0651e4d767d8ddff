// Command release packs the revision that is checked out: archives, packages, images, what they are
// made of (SBOM), their sums, and a signature. It needs Go, git and the module cache; no daemon, no
// other program.
//
// Whoever packs a revision, wherever and whenever, with the same Go, gets the same files to the
// byte: times are those of the commit, and nothing of the machine gets in. docs/release.md says how
// a release is made and checked.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// release is the revision that is packed.
type release struct {
	root, dist, work        string // the sources, the result, and a directory that is thrown away
	version, revision, date string
	time                    time.Time // of the commit
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dist := flag.String("dist", "dist", "the `directory` to write to")
	only := flag.String("targets", "", "the `targets` to pack, as in linux/amd64,darwin/arm64 (default all)")
	flag.Parse()
	if err := pack(ctx, *dist, *only); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func pack(ctx context.Context, dist, only string) error {
	targets, err := selected(only)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "release")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	r := &release{work: work}
	if r.dist, err = filepath.Abs(dist); err != nil {
		return err
	}
	if err := r.find(ctx); err != nil {
		return err
	}
	if err := r.clearDist(); err != nil {
		return err
	}
	if err := r.gather(ctx); err != nil {
		return err
	}
	images := newImages(r)
	for _, t := range targets {
		if err := r.packTarget(ctx, t, images); err != nil {
			return fmt.Errorf("%s: %w", t, err)
		}
	}
	if err := images.writeLayout(); err != nil {
		return fmt.Errorf("image: %w", err)
	}
	return r.sum()
}

func (r *release) packTarget(ctx context.Context, t target, images *images) error {
	dir, err := r.fill(ctx, t)
	if err != nil {
		return err
	}
	if err := r.archive(dir, filepath.Base(dir)+".tar.gz"); err != nil {
		return err
	}
	if t.os != "linux" {
		return nil
	}
	if err := r.packages(t, dir); err != nil {
		return err
	}
	return images.add(t, dir)
}

// find reads which revision this is. A file that was changed since is packed as it is, and
// --version says so.
func (r *release) find(ctx context.Context) error {
	root, err := output(ctx, ".", nil, "git", "rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}
	r.root = strings.TrimSpace(root)
	version, err := os.ReadFile(filepath.Join(r.root, "VERSION"))
	if err != nil {
		return err
	}
	r.version = strings.TrimSpace(string(version))
	described, err := output(ctx, r.root, nil, "git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty")
	if err != nil {
		return err
	}
	r.revision = strings.TrimSpace(described)
	if strings.HasSuffix(r.revision, "-dirty") {
		fmt.Fprintln(os.Stderr, "release: files were changed since the last commit: this is for a trial only")
	}
	committed, err := output(ctx, r.root, nil, "git", "log", "-1", "--format=%ct")
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseInt(strings.TrimSpace(committed), 10, 64)
	if err != nil {
		return fmt.Errorf("time of the commit: %w", err)
	}
	r.time = time.Unix(seconds, 0).UTC()
	r.date = r.time.Format(time.DateOnly)
	return nil
}

// clearDist removes what an earlier run packed, and nothing else.
func (r *release) clearDist() error {
	if err := os.MkdirAll(r.dist, 0o755); err != nil {
		return err
	}
	for _, pattern := range []string{"renew_mnetkeys-*", "renew-mnetkeys*", sumsFile + "*"} {
		paths, err := filepath.Glob(filepath.Join(r.dist, pattern))
		if err != nil {
			return err
		}
		for _, path := range paths {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// output runs a program and gives what it prints; what it complains of is in the error.
func output(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var complaint strings.Builder
	cmd.Dir, cmd.Env, cmd.Stderr = dir, append(os.Environ(), env...), &complaint
	said, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, complaint.String())
	}
	return string(said), nil
}
