package moodledb

import (
	"context"
	"database/sql"
	"slices"
	"strconv"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/moodledb/dialect"
	"renew_mnetkeys/rotate"
)

// StartMNet implements rotate.Starter: it makes what a site needs before it can have a key, as far
// as it is missing: its local host row, the all-hosts row, both ids in table config, and the
// dispatcher mode strict (unless MNet is enabled already, or config.php sets the mode). Moodle does
// that at installation (lib/db/install.php) and in mnet/environment.php, init, and VMoodle in
// cli/start_mnet.php. A site that has it all stays unchanged. ipAddress is that of the local host,
// "" if it is not known.
//
// If mnet_localhost_id names a row that belongs to another site, the error is a
// *rotate.OtherSiteError, and nothing is changed.
//
// It changes table config: the cached entry core must be dropped afterwards, not only mnet.
func (t *Tenant) StartMNet(ctx context.Context, ipAddress string) error {
	return retry(ctx, func() error {
		return t.transaction(ctx, dialect.Write, func(tx *sql.Tx) error { return t.startMNet(ctx, tx, ipAddress) })
	})
}

func (t *Tenant) startMNet(ctx context.Context, tx *sql.Tx, ipAddress string) error {
	config, err := t.configSettings(ctx, tx, " FOR UPDATE", "mnet_dispatcher_mode", "mnet_localhost_id", "mnet_all_hosts_id")
	if err != nil {
		return err
	}
	hosts, err := t.hosts(ctx, tx)
	if err != nil {
		return err
	}
	own := host{Peer: rotate.Peer{ID: int64(number(config["mnet_localhost_id"])), Wwwroot: t.config.Wwwroot, IPAddress: ipAddress}}
	if i := slices.IndexFunc(hosts, func(h host) bool { return h.ID == own.ID }); i >= 0 {
		if err := mayBecome(hosts[i].Wwwroot, own.Wwwroot); err != nil {
			return err
		}
	}
	if own.IPAddress == "" {
		own.IPAddress = "UNKNOWN" // as Moodle writes it
	}
	if own.ID, err = t.ensureHost(ctx, tx, hosts, own); err != nil {
		return err
	}
	all := host{Peer: rotate.Peer{ID: int64(number(config["mnet_all_hosts_id"])), Name: "All Hosts"}}
	if all.ID == own.ID {
		all.ID = 0
	}
	hosts = slices.DeleteFunc(hosts, func(h host) bool { return h.ID == own.ID }) // it may have no wwwroot either
	if all.ID, err = t.ensureHost(ctx, tx, hosts, all); err != nil {
		return err
	}
	type setting struct{ name, value string }
	settings := []setting{{"mnet_localhost_id", strconv.FormatInt(own.ID, 10)}, {"mnet_all_hosts_id", strconv.FormatInt(all.ID, 10)}}
	if mode := config["mnet_dispatcher_mode"]; mode != "strict" && mode != "dangerous" {
		settings = append(settings, setting{"mnet_dispatcher_mode", "strict"})
	}
	for _, setting := range settings {
		if _, forced := t.config.Forced[setting.name]; forced {
			continue // the table's value does not count
		}
		if err := t.setConfig(ctx, tx, config, setting.name, setting.value); err != nil {
			return err
		}
	}
	return nil
}

// StopMNet implements rotate.Starter. An empty mode becomes off, which Moodle reads as the same.
func (t *Tenant) StopMNet(ctx context.Context, mode string) error {
	const setting = "mnet_dispatcher_mode"
	was := mode
	if mode == "" {
		mode = "off"
	}
	return retry(ctx, func() error {
		return t.transaction(ctx, dialect.Write, func(tx *sql.Tx) error {
			config, err := t.configSettings(ctx, tx, " FOR UPDATE", setting)
			if err != nil {
				return err
			}
			switch config[setting] {
			case was:
				return nil // MNet was not started
			case "strict", mode:
			default:
				return rotate.ErrConflict
			}
			return t.setConfig(ctx, tx, config, setting, mode)
		})
	})
}

// ensureHost returns the id of the row for h: the one that the configuration names; if it names
// none, one with h's wwwroot; else a new one, under the configured id if there is one.
// user.mnethostid and mnet_host2service.hostid refer to that id, so that another row would lock the
// users out.
func (t *Tenant) ensureHost(ctx context.Context, tx *sql.Tx, hosts []host, h host) (int64, error) {
	for _, row := range hosts {
		if h.ID == row.ID || h.ID == 0 && envelope.SameWwwroot(h.Wwwroot, row.Wwwroot) {
			return row.ID, nil
		}
	}
	return t.insertHost(ctx, tx, h)
}

// setConfig is Moodle's set_config (lib/moodlelib.php) for table config; config is its present
// content.
func (t *Tenant) setConfig(ctx context.Context, tx *sql.Tx, config map[string]string, name, value string) error {
	op := "store setting " + name
	switch {
	case !has(config, name):
		_, err := t.insert(ctx, tx, op, "INSERT INTO {config} (name, value) VALUES (?, ?)", name, value)
		return err
	case config[name] != value:
		return t.execOne(ctx, tx, op, "UPDATE {config} SET value = ? WHERE name = ?", value, name)
	}
	return nil
}
