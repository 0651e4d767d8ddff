package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// archive writes a directory as a tar.gz of the distribution.
func (r *release) archive(dir, name string) (err error) {
	file, err := os.Create(filepath.Join(r.dist, name))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	packed, err := gzip.NewWriterLevel(file, gzip.BestCompression)
	if err != nil {
		return err
	}
	if err := r.writeTar(packed, dir, filepath.Base(dir)); err != nil {
		return err
	}
	return packed.Close()
}

// writeTar writes a directory under the name of top, "" for none, in the order of names and as
// files of root.
func (r *release) writeTar(w io.Writer, dir, top string) error {
	if err := r.normalise(dir); err != nil {
		return err
	}
	out := tar.NewWriter(w)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if name = filepath.ToSlash(filepath.Join(top, name)); name == "." {
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: int64(info.Mode().Perm()), Size: info.Size(), ModTime: r.time, Format: tar.FormatGNU}
		if info.Mode()&fs.ModeSticky != 0 {
			h.Mode |= 0o1000
		}
		if entry.IsDir() {
			h.Typeflag, h.Name, h.Size = tar.TypeDir, name+"/", 0
			return out.WriteHeader(h)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		_, err = out.Write(content)
		return err
	})
	if err != nil {
		return err
	}
	return out.Close()
}
