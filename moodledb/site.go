package moodledb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"
)

// PairSeparator stands between certificate and private key in config_plugins mnet/openssl (mnet/lib.php, mnet_get_keypair).
const PairSeparator = "@@@@@@@@"

// Site is everything a renewal needs to know of the tenant, read in one snapshot. It prints without its private keys.
type Site struct {
	SiteIdentifier string // of table config
	FullName       string // course.fullname of id 1
	DispatcherMode string // strict or dangerous: MNet is on; off or "": it is off

	DispatcherForced bool // config.php says the mode

	// Settled: config.php over table config over Moodle's default.
	NoReplyAddress string // default noreply@host
	LifetimeDays   int    // of a key, default 28

	DriftThreshold time.Duration // how far ahead of us an answer may be stamped, default 15 s
	Generations    int           // how many retired key pairs are kept, default 3
	AutoRenewGap   time.Duration // how long before its expiry VMoodle wants a key renewed (config_plugins local_vmoodle/mnet_key_autorenew_gap), 0 when not said

	OwnID      int64 // config mnet_localhost_id, 0 when absent
	AllHostsID int64 // config mnet_all_hosts_id, 0 when absent
	Own        *Host // the row of OwnID, nil when there is none
	Peers      []Host

	Certificate, KeyPEM string    // of config_plugins mnet/openssl, "" when absent
	History             []Retired // newest first

	// What is stored, to the byte; Has tells an absent row from an empty one. StoreKey compares them.
	RawPair, RawHistory string
	HasPair, HasHistory bool
}

// Format shows whose keys these are, never the keys.
func (s Site) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "site %q, %d retired key pairs, %d peers", s.FullName, len(s.History), len(s.Peers))
}

// MarshalJSON writes what Format prints.
func (s Site) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(s)) }

// Read reads the site in seven short statements, nine [Tenant.ForChanges]. Peers are the active hosts (deleted=0) other than the own and the all-hosts row,
// in the order of their wwwroots.
//
// Errors: [*HistoryError] when the history cannot be read, [*MissingTableError], [*AccessError].
func (t *Tenant) Read(ctx context.Context) (*Site, error) {
	return t.readWith(ctx, func(tx *sql.Tx, _ *Site) ([]Host, error) { return t.hosts(ctx, tx) })
}

// ReadOwn is [Tenant.Read] without the peers, which it does not even read: however many there are, it needs the same memory.
func (t *Tenant) ReadOwn(ctx context.Context) (*Site, error) {
	return t.readWith(ctx, func(tx *sql.Tx, s *Site) ([]Host, error) {
		return t.hostsWhere(ctx, tx, "WHERE id IN (?, ?)", s.OwnID, s.AllHostsID)
	})
}

