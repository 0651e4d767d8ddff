package moodledb

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"strings"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/moodledb/dialect"
	"renew_mnetkeys/rotate"
)

// pairSeparator is between certificate and private key in config_plugins mnet/openssl
// (mnet/lib.php, mnet_get_keypair).
const pairSeparator = "@@@@@@@@"

// Read implements rotate.Store. It reads the tenant in one snapshot, by seven short statements,
// eight if there may be several rows of one peer, two more after [Tenant.ForChanges]. Peers are the
// active hosts (deleted=0) other than the local host row and the all-hosts row, in the order of
// their wwwroots; [Tenant.WithoutPeers] leaves them out.
//
// Settings are read as Moodle does: config.php overrides table config, which overrides Moodle's
// default.
//
// Errors: [*HistoryError] if the history cannot be read, [*MissingTableError], [*AccessError]; after
// [Tenant.ForChanges] a server that is read-only gives one that is rotate.ErrReadOnly.
func (t *Tenant) Read(ctx context.Context) (*rotate.Tenant, error) {
	var s *rotate.Tenant
	// It is not read statement by statement: if Moodle renewed in between, pair and local host row
	// would seem not to match.
	err := t.look(ctx, func(tx *sql.Tx) error {
		var err error
		if s, err = t.readSettings(ctx, tx); err != nil {
			return err
		}
		rows, err := t.hostsToRead(ctx, tx, s)
		if err != nil {
			return err
		}
		sortHosts(s, rows, localRows{s.Read.OwnID, s.Read.AllHostsID, t.config.Wwwroot})
		if s.Hidden, err = t.hidden(ctx, tx, s); err != nil {
			return err
		}
		return t.readOwnAgain(ctx, tx, s)
	})
	if is(err, dialect.ReadOnly) {
		return nil, readOnlyError{err}
	}
	if err != nil {
		return nil, err
	}
	s.Wwwroot = ownSpelling(t.config.Wwwroot, s.Own)
	return s, nil
}

// hidden are the wwwroots of active rows by which the database finds another row as well: Moodle has
// it look for the host that calls, without regard to deleted (mnet/peer.php, set_wwwroot), and
// collations differ.
func (t *Tenant) hidden(ctx context.Context, tx *sql.Tx, s *rotate.Tenant) (hidden []string, err error) {
	peers := map[string]bool{}
	for _, p := range s.Peers {
		peers[maybeSame(p.Wwwroot)] = true
	}
	if !t.withoutPeers && len(s.Deleted) == 0 && len(peers) == len(s.Peers) {
		return nil, nil
	}
	const op = "look for several rows of one peer"
	rows, err := tx.QueryContext(ctx, t.sql("SELECT a.wwwroot FROM {mnet_host} a JOIN "+
		"(SELECT wwwroot FROM {mnet_host} WHERE wwwroot <> '' GROUP BY wwwroot HAVING COUNT(*) > 1) several "+
		"ON several.wwwroot = a.wwwroot WHERE a.deleted = 0 ORDER BY a.id"))
	if err != nil {
		return nil, t.explain(op, err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var wwwroot string
		if err := rows.Scan(&wwwroot); err != nil {
			return nil, t.explain(op, err)
		}
		hidden = append(hidden, wwwroot)
	}
	if err := rows.Err(); err != nil {
		return nil, t.explain(op, err)
	}
	return hidden, nil
}

func (t *Tenant) hostsToRead(ctx context.Context, tx *sql.Tx, s *rotate.Tenant) ([]host, error) {
	if t.withoutPeers {
		return t.hostsWhere(ctx, tx, "WHERE id IN (?, ?) OR deleted <> 0 OR "+t.maybeWwwroot()+" = ?", s.Read.OwnID, s.Read.AllHostsID, maybeSame(t.config.Wwwroot))
	}
	return t.hosts(ctx, tx)
}

// ownSpelling is the wwwroot as the local host row spells it, if config.php or the register differ
// from that only in the case of scheme or host: peers know the site by the row's letters, and
// compare them byte by byte.
func ownSpelling(wwwroot string, own *rotate.Peer) string {
	if own != nil && envelope.SameWwwroot(own.Wwwroot, wwwroot) && !strings.HasSuffix(own.Wwwroot, "/") {
		return own.Wwwroot
	}
	return wwwroot
}

// readSettings reads everything except the hosts.
func (t *Tenant) readSettings(ctx context.Context, tx *sql.Tx) (*rotate.Tenant, error) {
	// The locking statement comes first: an earlier snapshot could show an older state than the
	// locked rows.
	mnet, err := t.pluginSettings(ctx, tx)
	if err != nil {
		return nil, err
	}
	config, err := t.configSettings(ctx, tx, "", config.Forcible()...)
	if err != nil {
		return nil, err
	}
	forcePlugins(t.config, mnet)
	_, forced := t.config.Forced["mnet_dispatcher_mode"]
	s := &rotate.Tenant{
		SiteIdentifier:   config["siteidentifier"],
		DispatcherMode:   config["mnet_dispatcher_mode"],
		DispatcherForced: forced,
		NoReplyAddress:   noReplyAddress(config["noreplyaddress"], t.config.Wwwroot),
		LifetimeDays:     lifetimeDays(config["mnetkeylifetime"]),
		Drift:            driftThreshold(mnet["drift_threshold"]),
		Generations:      generations(mnet["openssl_generations"]),
		Proxy:            proxyOf(config),
		AutoRenewGap:     autoRenewGap(mnet["mnet_key_autorenew_gap"]),
		Read: rotate.Snapshot{
			Pair: mnet["openssl"], HasPair: has(mnet, "openssl"),
			History: mnet["openssl_history"], HasHistory: has(mnet, "openssl_history"),
			OwnID:      int64(number(config["mnet_localhost_id"])),
			AllHostsID: int64(number(config["mnet_all_hosts_id"])),
		},
	}
	s.Pair = splitPair(s.Read.Pair)
	if s.History, err = decodeHistory(s.Read.History); err != nil {
		return nil, err
	}
	err = tx.QueryRowContext(ctx, t.sql("SELECT fullname FROM {course} WHERE id = 1")).Scan(&s.Site)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, t.explain("read table course", err)
	}
	return s, nil
}

