package test

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/elliotchance/phpserialize"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/peers/peertest"
)

// webSide is the data that a tenant's web server reads and writes: rows of hosts in the database,
// and its key pair through Moodle's file cache, which it fills if the entry is missing. So it uses
// an old pair until the entry is dropped.
type webSide struct {
	db      *sql.DB                   // connected to the server; queries name the tables with their database
	sql     func(query string) string // for that server
	own     int                       // id of the local host row
	wwwroot string
	moved   atomic.Bool            // the local host row may have another wwwroot
	entry   atomic.Pointer[string] // file of the cached settings of plugin mnet

	statements atomic.Int64                  // that it has run
	asked      atomic.Int64                  // how often it was asked for its keys, which happens once in every call
	gate       atomic.Pointer[chan struct{}] // the refilling of the cache waits for it; nil: it does not wait
	next       atomic.Pointer[func()]        // what the next request that finds no entry does first, alone; it may write one

	mu    sync.Mutex
	pairs map[string]*envelope.KeyPair // by their text: parsing one takes as long as using it
}

var (
	_ peertest.Store     = (*webSide)(nil)
	_ peertest.Publisher = (*webSide)(nil)
	_ peertest.Namer     = (*webSide)(nil)
)

// open connects the web side of the site with this index. Sites on MariaDB share the connections of
// the first, since there are hundreds; those of PostgreSQL lead to one database only.
func (w *webSide) open(first *testbed.Database, site *testbed.Site, i int) {
	w.db, w.own, w.wwwroot = first.DB, ownRow(i), site.Wwwroot
	w.sql = strings.NewReplacer("{", "`"+site.DB.Name+"`.`"+site.DB.Prefix, "}", "`").Replace
	if site.DB.DBType == testbed.PostgreSQLType {
		w.db, w.sql = site.DB.DB, site.DB.SQL
		w.db.SetMaxIdleConns(1)
	}
	w.cacheIn(site, site.Dataroot)
}

// holdRefill makes the web server wait before it reads a new key, until release is called.
func (w *webSide) holdRefill() (release func()) {
	gate := make(chan struct{})
	w.gate.Store(&gate)
	return sync.OnceFunc(func() { close(gate) })
}

// cacheIn sets the dataroot under which the web server keeps its cache.
func (w *webSide) cacheIn(site *testbed.Site, dataroot string) {
	identifier := fmt.Sprintf("%x", md5.Sum([]byte("identifier of "+site.Wwwroot)))
	definition := fmt.Sprintf("%x", md5.Sum([]byte("1/core/config/"+identifier)))
	name := fmt.Sprintf("%x", sha1.Sum([]byte(definition+"-mnet")))
	entry := filepath.Join(dataroot, "cache", "cachestore_file", "default_application", "core_config", name[:3]+"-cache", name+".cache")
	w.entry.Store(&entry)
}

func (w *webSide) row(ctx context.Context, into any, query string, args ...any) error {
	w.statements.Add(1)
	return w.db.QueryRowContext(ctx, w.sql(query), args...).Scan(into)
}

// settings are a site's pair and its history, as stored.
type settings struct{ Pair, History string }

// cached is the form of the settings in Moodle's file store.
func (s settings) cached() []byte {
	return fmt.Appendf(nil, `a:2:{s:7:"openssl";s:%d:"%s";s:15:"openssl_history";s:%d:"%s";}`, len(s.Pair), s.Pair, len(s.History), s.History)
}

// Keys implements peertest.Store.
func (w *webSide) Keys(ctx context.Context) (*envelope.KeyPair, []*envelope.KeyPair, error) {
	w.asked.Add(1)
	cached, err := os.ReadFile(*w.entry.Load())
	if errors.Is(err, fs.ErrNotExist) {
		cached, err = w.refill(ctx)
	}
	if err != nil {
		return nil, nil, err
	}
	s, err := phpserialize.UnmarshalAssociativeArray(cached)
	if err != nil {
		return nil, nil, fmt.Errorf("cached settings: %w", err)
	}
	current, err := w.parse(fmt.Sprint(s["openssl"]))
	if err != nil {
		return nil, nil, err
	}
	texts, err := retired(fmt.Sprint(s["openssl_history"]))
	if err != nil {
		return nil, nil, err
	}
	var history []*envelope.KeyPair
	for _, text := range texts {
		pair, err := w.parse(text)
		if err != nil {
			return nil, nil, err
		}
		history = append(history, pair)
	}
	return current, history, nil
}

