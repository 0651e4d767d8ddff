package muc

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"renew_mnetkeys/moodledb"
	"renew_mnetkeys/moodledb/phpserial"
)

// maxEntry is how large an entry may be, in bytes, both stored and unpacked. That of plugin mnet
// needs some 2 KiB per key pair.
const maxEntry = 1 << 20

var errTooLarge = errors.New("the entry is larger than 1 MiB")

// cachedSettings are the settings of plugin mnet in one store. It prints without them: one is a
// private key.
type cachedSettings struct {
	Store    string            // name of the instance
	Settings map[string]string // by name; nil: none are cached
	Err      error             // nil or an *UnreadableError: then the content is unknown
}

// Format shows which store, never its content.
func (c cachedSettings) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "cache store %q with %d settings of plugin mnet", c.Store, len(c.Settings))
}

// MarshalJSON writes what Format prints.
func (c cachedSettings) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "%q", fmt.Sprint(c)), nil
}

// UnreadableError is a store whose entry cannot be read. It may contain the only copy of a key.
type UnreadableError struct {
	Store string
	Err   error // never shows content
}

func (e *UnreadableError) Error() string {
	return fmt.Sprintf("cache store %q cannot be read: %v", e.Store, e.Err)
}

func (e *UnreadableError) Unwrap() error { return e.Err }

// Hint says who can read it. It never advises to purge the cache: that would destroy the key.
func (e *UnreadableError) Hint() string {
	var denied *PermissionError
	if errors.As(e.Err, &denied) {
		return denied.Hint()
	}
	return "run it where the web server runs, as its user and with its php; do not purge the cache before: it may have the only copy of a key"
}

// cached reads the entry of plugin mnet from all stores, the lowest first, and changes nothing. A
// store can occur more than once. The caller must check whose settings they are: several sites can
// share a store.
func (c *builtin) cached(ctx context.Context) []cachedSettings {
	var all []cachedSettings
	for _, s := range c.stores {
		name := s.describe().Store
		found, err := c.readStore(ctx, s)
		if err != nil {
			err = &UnreadableError{name, err}
		}
		if len(found) == 0 || err != nil {
			all = append(all, cachedSettings{Store: name, Err: err})
		}
		for _, settings := range found {
			all = append(all, cachedSettings{Store: name, Settings: settings})
		}
		c.log.Debug().Str("store", name).Int("entries", len(found)).AnErr("error", err).Msg("cached configuration read")
	}
	return all
}

func (c *builtin) readStore(ctx context.Context, s store) (found []map[string]string, err error) {
	if c.wider != "" {
		return nil, errors.New(c.wider)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	entries, err := s.read(ctx, c.mnet)
	for _, entry := range entries {
		settings, damaged, unreadable := unpack(entry)
		switch {
		case unreadable != nil:
			err = errors.Join(err, unreadable)
		case damaged != nil:
			found = append(found, moodledb.Salvage(damaged))
		default:
			found = append(found, settings)
		}
	}
	return found, err
}

// unpack reads an entry as the stores write it: PHP's serialize of a map, which cachestore_redis
// may compress (compress(), gzencode). Its first bytes show the format, whatever the store's
// configuration says now. The error shows nothing of the entry.
//
// damaged is the text of an entry that is an array of PHP's serialize, but not a whole one, as one is
// that a full disk has cut short: PHP cannot read it either, so that no web server uses what it has.
func unpack(entry []byte) (settings map[string]string, damaged []byte, err error) {
	switch {
	case bytes.HasPrefix(entry, []byte{0x1f, 0x8b}):
		plain, err := gunzip(entry)
		if err != nil {
			return nil, nil, err
		}
		entry = plain
	case bytes.HasPrefix(entry, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return nil, nil, errors.New("the entry is compressed by zstd, which only PHP reads here")
	}
	if bytes.HasPrefix(entry, []byte{0, 0, 0}) {
		return nil, nil, errors.New("the entry is serialized by igbinary, which only PHP reads here")
	}
	array, problem := phpserial.Array(string(entry))
	switch {
	case problem != "" && bytes.HasPrefix(entry, []byte("a:")) && !phpserial.Begins(string(entry)):
		return nil, entry, nil
	case problem != "":
		return nil, nil, errors.New("the entry is not settings of Moodle: " + problem)
	}
	settings = map[string]string{}
	for name, value := range phpserial.ByName(array) {
		if text, ok := value.(string); ok {
			settings[name] = text
		}
	}
	return settings, nil, nil
}

// leastPair is less than any key pair needs, in bytes, however well it is compressed: key and
// certificate are random numbers.
const leastPair = 512

// mayHoldKey says whether an entry that is not the tenant's may contain a key pair: several sites
// can share a store, and the cached pair of one of them may be its only copy.
func mayHoldKey(entry []byte) bool {
	if len(entry) < leastPair {
		return false
	}
	settings, damaged, err := unpack(entry)
	return err != nil || damaged != nil || settings["openssl"] != ""
}

func gunzip(entry []byte) ([]byte, error) {
	broken := errors.New("the entry is compressed by gzip, and damaged")
	r, err := gzip.NewReader(bytes.NewReader(entry))
	if err != nil {
		return nil, broken
	}
	plain, err := io.ReadAll(io.LimitReader(r, maxEntry+1))
	switch {
	case err != nil:
		return nil, broken
	case len(plain) > maxEntry:
		return nil, errTooLarge
	}
	return plain, nil
}

// merge joins what was read in two ways: a store that one of them could read counts as readable.
func merge(a, b []cachedSettings) []cachedSettings {
	read := map[string]bool{}
	for _, way := range [][]cachedSettings{a, b} {
		failed := map[string]bool{}
		for _, c := range way {
			failed[c.Store] = failed[c.Store] || c.Err != nil
		}
		for store := range failed {
			read[store] = read[store] || !failed[store]
		}
	}
	return slices.DeleteFunc(slices.Concat(a, b), func(c cachedSettings) bool { return c.Err != nil && read[c.Store] })
}