func (t *Tenant) readWith(ctx context.Context, hosts func(*sql.Tx, *Site) ([]Host, error)) (*Site, error) {
	var s *Site
	// Not statement by statement: Moodle renewing in between would look like a pair and an own row that do not fit.
	err := t.look(ctx, func(tx *sql.Tx) error {
		var err error
		if s, err = t.readSettings(ctx, tx); err != nil {
			return err
		}
		rows, err := hosts(tx, s)
		if err != nil {
			return err
		}
		s.sort(rows, t.config.Wwwroot)
		return t.readOwnAgain(ctx, tx, s)
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// readSettings reads all but the hosts.
func (t *Tenant) readSettings(ctx context.Context, tx *sql.Tx) (*Site, error) {
	// What locks comes first: a snapshot from before could show an older state than the rows that are locked.
	mnet, err := t.pluginSettings(ctx, tx)
	if err != nil {
		return nil, err
	}
	config, err := t.settings(ctx, tx, "read table config", "SELECT name, value FROM {config} WHERE name IN (?, ?, ?, ?, ?, ?)",
		"siteidentifier", "mnet_dispatcher_mode", "mnet_localhost_id", "mnet_all_hosts_id", "noreplyaddress", "mnetkeylifetime")
	if err != nil {
		return nil, err
	}
	force(t.config, config, mnet)
	_, forced := t.config.Forced["mnet_dispatcher_mode"]
	s := &Site{
		SiteIdentifier:   config["siteidentifier"],
		DispatcherMode:   config["mnet_dispatcher_mode"],
		DispatcherForced: forced,
		NoReplyAddress:   noReplyAddress(t.config, config["noreplyaddress"]),
		LifetimeDays:     lifetimeDays(t.config, config["mnetkeylifetime"]),
		DriftThreshold:   driftThreshold(mnet["drift_threshold"]),
		Generations:      generations(mnet["openssl_generations"]),
		AutoRenewGap:     autoRenewGap(mnet["mnet_key_autorenew_gap"]),
		OwnID:            int64(number(config["mnet_localhost_id"])),
		AllHostsID:       int64(number(config["mnet_all_hosts_id"])),
	}
	s.RawPair, s.HasPair = mnet["openssl"], has(mnet, "openssl")
	s.RawHistory, s.HasHistory = mnet["openssl_history"], has(mnet, "openssl_history")
	s.Certificate, s.KeyPEM = splitPair(s.RawPair)
	if s.History, err = decodeHistory(s.RawHistory); err != nil {
		return nil, err
	}
	err = tx.QueryRowContext(ctx, t.sql("SELECT fullname FROM {course} WHERE id = 1")).Scan(&s.FullName)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, t.explain("read table course", err)
	}
	return s, nil
}

// pluginSettings are those of MNet and VMoodle in table config_plugins.
func (t *Tenant) pluginSettings(ctx context.Context, tx *sql.Tx) (map[string]string, error) {
	const doing = "read table config_plugins"
	const query = "SELECT name, value FROM {config_plugins} WHERE plugin = 'mnet' AND name IN (?, ?, ?, ?) OR plugin = 'local_vmoodle' AND name = ?"
	names := []any{"openssl", "openssl_history", "openssl_generations", "drift_threshold", "mnet_key_autorenew_gap"}
	if !t.changes {
		return t.settings(ctx, tx, doing, query, names...)
	}
	// The pair's rows alone are locked: Moodle writes others while pages are shown.
	locked, err := t.settings(ctx, tx, doing, "SELECT name, value FROM {config_plugins} WHERE plugin = 'mnet' AND name IN (?, ?) FOR UPDATE", names[:2]...)
	if err != nil {
		return nil, err
	}
	all, err := t.settings(ctx, tx, doing, query, names...)
	if err != nil {
		return nil, err
	}
	delete(all, "openssl")
	delete(all, "openssl_history")
	maps.Copy(all, locked)
	return all, nil
}

// readOwnAgain takes the own row from the server that is written to, where the run changes something. That is a statement of its own:
// to lock the peers' rows as well would keep Moodle waiting.
func (t *Tenant) readOwnAgain(ctx context.Context, tx *sql.Tx, s *Site) error {
	if !t.changes || s.Own == nil {
		return nil
	}
	own := *s.Own
	err := tx.QueryRowContext(ctx, t.sql("SELECT wwwroot, public_key, COALESCE(public_key_expires, 0) FROM {mnet_host} WHERE id = ? FOR UPDATE"), s.OwnID).
		Scan(&own.Wwwroot, &own.PublicKey, &own.Expires)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		s.Own = nil
		return nil
	case err != nil:
		return t.explain("read the own host row", err)
	}
	s.Own = &own
	return nil
}

// settings reads rows of name and value. MySQL compares names without case and accents, Moodle's PHP does not: what is asked for
// by name later is what stands there exactly so.
func (t *Tenant) settings(ctx context.Context, tx *sql.Tx, doing, query string, args ...any) (map[string]string, error) {
	rows, err := tx.QueryContext(ctx, t.sql(query), args...)
	if err != nil {
		return nil, t.explain(doing, err)
	}
	defer func() { _ = rows.Close() }()
	settings := map[string]string{}
	for rows.Next() {
		var name string
		var value sql.NullString
		if err := rows.Scan(&name, &value); err != nil {
			return nil, t.explain(doing, err)
		}
		settings[name] = value.String
	}
	if err := rows.Err(); err != nil {
		return nil, t.explain(doing, err)
	}
	return settings, nil
}

func has(settings map[string]string, name string) bool {
	_, ok := settings[name]
	return ok
}

// splitPair is what Moodle's explode makes of the pair; more than two parts do not occur, and the rest is dropped as there.
func splitPair(raw string) (certificate, keyPEM string) {
	certificate, rest, _ := strings.Cut(raw, PairSeparator)
	keyPEM, _, _ = strings.Cut(rest, PairSeparator)
	return certificate, keyPEM
}
