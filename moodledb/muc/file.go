package muc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"renew_mnetkeys/internal/killsteps"
	"renew_mnetkeys/moodledb/siteuser"
	"renew_mnetkeys/rotate"
)

// fileStore is an instance of cachestore_file. Everything below its directory is reached through
// os.Root, so that a link cannot lead a caller, who may be root, out of the cache.
type fileStore struct {
	instance
	dir             string // of the store
	base            base   // the directory that contains dir, or is dir
	singleDirectory bool
	asyncPurge      bool
	reader          siteuser.User // root does not read what this user may not read
	names           []string
}

// definitionDir is where cachestore_file::initialise() keeps core/config.
const definitionDir = "core_config"

// notInName is what cachestore_file removes from a store's name to make a directory name of it.
var notInName = regexp.MustCompile(`[^a-zA-Z0-9._-]+`)

func init() { plugins["file"] = newFileStore }

func newFileStore(i instance, env environment) store {
	dir := i.settings.Get("path").Text()
	in := base{store: i.name, what: fmt.Sprintf("path of cache store %q", i.name), path: dir}
	if dir == "" {
		dir = filepath.Join(env.CacheDir, "cachestore_file", notInName.ReplaceAllString(i.name, ""))
		in = env.cacheBase(i.name)
	}
	return fileStore{
		instance:        i,
		dir:             dir,
		base:            in,
		singleDirectory: i.settings.Get("singledirectory").Truth(),
		asyncPurge:      i.settings.Get("asyncpurge").Truth(),
		names:           env.names,
		reader:          siteuser.Owner(env.Dataroot),
	}
}

func (s fileStore) describe() storeReport {
	r := s.instance.describe()
	r.Place = s.dir
	return r
}

func (s fileStore) drop(ctx context.Context, scope rotate.Scope) (int, error) {
	if err := s.base.check(); err != nil {
		return 0, err
	}
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return 0, s.failure("", err)
	}
	defer func() { _ = root.Close() }()
	if scope == rotate.ScopeDefinition {
		return s.dropAll(ctx, root)
	}
	removed := 0
	dir, err := s.revision(root)
	if err != nil {
		return 0, s.failure(dir, err)
	}
	for _, name := range s.names {
		file := s.path(dir, name)
		gone, err := remove(root, file)
		if err != nil {
			return removed, s.failure(file, err)
		}
		if gone {
			removed++
		}
	}
	return removed, nil
}

// spared says whether a file may contain another site's key pair. A file that cannot be read from
// here is readable for the web server that owns it.
func (s fileStore) spared(root *os.Root, name string) bool {
	if slices.Contains(s.names, strings.TrimSuffix(path.Base(name), ".cache")) {
		return false
	}
	file, err := root.Open(name)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	defer func() { _ = file.Close() }()
	entry, err := io.ReadAll(io.LimitReader(file, maxEntry+1))
	return err != nil || len(entry) > maxEntry || mayHoldKey(entry)
}

// dropAll removes every *.cache below core_config, also those of revisions and directory layouts
// that the store no longer uses, but no other site's key pair. Directories stay: the web server may
// be about to write there.
func (s fileStore) dropAll(ctx context.Context, root *os.Root) (int, error) {
	removed := 0
	var failed error
	err := fs.WalkDir(root.FS(), definitionDir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			// If one directory cannot be read, the others are removed all the same.
			failed = errors.Join(failed, s.failure(name, err))
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if d.IsDir() || path.Ext(name) != ".cache" || d.Type().IsRegular() && s.spared(root, name) {
			return nil
		}
		gone, err := remove(root, name)
		if gone {
			removed++
		}
		failed = errors.Join(failed, s.failure(name, err))
		return nil
	})
	return removed, errors.Join(failed, err)
}

// revision is the directory that cachestore_file reads now: with asyncpurge, which 5.0 has, its
// name is the time of the definition's last purge.
func (s fileStore) revision(root *os.Root) (string, error) {
	if !s.asyncPurge {
		return definitionDir, nil
	}
	stamp := path.Join(definitionDir, ".lastpurged")
	info, err := root.Stat(stamp)
	if err != nil {
		return stamp, err
	}
	return path.Join(definitionDir, info.ModTime().UTC().Format("20060102150405")), nil
}

// path is cachestore_file::file_path_for_key().
func (s fileStore) path(dir, name string) string {
	if s.singleDirectory {
		return path.Join(dir, name+".cache")
	}
	return path.Join(dir, name[:3]+"-cache", name+".cache")
}

func (s fileStore) read(ctx context.Context, names []string) ([][]byte, error) {
	if err := s.base.check(); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, s.failure("", err)
	}
	defer func() { _ = root.Close() }()
	dir, err := s.revision(root)
	if err != nil {
		return nil, s.failure(dir, err)
	}
	var entries [][]byte
	for _, name := range names {
		entry, err := s.readFile(root, s.path(dir, name))
		if err != nil {
			return entries, s.failure(s.path(dir, name), err)
		}
		if entry != nil {
			entries = append(entries, entry)
		}
	}
	return entries, ctx.Err()
}

// readFile returns nil for a file that does not exist.
func (s fileStore) readFile(root *os.Root, name string) ([]byte, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, ignoreAbsent(err)
	}
	defer func() { _ = f.Close() }()
	return s.reader.ReadOpen(f, name, maxEntry)
}

// check finds out whether the caller may remove entries from the directories that have them, or
// will have them after the web server has written them.
func (s fileStore) check(context.Context) error {
	if err := s.base.check(); err != nil {
		return err
	}
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return s.failure("", err)
	}
	defer func() { _ = root.Close() }()
	dir, err := s.revision(root)
	if err != nil {
		return s.failure(dir, err)
	}
	if err := s.access(dir, unix.X_OK); err != nil {
		return err
	}
	for _, name := range s.names {
		if err := s.access(path.Dir(s.path(dir, name)), unix.W_OK|unix.X_OK); err != nil {
			return err
		}
	}
	return nil
}

func (s fileStore) access(dir string, mode uint32) error {
	return s.failure(dir, unix.Access(filepath.Join(s.dir, dir), mode))
}

// remove unlinks a file, or a link itself, never a directory. A file that does not exist, or has
// just disappeared, is no error.
func remove(root *os.Root, name string) (bool, error) {
	info, err := root.Lstat(name)
	if err != nil || info.IsDir() {
		return false, ignoreAbsent(err)
	}
	if err := killsteps.File("remove "+name, func() error { return root.Remove(name) }); err != nil {
		return false, ignoreAbsent(err)
	}
	return true, nil
}

func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// failure turns an error about a path relative to the store into one of this package; nil if the
// path does not exist.
func (s fileStore) failure(name string, err error) error {
	full := filepath.Join(s.dir, filepath.FromSlash(name))
	switch {
	case ignoreAbsent(err) == nil:
		return nil
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return newPermissionError(s.name, full, err)
	}
	return &UnreachableError{Store: s.name, Plugin: s.plugin, Server: full, Advice: adviseHook, Err: cause(err)}
}
