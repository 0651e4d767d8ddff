package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// common is the directory of what every target has: documents, samples, licences, and what the
// command says of itself.
func (r *release) common() string { return filepath.Join(r.work, "common") }

func (r *release) scripts() string { return filepath.Join(r.work, "scripts") }

func (r *release) gather(ctx context.Context) error {
	if err := r.copyTracked(ctx, r.common(), "README.md", "LICENSE", "SECURITY.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs", "packaging"); err != nil {
		return err
	}
	// The packages have them, with the time of the commit: in an .apk there is that of the file.
	if err := os.Rename(filepath.Join(r.common(), "packaging/scripts"), r.scripts()); err != nil {
		return err
	}
	if err := r.normalise(r.scripts()); err != nil {
		return err
	}
	tests, err := filepath.Glob(filepath.Join(r.common(), "packaging/*.go"))
	if err != nil {
		return err
	}
	for _, path := range tests {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	if err := r.generate(ctx); err != nil {
		return err
	}
	return r.licences(ctx)
}

// copyTracked copies the files that git knows, as they are here: what lies about besides is
// nobody's.
func (r *release) copyTracked(ctx context.Context, dir string, paths ...string) error {
	list, err := output(ctx, r.root, nil, "git", append([]string{"ls-files", "-z", "--"}, paths...)...)
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(strings.TrimRight(list, "\x00"), "\x00") {
		err := copyFile(filepath.Join(r.root, name), filepath.Join(dir, name), 0o644)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // deleted, and not committed
			return err
		}
	}
	return nil
}

// generate has the command write its manual, completions and sample. The manual is there for people
// who unpack the archive, and compressed for the packages.
func (r *release) generate(ctx context.Context) error {
	binary, err := r.build(ctx, host())
	if err != nil {
		return err
	}
	for what, path := range map[string]string{"man": "renew_mnetkeys.8", "bash": "completions/renew_mnetkeys.bash", "zsh": "completions/_renew_mnetkeys",
		"fish": "completions/renew_mnetkeys.fish", "conf": "renew_mnetkeys.conf"} {
		text, err := output(ctx, r.work, nil, binary, "generate", what)
		if err != nil {
			return err
		}
		if err := writeFile(filepath.Join(r.common(), path), []byte(text)); err != nil {
			return err
		}
		if what == "man" {
			if err := writeFile(r.compressedManual(), compressed([]byte(text))); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *release) compressedManual() string { return filepath.Join(r.work, "renew_mnetkeys.8.gz") }

// compressed is gzip's, without a name and a time.
func compressed(content []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is one of gzip's: no error
	_, _ = w.Write(content)                               // to memory
	_ = w.Close()
	return b.Bytes()
}

var licenceFile = regexp.MustCompile(`(?i)^(licen[sc]e|copying|notice|patents)`)

// licences copies those of all modules that any target links, and of Go: most of them ask to go
// with the binary.
func (r *release) licences(ctx context.Context) error {
	modules := map[string]string{}
	for _, t := range allTargets {
		list, err := output(ctx, r.root, t.env(), "go", "list", "-deps",
			"-f", `{{with .Module}}{{if not .Main}}{{.Path}}@{{.Version}} {{.Dir}}{{end}}{{end}}`, ".")
		if err != nil {
			return err
		}
		for line := range strings.Lines(list) {
			if module, dir, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
				modules[module] = dir
			}
		}
	}
	goroot, err := output(ctx, r.root, nil, "go", "env", "GOROOT")
	if err != nil {
		return err
	}
	modules["go"] = strings.TrimSpace(goroot)
	for module, dir := range modules {
		if err := copyLicences(dir, filepath.Join(r.common(), "LICENSES", module)); err != nil {
			return fmt.Errorf("%s: %w", module, err)
		}
	}
	return nil
}

func copyLicences(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	copied := 0
	for _, e := range entries {
		if e.Type().IsRegular() && licenceFile.MatchString(e.Name()) {
			if err := copyFile(filepath.Join(from, e.Name()), filepath.Join(to, e.Name()), 0o644); err != nil {
				return err
			}
			copied++
		}
	}
	if copied == 0 {
		return errors.New("it has no licence in its directory")
	}
	return nil
}

// normalise gives all files the time of the commit, and modes that depend neither on the umask nor
// on how they were checked out: only what the owner may run, everybody may run.
func (r *release) normalise(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o644)
		switch {
		case info.Mode()&fs.ModeSticky != 0: // /tmp of the image
			mode = 0o777 | fs.ModeSticky
		case entry.IsDir() || info.Mode()&0o100 != 0:
			mode = 0o755
		}
		if err := os.Chmod(path, mode); err != nil {
			return err
		}
		return os.Chtimes(path, r.time, r.time)
	})
}

func copyFile(from, to string, mode fs.FileMode) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := writeFile(to, content); err != nil {
		return err
	}
	return os.Chmod(to, mode)
}

// writeFile makes the directories above too.
func writeFile(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}