// refill writes the entry under another name and moves it to its place, so that no reader sees half
// of it. Like Moodle's, it is as old as the data that were read before.
func (w *webSide) refill(ctx context.Context) ([]byte, error) {
	if gate := w.gate.Load(); gate != nil {
		<-*gate
	}
	if next := w.next.Swap(nil); next != nil {
		(*next)()
		if cached, err := os.ReadFile(*w.entry.Load()); err == nil {
			return cached, nil
		}
	}
	var s settings
	const value = "(SELECT value FROM {config_plugins} WHERE plugin = 'mnet' AND name = "
	// It is one statement: a renewal must not happen between the pair and its history.
	w.statements.Add(1)
	err := w.db.QueryRowContext(ctx, w.sql("SELECT "+value+"'openssl'), "+value+"'openssl_history')")).Scan(&s.Pair, &s.History)
	if err != nil {
		return nil, fmt.Errorf("read the settings of plugin mnet: %w", err)
	}
	dir := filepath.Dir(*w.entry.Load())
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(dir, "*.temp")
	if err != nil {
		return nil, err
	}
	cached := s.cached()
	_, err = file.Write(cached)
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	return cached, os.Rename(file.Name(), *w.entry.Load())
}

// retired reads Moodle's openssl_history: the pairs in it, as texts.
func retired(history string) (texts []string, err error) {
	list, err := phpserialize.UnmarshalIndexedArray([]byte(history))
	if err != nil {
		return nil, fmt.Errorf("openssl_history: %w", err)
	}
	for _, entry := range list {
		fields := entry.(map[any]any)
		texts = append(texts, fmt.Sprint(fields["certificate"], "@@@@@@@@", fields["keypair_PEM"]))
	}
	return texts, nil
}

func (w *webSide) parse(pair string) (*envelope.KeyPair, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pairs[pair] == nil {
		certificate, key, _ := strings.Cut(pair, "@@@@@@@@")
		parsed, err := envelope.ParseKeyPair(certificate, key)
		if err != nil {
			return nil, err
		}
		w.pairs[pair] = parsed
	}
	return w.pairs[pair], nil
}

// Published implements peertest.Publisher.
func (w *webSide) Published(ctx context.Context) (certificate string, err error) {
	err = w.row(ctx, &certificate, "SELECT public_key FROM {mnet_host} WHERE id = ?", w.own)
	return certificate, err
}

// Named implements peertest.Namer.
func (w *webSide) Named(ctx context.Context) (wwwroot string, err error) {
	if !w.moved.Load() {
		return w.wwwroot, nil
	}
	err = w.row(ctx, &wwwroot, "SELECT wwwroot FROM {mnet_host} WHERE id = ?", w.own)
	return wwwroot, err
}

// Held implements peertest.Store. The local host row is found by its id: wwwroot has no index, and
// a site of a large array answers only questions about itself quickly.
func (w *webSide) Held(ctx context.Context, wwwroot string) (certificate string, known bool, err error) {
	named, err := w.Named(ctx)
	if err != nil {
		return "", false, err
	}
	if wwwroot == named {
		certificate, err = w.Published(ctx)
		return certificate, true, err
	}
	err = w.row(ctx, &certificate, "SELECT public_key FROM {mnet_host} WHERE deleted = 0 AND wwwroot = ?", wwwroot)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return certificate, err == nil, err
}

// Hold implements peertest.Store.
func (w *webSide) Hold(ctx context.Context, wwwroot, certificate string) error {
	c, err := envelope.ParseCertificate(certificate)
	if err != nil {
		return err
	}
	w.statements.Add(1)
	_, err = w.db.ExecContext(ctx, w.sql("UPDATE {mnet_host} SET public_key = ?, public_key_expires = ? WHERE deleted = 0 AND wwwroot = ?"),
		certificate, c.NotAfter.Unix(), wwwroot)
	return err
}
