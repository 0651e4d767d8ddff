package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/elliotchance/phpserialize"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/peers/peertest"
)

// webSide is the half of the local site that answers other sites. Like a Moodle it reads mnet_host
// from the database and its key pair through the configuration cache, which it fills if the entry
// is missing; so it goes on using an old pair until the entry is dropped.
type webSide struct {
	db    *sql.DB
	entry string // file of the cached settings of plugin mnet
}

var (
	_ peertest.Store     = (*webSide)(nil)
	_ peertest.Publisher = (*webSide)(nil)
)

// Keys is the pair in use and the retired ones, newest first, as they are in the cache.
func (w *webSide) Keys(ctx context.Context) (*envelope.KeyPair, []*envelope.KeyPair, error) {
	settings, err := w.cached()
	if errors.Is(err, fs.ErrNotExist) {
		if settings, err = pluginSettings(ctx, w.db); err == nil {
			err = w.refill(settings)
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read the settings of plugin mnet: %w", err)
	}
	return readKeys(settings)
}

// Published is the answer to a keyswap: the certificate of the local host row, which is not cached.
func (w *webSide) Published(ctx context.Context) (string, error) {
	row, err := hostRow(ctx, w.db, "id", ownID)
	return row.certificate, err
}

// Held is the certificate in a host's row.
func (w *webSide) Held(ctx context.Context, wwwroot string) (string, bool, error) {
	row, err := hostRow(ctx, w.db, "wwwroot", wwwroot)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return row.certificate, err == nil, err
}

// Hold stores a host's certificate with its expiry.
func (w *webSide) Hold(ctx context.Context, wwwroot, certificate string) error {
	c, err := envelope.ParseCertificate(certificate)
	if err != nil {
		return err
	}
	_, err = w.db.ExecContext(ctx, "UPDATE mdl_mnet_host SET public_key = ?, public_key_expires = ? WHERE wwwroot = ?", certificate, c.NotAfter.Unix(), wwwroot)
	return err
}

// cached reads the entry as cachestore_file does: PHP's serialize of name => value.
func (w *webSide) cached() (map[string]string, error) {
	raw, err := os.ReadFile(w.entry)
	if err != nil {
		return nil, err
	}
	array, err := phpserialize.UnmarshalAssociativeArray(raw)
	if err != nil {
		// The library's error may quote a key.
		return nil, errors.New("the cached entry is not what PHP's serialize writes")
	}
	settings := make(map[string]string, len(array))
	for name, value := range array {
		settings[fmt.Sprint(name)] = fmt.Sprint(value)
	}
	return settings, nil
}

// refill writes the entry to a temporary file and moves it to its place, so that no reader finds
// half of it.
func (w *webSide) refill(settings map[string]string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "a:%d:{", len(settings))
	for name, value := range settings {
		fmt.Fprintf(&b, "s:%d:\"%s\";s:%d:\"%s\";", len(name), name, len(value), value)
	}
	b.WriteString("}")
	if err := os.MkdirAll(filepath.Dir(w.entry), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(w.entry), "*.temp")
	if err != nil {
		return err
	}
	_, err = f.WriteString(b.String())
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), w.entry)
}

// pluginSettings reads the settings of plugin mnet from config_plugins, not from the cache.
func pluginSettings(ctx context.Context, db *sql.DB) (map[string]string, error) {
	rows, err := db.QueryContext(ctx, "SELECT name, value FROM mdl_config_plugins WHERE plugin = 'mnet'")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	settings := map[string]string{}
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return nil, err
		}
		settings[name] = value
	}
	return settings, rows.Err()
}

// readKeys reads the pairs from the settings openssl and openssl_history.
func readKeys(settings map[string]string) (*envelope.KeyPair, []*envelope.KeyPair, error) {
	certificate, key, _ := strings.Cut(settings["openssl"], pairSeparator)
	current, err := envelope.ParseKeyPair(certificate, key)
	if err != nil {
		return nil, nil, fmt.Errorf("setting openssl: %w", err)
	}
	list, err := phpserialize.UnmarshalAssociativeArray([]byte(settings["openssl_history"]))
	if err != nil {
		return nil, nil, errors.New("setting openssl_history is not what PHP's serialize writes")
	}
	history := make([]*envelope.KeyPair, len(list))
	for i := range history {
		retired, ok := list[int64(i)].(map[any]any)
		if !ok {
			return nil, nil, fmt.Errorf("setting openssl_history has no element %d", i)
		}
		if history[i], err = envelope.ParseKeyPair(fmt.Sprint(retired["certificate"]), fmt.Sprint(retired["keypair_PEM"])); err != nil {
			return nil, nil, fmt.Errorf("setting openssl_history, element %d: %w", i, err)
		}
	}
	return current, history, nil
}

// host has the fields of a row of mnet_host that are needed here.
type host struct {
	certificate string
	expires     int64
}

// hostRow reads the row that has value in column, which is id or wwwroot; sql.ErrNoRows if there is
// none.
func hostRow(ctx context.Context, db *sql.DB, column string, value any) (h host, err error) {
	err = db.QueryRowContext(ctx, "SELECT public_key, public_key_expires FROM mdl_mnet_host WHERE deleted = 0 AND "+column+" = ?", value).
		Scan(&h.certificate, &h.expires)
	return h, err
}