// pluginSettings are those of MNet and VMoodle in table config_plugins.
func (t *Tenant) pluginSettings(ctx context.Context, tx *sql.Tx) (map[string]string, error) {
	const op = "read table config_plugins"
	const query = "SELECT name, value FROM {config_plugins} WHERE plugin = 'mnet' AND name IN (?, ?, ?, ?) OR plugin = 'local_vmoodle' AND name = ?"
	names := []any{"openssl", "openssl_history", "openssl_generations", "drift_threshold", "mnet_key_autorenew_gap"}
	if !t.changes {
		return t.settings(ctx, tx, op, query, names...)
	}
	// Only the pair's rows are locked: Moodle writes others while it shows pages.
	locked, err := t.settings(ctx, tx, op, "SELECT name, value FROM {config_plugins} WHERE plugin = 'mnet' AND name IN (?, ?) FOR UPDATE", names[:2]...)
	if err != nil {
		return nil, err
	}
	all, err := t.settings(ctx, tx, op, query, names...)
	if err != nil {
		return nil, err
	}
	delete(all, "openssl")
	delete(all, "openssl_history")
	maps.Copy(all, locked)
	return all, nil
}

// readOwnAgain reads the local host row from the server that is written to, if the run changes
// something. This is a statement of its own: locking the peers' rows as well would keep Moodle
// waiting.
func (t *Tenant) readOwnAgain(ctx context.Context, tx *sql.Tx, s *rotate.Tenant) error {
	if !t.changes || s.Own == nil {
		return nil
	}
	own := *s.Own
	err := tx.QueryRowContext(ctx, t.sql("SELECT wwwroot, public_key, COALESCE(public_key_expires, 0) FROM {mnet_host} WHERE id = ? FOR UPDATE"), s.Read.OwnID).
		Scan(&own.Wwwroot, &own.Certificate, &own.Expires)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		s.Own = nil
		return nil
	case err != nil:
		return t.explain("read the local host row", err)
	}
	s.Own = &own
	return nil
}

// settings reads rows of name and value. MySQL compares names without case and accents, Moodle's
// PHP does not: only an exactly equal name is found later.
func (t *Tenant) settings(ctx context.Context, tx *sql.Tx, op, query string, args ...any) (map[string]string, error) {
	rows, err := tx.QueryContext(ctx, t.sql(query), args...)
	if err != nil {
		return nil, t.explain(op, err)
	}
	defer func() { _ = rows.Close() }()
	settings := map[string]string{}
	for rows.Next() {
		var name string
		var value sql.NullString
		if err := rows.Scan(&name, &value); err != nil {
			return nil, t.explain(op, err)
		}
		settings[name] = value.String
	}
	if err := rows.Err(); err != nil {
		return nil, t.explain(op, err)
	}
	return settings, nil
}

func has(settings map[string]string, name string) bool {
	_, ok := settings[name]
	return ok
}

// splitPair splits the pair as Moodle's explode does; more than two parts do not occur, and the
// rest is dropped as there.
func splitPair(raw string) rotate.Stored {
	certificate, rest, _ := strings.Cut(raw, pairSeparator)
	key, _, _ := strings.Cut(rest, pairSeparator)
	return rotate.Stored{Certificate: certificate, PrivateKey: key}
}

func joinPair(pair rotate.Stored) string { return pair.Certificate + pairSeparator + pair.PrivateKey }
